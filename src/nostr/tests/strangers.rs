//! Hostile input: no text causes a panic, and nothing is decrypted before it is checked.

use proptest::prelude::*;

use super::super::{
    BadEvent, Event, Identity, Unreadable, UnsignedEvent, deletion, history_event, mint_review,
    nutzap, nutzap_info, profile, quote_event, recipient, relay_list, splits, token_event,
    wallet_event, zap,
};
use super::{identity, proof};

/// `event` with one field replaced.
fn forged(event: &Event, field: &str, value: serde_json::Value) -> String {
    let mut json: serde_json::Value = serde_json::from_str(event.json()).unwrap();
    json[field] = value;
    json.to_string()
}

#[test]
fn a_forged_event_is_none() {
    let me = identity(1);
    let event = token_event::write(&me, "https://mint.example", "sat", &[], &[], 5).unwrap();
    let other = me
        .sign(UnsignedEvent { kind: 7375, created_at: 6, tags: vec![], content: "x".into() })
        .unwrap();
    let sig = serde_json::from_str::<serde_json::Value>(other.json()).unwrap()["sig"].clone();
    assert_eq!(Event::read(&forged(&event, "sig", sig)), Err(BadEvent::Signature));
    assert_eq!(Event::read(&forged(&event, "sig", "".into())), Err(BadEvent::Signature));
    assert_eq!(Event::read(&forged(&event, "id", other.id().into())), Err(BadEvent::Id));
    assert_eq!(
        Event::read(&forged(&event, "pubkey", identity(2).public_key().into())),
        Err(BadEvent::Id)
    );
    assert_eq!(Event::read(&forged(&event, "content", "other".into())), Err(BadEvent::Id));
    assert_eq!(Event::read(&forged(&event, "created_at", 6.into())), Err(BadEvent::Id));
    assert_eq!(Event::read(&forged(&event, "kind", 70_000.into())), Err(BadEvent::Form));
    assert_eq!(Event::read(&forged(&event, "created_at", (-1).into())), Err(BadEvent::Form));
    assert_eq!(
        Event::read(&forged(&event, "id", event.id().to_uppercase().into())),
        Err(BadEvent::Form)
    );
}

#[test]
fn an_event_of_another_author_is_not_opened_even_when_its_content_is_ours() {
    let (me, stranger) = (identity(1), identity(2));
    let ours = token_event::write(&me, "https://mint.example", "sat", &[], &[], 5).unwrap();
    let copy = stranger
        .sign(UnsignedEvent {
            kind: 7375,
            created_at: 9,
            tags: vec![],
            content: ours.content().to_owned(),
        })
        .unwrap();
    assert_eq!(token_event::read(&me, &copy), Err(Unreadable::NotOurs));
}

#[test]
fn an_event_that_is_too_large_is_not_looked_at() {
    let me = identity(1);
    let big = me.sign(UnsignedEvent {
        kind: 1,
        created_at: 1,
        tags: vec![],
        content: "x".repeat(512 * 1024),
    });
    assert_eq!(big, Err(BadEvent::TooLarge));
    assert_eq!(Event::read(&" ".repeat(512 * 1024 + 1)), Err(BadEvent::TooLarge));
    let tags = vec![vec![]; 8_001];
    assert_eq!(
        me.sign(UnsignedEvent { kind: 1, created_at: 1, tags, content: String::new() }),
        Err(BadEvent::TooLarge)
    );
}

/// Reads an event with every reader.
fn read_as_everything(me: &Identity, event: &Event) {
    let own = me.public_key();
    let _ = token_event::read(me, event);
    let _ = deletion::read(me, event);
    let _ = wallet_event::read(me, event);
    let _ = history_event::read(me, event);
    let _ = quote_event::read(me, event);
    let _ = nutzap_info::read(event);
    let _ = nutzap::read(event, &own);
    let _ = profile::read(event);
    let _ = relay_list::read(event);
    let _ = splits::legs(event, 1_000);
    let _ = mint_review::read_review(event);
    let want = zap::ExpectedReceipt {
        request_json: event.json().to_owned(),
        request_id: event.id().to_owned(),
        bolt11_payment_hash: String::new(),
        msat: 1,
        nostr_pubkey: own.clone(),
        recipient: own,
    };
    let _ = zap::check_receipt(event, &want);
}

