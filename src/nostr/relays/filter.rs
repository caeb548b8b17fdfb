//! Whether an event is what a filter (NIP-01) asks for: relays are not trusted to look.
//!
//! Parts of a filter that NIP-01 does not know, `search` for one, hold for every event.

use serde_json::Value;

use super::super::event::Event;

/// The filter asks for this event.
pub(super) fn matches(filter: &Value, event: &Event) -> bool {
    let Value::Object(parts) = filter else { return false };
    parts.iter().all(|(name, wanted)| match name.as_str() {
        "ids" => holds(wanted, event.id()),
        "authors" => holds(wanted, event.author()),
        "kinds" => list(wanted).any(|kind| kind.as_u64() == Some(u64::from(event.kind()))),
        "since" => wanted.as_u64().is_none_or(|since| event.created_at() >= since),
        "until" => wanted.as_u64().is_none_or(|until| event.created_at() <= until),
        other => match other.strip_prefix('#') {
            Some(tag) => event.tag_values(tag).any(|value| holds(wanted, value)),
            None => true,
        },
    })
}

fn list(wanted: &Value) -> impl Iterator<Item = &Value> {
    wanted.as_array().into_iter().flatten()
}

fn holds(wanted: &Value, text: &str) -> bool {
    list(wanted).any(|one| one.as_str() == Some(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nostr::identity::{Draft, Identity};

    #[test]
    fn every_part_must_hold() {
        let me = Identity::random().unwrap();
        let tags = vec![vec!["p".to_owned(), "x".to_owned()], vec!["p".to_owned(), "y".to_owned()]];
        let event = me.sign(Draft { kind: 5, created_at: 10, tags, content: String::new() }).unwrap();
        let own = me.public_key();
        for filter in [
            json!({}),
            json!({"kinds": [1, 5], "authors": [own], "ids": [event.id()], "since": 10, "until": 10, "limit": 1, "#p": ["y"]}),
            json!({"search": "x"}),
        ] {
            assert!(matches(&filter, &event), "{filter}");
        }
        for filter in [
            json!({"kinds": [1]}),
            json!({"kinds": []}),
            json!({"kinds": 5}),
            json!({"authors": ["x"]}),
            json!({"ids": []}),
            json!({"since": 11}),
            json!({"until": 9}),
            json!({"#p": ["z"]}),
            json!({"#e": ["x"]}),
            json!([]),
        ] {
            assert!(!matches(&filter, &event), "{filter}");
        }
    }
}
