//! Recipients, relay lists, profiles and mint recommendations.

use nostr::nips::nip01::Coordinate;
use nostr::nips::nip19::{Nip19Coordinate, Nip19Event, Nip19Profile, ToBech32};
use nostr::{EventId, Kind, PublicKey, RelayUrl};

use super::super::recipient::{NotARecipient, Recipient, parse};
use super::super::{Event, Unreadable, UnsignedEvent, mint_review, profile, relay_list};
use super::identity;

fn event(kind: u16, tags: &[&[&str]], content: &str) -> Event {
    let tags = tags.iter().map(|tag| tag.iter().map(|text| (*text).to_owned()).collect()).collect();
    identity(1)
        .sign(UnsignedEvent { kind, created_at: 1, tags, content: content.to_owned() })
        .unwrap()
}

#[test]
fn every_name_of_a_person_or_an_event_is_read() {
    // The examples of NIP-19.
    let pubkey = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d".to_owned();
    let person = Ok(Recipient::Person { pubkey: pubkey.clone(), relays: vec![] });
    let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
    for text in [
        npub.to_owned(),
        npub.to_uppercase(),
        format!(" nostr:{npub}\n"),
        format!("web+nostr:{npub}"),
        pubkey.clone(),
        pubkey.to_uppercase(),
    ] {
        assert_eq!(parse(&text), person, "{text}");
    }
    let profile = "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9p";
    let relays = vec!["wss://r.x.com".to_owned(), "wss://djbas.sadkb.com".to_owned()];
    assert_eq!(parse(profile), Ok(Recipient::Person { pubkey: pubkey.clone(), relays }));
    let id = "5c83da77af1dec6d7289834998ad7aafbd9e2191396d75ec3cc27f5a77226f36";
    let note = EventId::from_hex(id).unwrap();
    assert_eq!(
        parse(&note.to_bech32().unwrap()),
        Ok(Recipient::Event { id: id.into(), relays: vec![], author: None })
    );
    let key = PublicKey::from_hex(&pubkey).unwrap();
    let hints = || {
        [
            RelayUrl::parse("wss://a.example/").unwrap(),
            RelayUrl::parse("ws://plain.example").unwrap(),
        ]
    };
    let nevent = Nip19Event::new(note).author(key).relays(hints()).to_bech32().unwrap();
    let relays = vec!["wss://a.example".to_owned()];
    assert_eq!(
        parse(&nevent),
        Ok(Recipient::Event {
            id: id.into(),
            relays: relays.clone(),
            author: Some(pubkey.clone())
        })
    );
    let naddr =
        Nip19Coordinate::new(Coordinate::new(Kind::from(30023), key).identifier("A post"), hints())
            .to_bech32()
            .unwrap();
    assert_eq!(
        parse(&naddr),
        Ok(Recipient::Replaceable {
            kind: 30023,
            pubkey: pubkey.clone(),
            identifier: "A post".into(),
            relays
        })
    );
    let many = (0..30).map(|n| RelayUrl::parse(&format!("wss://r{n}.example")).unwrap());
    let crowded = Nip19Profile::new(key, many).to_bech32().unwrap();
    assert!(matches!(parse(&crowded), Ok(Recipient::Person { relays, .. }) if relays.len() == 10));
}

#[test]
fn a_name_at_a_host_is_read_and_nothing_like_it() {
    let name =
        |name: &str, host: &str| Ok(Recipient::Name { name: name.into(), host: host.into() });
    assert_eq!(parse("Alice@Example.com"), name("alice", "example.com"));
    assert_eq!(parse("_@example.com:8443"), name("_", "example.com:8443"));
    assert_eq!(parse("a.b-c+tag@sub.example"), name("a.b-c+tag", "sub.example"));
    for text in [
        "",
        "@",
        "a@",
        "@b.example",
        "a b@c.example",
        "a@b",
        "a@127.0.0.1",
        "a@b.example/x",
        "a@b.example?x",
        "a@b@c.example",
        "a@b.example\\x",
    ] {
        assert_eq!(parse(text), Err(NotARecipient::Unknown), "{text}");
    }
}

#[test]
fn a_secret_key_is_told_apart_and_not_repeated() {
    let nsec = identity(1).nsec();
    for text in [
        nsec.reveal().to_owned(),
        format!("nostr:{}", nsec.reveal().to_uppercase()),
        "nsec1damaged".into(),
        "ncryptsec1x".into(),
    ] {
        let refused = parse(&text).unwrap_err();
        assert_eq!(refused, NotARecipient::SecretKey);
        assert!(!refused.to_string().contains(&text));
    }
    assert_eq!(parse("npub1qqqq"), Err(NotARecipient::Damaged));
    assert_eq!(parse(&"f".repeat(64)), Err(NotARecipient::Unknown));
}

#[test]
fn a_list_of_relays_says_where_to_read_and_write() {
    let tags: &[&[&str]] = &[
        &["r", "wss://both.example/"],
        &["r", "wss://read.example", "read"],
        &["r", "wss://write.example", "write"],
        &["r", "ws://plain.example"],
        &["r", "wss://odd.example", "other"],
        &["r"],
    ];
    let list = relay_list::read(&event(10002, tags, "")).unwrap();
    assert_eq!(list.read, ["wss://both.example", "wss://read.example"]);
    assert_eq!(list.write, ["wss://both.example", "wss://write.example"]);
    assert_eq!(relay_list::read(&event(1, tags, "")), Err(Unreadable::Kind));
}

#[test]
fn a_profile_says_where_somebody_is_paid() {
    let read = profile::read(&event(
        0,
        &[],
        r#"{"name":"a","displayName":"A","lud16":" a@b.example ","lud06":"","nip05":7}"#,
    ))
    .unwrap();
    assert_eq!((read.name.as_deref(), read.display_name.as_deref()), (Some("a"), Some("A")));
    assert_eq!((read.lud16.as_deref(), read.lud06, read.nip05), (Some("a@b.example"), None, None));
    let long = format!(r#"{{"lud16":"{}"}}"#, "a".repeat(2001));
    assert_eq!(profile::read(&event(0, &[], &long)).unwrap().lud16, None);
    for content in ["", "[]", "null", "{"] {
        assert_eq!(profile::read(&event(0, &[], content)), Err(Unreadable::Form));
    }
}

#[test]
fn what_is_said_about_mints_is_read() {
    let key = format!("02{}", identity(3).public_key());
    let at = |url: &'static str, marker: &'static str| ["u", url, marker];
    let tags: &[&[&str]] = &[
        &["k", "38172"],
        &["d", &key],
        &at("https://m.example", "cashu"),
        &at("fed1x", "fedimint"),
    ];
    let review = mint_review::read_review(&event(38000, tags, "[4/5] good")).unwrap();
    assert_eq!(
        (review.rating, review.text.as_str(), review.urls),
        (Some(4), "good", vec!["https://m.example".to_owned()])
    );
    for (content, rating) in
        [("[6/5] x", None), ("[0/5]", None), ("4/5", None), ("[x/5]", None), ("", None)]
    {
        let review = mint_review::read_review(&event(38000, tags, content)).unwrap();
        assert_eq!((review.rating, review.text.as_str()), (rating, content));
    }
    assert_eq!(
        mint_review::read_review(&event(38000, &[&["k", "38173"], &["d", &key]], "")),
        Err(Unreadable::Kind)
    );
    assert_eq!(
        mint_review::read_review(&event(38000, &[&["k", "38172"], &["d", "é"]], "")),
        Err(Unreadable::Form)
    );
}
