//! Every format reads back what we write, and every known dialect of it.

use super::super::history_event::{HistoryDirection, NewHistoryEvent, Redeemed};
use super::super::nutzap_info::NutzapInfo;
use super::super::wallet_event::WalletEvent;
use super::super::{
    Event, Identity, Unreadable, UnsignedEvent, deletion, history_event, nutzap_info, quote_event,
    token_event, wallet_event,
};
use super::{identity, proof};
use crate::model::secret::Secret;

const MINT: &str = "https://mint.example";

fn id(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// An event of this kind with `plain` as its encrypted content.
fn sealed(me: &Identity, kind: u16, tags: &[&[&str]], plain: &str) -> Event {
    let tags = tags.iter().map(|tag| tag.iter().map(|text| (*text).to_owned()).collect()).collect();
    me.sign(UnsignedEvent { kind, created_at: 1, tags, content: me.encrypt(plain).unwrap() })
        .unwrap()
}

#[test]
fn an_event_is_signed_read_and_the_same() {
    let me = identity(1);
    let tags = vec![
        vec!["p".to_owned(), me.public_key()],
        vec![],
        vec!["x".to_owned(), String::new(), "\n\u{8}\u{1}\u{2028}é\"\\".to_owned()],
    ];
    let event = me
        .sign(UnsignedEvent {
            kind: 1,
            created_at: 7,
            tags: tags.clone(),
            content: "tab\t, line\n, \u{7f}".into(),
        })
        .unwrap();
    let read = Event::read(event.json()).unwrap();
    assert_eq!((&read, read.json()), (&event, event.json()));
    assert_eq!(
        (read.kind(), read.created_at(), read.author(), read.tags()),
        (1, 7, me.public_key().as_str(), tags.as_slice())
    );
    assert_eq!(read.tag_values("p").collect::<Vec<_>>(), [me.public_key()]);
    assert_eq!(format!("{read:?}"), format!("Event(1, {})", read.id()));
}

#[test]
fn coins_are_written_with_what_every_wallet_reads_first() {
    let me = identity(1);
    let mut coin = proof(4, "a secret");
    coin.dleq =
        serde_json::from_value(serde_json::json!({"e": id(1), "s": id(2), "r": id(3)})).unwrap();
    let event = token_event::write(&me, MINT, "sat", &[coin.clone()], &[], 9).unwrap();
    let plain = me.decrypt(event.content()).unwrap();
    let begin = format!(
        r#"{{"mint":"{MINT}","unit":"sat","proofs":[{{"id":"009a1f293253e41e","amount":4,"secret":"a secret","C":"02"#
    );
    assert!(
        plain.starts_with(&begin)
            && plain.ends_with(r#""del":[]}"#)
            && plain.contains(r#""dleq":{"e""#),
        "{}",
        plain.as_str()
    );
    assert_eq!(plain.len(), token_event::plain_len(MINT, "sat", &[coin.clone()], &[]));
    assert!(event.tags().is_empty() && event.kind() == 7375);
    let read = token_event::read(&me, &event).unwrap();
    assert_eq!(
        (read.proofs, read.del, read.unreadable_proofs, read.unit.as_str()),
        (vec![coin], vec![], 0, "sat")
    );
}

#[test]
fn coins_of_other_wallets_are_read() {
    let me = identity(1);
    let good = serde_json::to_value(proof(2, "s")).unwrap();
    let mut extra = good.clone();
    extra["anything"] = true.into();
    extra["witness"] = r#"{"signatures":[]}"#.into();
    let mut small_c = good.clone();
    small_c["c"] = small_c["C"].take();
    let bad = |field: &str, value: serde_json::Value| {
        let mut bad = good.clone();
        bad[field] = value;
        bad
    };
    let zero = bad("amount", 0.into());
    let three = bad("amount", 3.into());
    let huge = bad("amount", (1_u64 << 63).into());
    let long = bad("secret", "s".repeat(1025).into());
    let empty = bad("secret", "".into());
    let plain = serde_json::json!({
        "del": [id(7), "not an id", 5, id(7), id(10).to_uppercase()],
        "proofs": [good, extra, small_c, zero, three, huge, long, empty, 7, null],
    });
    let public: &[&[&str]] = &[&["mint", MINT], &["del", &id(8)], &["del", "x"], &["del"]];
    let read = token_event::read(&me, &sealed(&me, 7375, public, &plain.to_string())).unwrap();
    assert_eq!(
        (read.mint.as_str(), read.unit.as_str(), read.proofs.len(), read.unreadable_proofs),
        (MINT, "sat", 2, 8)
    );
    assert_eq!(read.del, [id(7), id(8)]);
    let bare = sealed(&me, 7375, &[], &format!(r#"{{"mint":"{MINT}","proofs":[]}}"#));
    assert_eq!(token_event::read(&me, &bare).map(|read| read.del), Ok(vec![]));
}

#[test]
fn coins_that_cannot_be_read_are_unknown() {
    let me = identity(1);
    let many = format!(r#"{{"mint":"m","proofs":[{}1]}}"#, "1,".repeat(1000));
    let cases = [
        ("", Unreadable::Form),
        ("[]", Unreadable::Form),
        (r#"{"mint":"m"}"#, Unreadable::Form),
        (&many, Unreadable::TooMuch),
    ];
    for (plain, why) in cases.into_iter().filter(|(plain, _)| !plain.is_empty()) {
        assert_eq!(token_event::read(&me, &sealed(&me, 7375, &[], plain)), Err(why), "{plain}");
    }
    let event = token_event::write(&me, MINT, "sat", &[], &[], 1).unwrap();
    assert_eq!(token_event::read(&identity(2), &event), Err(Unreadable::NotOurs));
    assert_eq!(token_event::read(&me, &sealed(&me, 7376, &[], "{}")), Err(Unreadable::Kind));
    let clear = me
        .sign(UnsignedEvent {
            kind: 7375,
            created_at: 1,
            tags: vec![],
            content: r#"{"mint":"m","proofs":[]}"#.into(),
        })
        .unwrap();
    assert_eq!(token_event::read(&me, &clear), Err(Unreadable::Undecryptable));
}

#[test]
fn a_deletion_counts_only_when_it_is_ours() {
    let me = identity(1);
    let event = deletion::write(&me, &[id(1), id(2)], 5).unwrap();
    assert_eq!(
        event.tags(),
        [["e".to_owned(), id(1)], ["e".to_owned(), id(2)], ["k".into(), "7375".into()]]
    );
    assert_eq!(deletion::read(&me, &event), [id(1), id(2)]);
    assert!(deletion::read(&identity(2), &event).is_empty());
    let odd = me.sign(UnsignedEvent {
        kind: 5,
        created_at: 1,
        tags: vec![vec!["e".into(), "x".into()], vec!["e".into()]],
        content: String::new(),
    });
    assert!(deletion::read(&me, &odd.unwrap()).is_empty());
}

#[test]
fn a_wallet_keeps_every_key_and_what_it_does_not_know() {
    let me = identity(1);
    let wallet = WalletEvent {
        privkeys: vec![Secret::new(id(3)), Secret::new(id(4))],
        mints: vec![MINT.into()],
        relays: vec!["wss://relay.example".into()],
        others: vec![
            vec!["future".into(), "thing".into(), "x".into()],
            vec!["privkey".into(), "not a key".into()],
            vec![],
        ],
    };
    for event in [
        wallet_event::write(&me, &wallet, 1).unwrap(),
        wallet_event::write_backup(&me, &wallet, 1).unwrap(),
    ] {
        assert_eq!(wallet_event::read(&me, &event), Ok(wallet.clone()));
        let plain = me.decrypt(event.content()).unwrap();
        let lists: Vec<Vec<String>> = serde_json::from_str(&plain).unwrap();
        assert_eq!((&lists[0], lists.last()), (&vec!["privkey".to_owned(), id(3)], lists.first()));
        assert!(event.tags().is_empty() && !format!("{wallet:?}").contains(&id(3)));
    }
    let one = WalletEvent { privkeys: vec![Secret::new(id(3))], ..WalletEvent::default() };
    let event = wallet_event::write(&me, &one, 1).unwrap();
    assert_eq!(*me.decrypt(event.content()).unwrap(), format!(r#"[["privkey","{}"]]"#, id(3)));
    let public = sealed(
        &me,
        17375,
        &[&["mint", MINT], &["relay", "wss://r"]],
        &format!(r#"[["mint","{MINT}"],["relay","wss://s"],7]"#),
    );
    let read = wallet_event::read(&me, &public).unwrap();
    assert_eq!(
        (read.mints, read.relays),
        (vec![MINT.to_owned()], vec!["wss://s".to_owned(), "wss://r".to_owned()])
    );
    assert_eq!(wallet_event::read(&me, &sealed(&me, 17375, &[], "{}")), Err(Unreadable::Form));
}

#[test]
fn a_key_for_nutzaps_is_read_in_every_form_and_never_guessed() {
    let me = identity(1);
    let x = identity(5).public_key();
    let info = |tags: &[&[&str]]| nutzap_info::read(&sealed(&me, 10019, tags, "x")).unwrap().pubkey;
    for written in [x.clone(), format!("02{x}"), format!("03{x}")] {
        assert_eq!(info(&[&["pubkey", &written]]), Some(x.clone()));
    }
    assert_eq!(info(&[&["pubkey", &x], &["pubkey", &format!("03{x}")]]), Some(x.clone()));
    assert_eq!(info(&[&["pubkey", &x], &["pubkey", &me.public_key()]]), None);
    assert_eq!(info(&[]), None);
    assert_eq!(info(&[&["pubkey", "00"]]), None);
    let ours = NutzapInfo {
        relays: vec!["wss://relay.example".into()],
        mints: vec![
            (MINT.into(), vec!["sat".into(), "usd".into()]),
            ("https://b.example".into(), vec![]),
        ],
        pubkey: Some(x.clone()),
    };
    let event =
        nutzap_info::write(&me, &NutzapInfo { pubkey: Some(format!("02{x}")), ..ours.clone() }, 3)
            .unwrap();
    assert_eq!(nutzap_info::read(&event), Ok(ours));
    assert_eq!(event.tag_values("pubkey").collect::<Vec<_>>(), [format!("02{x}")]);
    let bare = sealed(&me, 10019, &[&["pubkey", &x]], "x");
    assert!(nutzap_info::has_x_only_key(&bare) && !nutzap_info::has_x_only_key(&event));
}

#[test]
fn a_line_of_history_hides_all_but_the_redeemed_nutzap() {
    let me = identity(1);
    let nutzap = Redeemed {
        id: id(6),
        relay: "wss://relay.example".into(),
        sender: identity(2).public_key(),
    };
    let (hash, created, destroyed) = (id(9), [id(1)], [id(2), id(3)]);
    let told = NewHistoryEvent {
        payment_hash: Some(&hash),
        created: &created,
        destroyed: &destroyed,
        ..NewHistoryEvent::sats(HistoryDirection::Out, 21)
    };
    let event = history_event::write(&me, &told, 1).unwrap();
    assert!(!event.json().contains(&hash));
    assert!(event.tags().is_empty());
    let read = history_event::read(&me, &event).unwrap();
    assert_eq!(read.payment_hash, Some(hash));
    assert_eq!(
        (read.direction, read.amount, read.created, read.destroyed),
        (HistoryDirection::Out, 21, vec![id(1)], vec![id(2), id(3)])
    );
    let event = history_event::write(
        &me,
        &NewHistoryEvent {
            redeemed: Some(&nutzap),
            ..NewHistoryEvent::sats(HistoryDirection::In, 1)
        },
        1,
    )
    .unwrap();
    assert_eq!(
        event.tags()[0],
        ["e".to_owned(), id(6), "wss://relay.example".into(), "redeemed".into()]
    );
    assert_eq!(history_event::read(&me, &event).unwrap().redeemed, [id(6)]);
    let odd = format!(
        r#"[["amount",7],["direction","in"],["fee","1"],["e","{}","","created","{}"]]"#,
        id(1),
        id(9)
    );
    let read = history_event::read(
        &me,
        &sealed(&me, 7376, &[&["unit", "usd"], &["e", &id(2), "", "destroyed"]], &odd),
    )
    .unwrap();
    assert_eq!(
        (read.amount, read.unit.as_str(), read.created, read.destroyed),
        (7, "usd", vec![id(1)], vec![id(2)])
    );
    for plain in
        [r#"[["direction","up"],["amount","1"]]"#, r#"[["direction","in"],["amount","-1"]]"#, "{}"]
    {
        assert_eq!(history_event::read(&me, &sealed(&me, 7376, &[], plain)), Err(Unreadable::Form));
    }
}

#[test]
fn a_quote_is_read_in_three_dialects_and_written_with_its_key() {
    let me = identity(1);
    let event =
        quote_event::write(&me, &Secret::new("q-1"), Some(&Secret::new("k-1")), MINT, 99, 1)
            .unwrap();
    assert_eq!(event.tags(), [["expiration", "99"], ["mint", MINT]]);
    assert_eq!(*me.decrypt(event.content()).unwrap(), r#"{"p2pk_priv":"k-1","quote_id":"q-1"}"#);
    let read = quote_event::read(&me, &event).unwrap();
    assert_eq!(
        (read.quote_id.reveal(), read.mint.as_deref(), read.expires_at),
        ("q-1", Some(MINT), Some(99))
    );
    assert_eq!(read.key.as_ref().map(Secret::reveal), Some("k-1"));
    let bare = quote_event::write(&me, &Secret::new("q-1"), None, MINT, 99, 1).unwrap();
    assert_eq!(*me.decrypt(bare.content()).unwrap(), "q-1");
    for plain in [
        "q-2",
        r#""q-2""#,
        r#"{"quote_id":"q-2","p2pk_priv":"k"}"#,
        r#"{"quoteId":"q-2","amount":"7"}"#,
    ] {
        let read = quote_event::read(&me, &sealed(&me, 7374, &[&["mint", MINT]], plain)).unwrap();
        assert_eq!((read.quote_id.reveal(), read.mint.as_deref()), ("q-2", Some(MINT)), "{plain}");
    }
    assert_eq!(quote_event::read(&me, &sealed(&me, 7374, &[], "{}")), Err(Unreadable::Form));
    assert!(!format!("{read:?}").contains("q-1"));
}
