//! Whatever strangers write: no panic, and nothing is opened that was not checked.

use proptest::prelude::*;

use super::super::{BadEvent, Draft, Event, Unreadable, token_event};
use super::identity;

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
    let other = me.sign(Draft { kind: 7375, created_at: 6, tags: vec![], content: "x".into() }).unwrap();
    let sig = serde_json::from_str::<serde_json::Value>(other.json()).unwrap()["sig"].clone();
    assert_eq!(Event::read(&forged(&event, "sig", sig)), Err(BadEvent::Signature));
    assert_eq!(Event::read(&forged(&event, "sig", "".into())), Err(BadEvent::Signature));
    assert_eq!(Event::read(&forged(&event, "id", other.id().into())), Err(BadEvent::Id));
    assert_eq!(Event::read(&forged(&event, "pubkey", identity(2).public_key().into())), Err(BadEvent::Id));
    assert_eq!(Event::read(&forged(&event, "content", "other".into())), Err(BadEvent::Id));
    assert_eq!(Event::read(&forged(&event, "created_at", 6.into())), Err(BadEvent::Id));
    assert_eq!(Event::read(&forged(&event, "kind", 70_000.into())), Err(BadEvent::Form));
    assert_eq!(Event::read(&forged(&event, "created_at", (-1).into())), Err(BadEvent::Form));
    assert_eq!(Event::read(&forged(&event, "id", event.id().to_uppercase().into())), Err(BadEvent::Form));
}

#[test]
fn an_event_of_another_author_is_not_opened_even_when_its_content_is_ours() {
    let (me, stranger) = (identity(1), identity(2));
    let ours = token_event::write(&me, "https://mint.example", "sat", &[], &[], 5).unwrap();
    let copy = stranger.sign(Draft { kind: 7375, created_at: 9, tags: vec![], content: ours.content().to_owned() }).unwrap();
    assert_eq!(token_event::read(&me, &copy), Err(Unreadable::Foreign));
}

#[test]
fn an_event_that_is_too_large_is_not_looked_at() {
    let me = identity(1);
    let big = me.sign(Draft { kind: 1, created_at: 1, tags: vec![], content: "x".repeat(256 * 1024) });
    assert_eq!(big, Err(BadEvent::TooLarge));
    assert_eq!(Event::read(&" ".repeat(256 * 1024 + 1)), Err(BadEvent::TooLarge));
    let tags = vec![vec![]; 4_001];
    assert_eq!(me.sign(Draft { kind: 1, created_at: 1, tags, content: String::new() }), Err(BadEvent::TooLarge));
}

proptest! {
    #[test]
    fn no_text_is_an_event_by_chance(text in any::<String>()) {
        prop_assert!(Event::read(&text).is_err());
    }

    #[test]
    fn a_changed_byte_is_noticed(at in 0_usize..600, byte in 0x20_u8..0x7f) {
        let event = identity(1).sign(Draft { kind: 1, created_at: 1, tags: vec![vec!["t".into(), "x".into()]], content: "hello".into() }).unwrap();
        let mut bytes = event.json().as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(read) = Event::read(&String::from_utf8(bytes).unwrap()) {
            prop_assert_eq!(read.id(), event.id());
        }
    }
}