const KINDS: [u16; 15] =
    [0, 5, 375, 1, 7374, 7375, 7376, 9321, 9734, 9735, 10_002, 10_019, 17_375, 38_000, 38_172];

/// A string for a tag: a value that readers look for, or any other.
fn word() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 17] = [
        "p",
        "u",
        "e",
        "a",
        "k",
        "d",
        "proof",
        "unit",
        "zap",
        "r",
        "mint",
        "relay",
        "pubkey",
        "del",
        "read",
        "bolt11",
        "description",
    ];
    prop_oneof![
        4 => proptest::sample::select(KNOWN.as_slice()).prop_map(str::to_owned),
        1 => "[0-9a-f]{64}",
        1 => "[0-9.]{0,8}",
        2 => any::<String>(),
    ]
}

/// A text that resembles a content or a plaintext.
fn content() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r#"\[(\["(direction|amount|e|privkey|mint|relay)",("[a-z0-9]{0,70}"|[0-9]{1,25}|null)\]|7),\["direction","in"\]\]"#,
        r#"\{"(mint|quoteId|quote_id|name)":("[a-z]{0,9}"|null|7),"(proofs|del|amount|lud16)":(\[("[0-9a-f]{64}"|\{"id":"00ad268c4d1f5826","amount":[0-9]{1,20},"secret":"s","C":"02[0-9a-f]{64}"\})?\]|"x"|null|9)\}"#,
        r"\[[0-9]{1,3}/5\].{0,5}",
    ]
}

proptest! {
    #[test]
    fn no_reader_panics(
        kind in proptest::sample::select(KINDS.as_slice()),
        tags in proptest::collection::vec(proptest::collection::vec(word(), 0..5), 0..8),
        content in content(),
        sealed in any::<bool>(),
    ) {
        let me = identity(1);
        let content = if sealed { me.encrypt(&content).unwrap_or_default() } else { content };
        let event = me.sign(UnsignedEvent { kind, created_at: 1, tags, content }).unwrap();
        let again = Event::read(event.json());
        prop_assert_eq!(again.as_ref(), Ok(&event));
        read_as_everything(&me, &event);
    }

    #[test]
    fn no_secret_of_a_coin_panics(secret in prop_oneof![any::<String>(), r#"\["P2PK",\{"nonce":"n","data":"0[23][0-9a-f]{0,64}","tags":\[\[("n_sigs|pubkeys",)?"x"?\]\]\}\]"#]) {
        let _ = nutzap::locked_to(&proof(1, &secret).secret, &[identity(1).public_key()], 1);
    }

    #[test]
    fn no_text_panics_as_a_recipient(text in prop_oneof![any::<String>(), "(npub|nprofile|note|nevent|naddr|nsec)1[a-z0-9]{0,80}", "[a-z@.:/]{0,20}"]) {
        let _ = recipient::parse(&text);
    }

    #[test]
    fn no_text_is_an_event_by_chance(text in any::<String>()) {
        prop_assert!(Event::read(&text).is_err());
    }

    #[test]
    fn a_changed_byte_is_noticed(at in 0_usize..600, byte in 0x20_u8..0x7f) {
        let event = identity(1).sign(UnsignedEvent { kind: 1, created_at: 1, tags: vec![vec!["t".into(), "x".into()]], content: "hello".into() }).unwrap();
        let mut bytes = event.json().as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(read) = Event::read(&String::from_utf8(bytes).unwrap()) {
            prop_assert_eq!(read.id(), event.id());
        }
    }
}
