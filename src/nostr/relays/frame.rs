//! One message from a relay (NIP-01, NIP-42), parsed with limits on length and depth.
//!
//! Never checks the content: signatures and filters are checked elsewhere.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Maximum length of a label, subscription id or challenge that is read, in bytes.
const MAX_WORD: usize = 1_024;

/// A message from a relay.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// An event for a subscription, as raw JSON.
    Event { subscription: String, event: &'a str },
    /// The end of a subscription's stored events.
    EndOfStored { subscription: String, hint: Option<Hint> },
    /// The end of a subscription.
    Closed { subscription: String, reason: String },
    /// The relay's answer to an event: stored or refused.
    Ok { id: String, stored: bool, reason: String },
    /// A request for authentication (NIP-42).
    Auth { challenge: String },
    /// A message for people.
    Notice { words: String },
    /// A step of a reconciliation (NIP-77), or, with `step` `false`, its refusal.
    Negentropy { step: bool },
    /// Any other text.
    Other,
}

/// The completeness hint at the end of stored events (NIP-67).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// The relay has sent every event that matches the filter.
    Finish,
    /// The relay stores more events that match than it has sent.
    More,
}

/// The first four members of an array, as raw JSON.
struct ArrayMembers<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for ArrayMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = ArrayMembers<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while parts.len() < 4
                    && let Some(part) = members.next_element()?
                {
                    parts.push(part);
                }
                while members.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ArrayMembers(parts))
            }
        }
        from.deserialize_seq(Array)
    }
}

impl<'a> Frame<'a> {
    /// Parses any text; one that is not a relay message is [`Frame::Other`].
    pub(super) fn read(text: &'a str) -> Self {
        let Ok(ArrayMembers(parts)) = serde_json::from_str(text) else { return Self::Other };
        Self::of(&parts).unwrap_or(Self::Other)
    }

    fn of(parts: &[&'a RawValue]) -> Option<Self> {
        let raw = |at: usize| parts.get(at).map(|part| part.get());
        let word = |at: usize| {
            raw(at)
                .filter(|raw| raw.len() <= MAX_WORD)
                .and_then(|raw| serde_json::from_str::<String>(raw).ok())
        };
        let words = |at: usize| {
            raw(at)
                .filter(|raw| raw.len() <= 16 * MAX_WORD)
                .and_then(|raw| serde_json::from_str::<String>(raw).ok())
        };
        match word(0)?.as_str() {
            "EVENT" => Some(Self::Event { subscription: word(1)?, event: raw(2)? }),
            "EOSE" => {
                let hints = raw(2)
                    .filter(|raw| raw.len() <= MAX_WORD)
                    .and_then(|raw| serde_json::from_str::<Vec<String>>(raw).ok());
                let has = |hint: &str| hints.iter().flatten().any(|one| one == hint);
                // A relay that gives both hints contradicts itself, so neither counts.
                let hint = match (has("finish"), has("more")) {
                    (true, false) => Some(Hint::Finish),
                    (false, true) => Some(Hint::More),
                    _ => None,
                };
                Some(Self::EndOfStored { subscription: word(1)?, hint })
            }
            "CLOSED" => {
                Some(Self::Closed { subscription: word(1)?, reason: words(2).unwrap_or_default() })
            }
            "OK" => Some(Self::Ok {
                id: word(1)?,
                stored: raw(2)? == "true",
                reason: words(3).unwrap_or_default(),
            }),
            "AUTH" => Some(Self::Auth { challenge: word(1)? }),
            "NOTICE" => Some(Self::Notice { words: words(1)? }),
            label @ ("NEG-MSG" | "NEG-ERR") => Some(Self::Negentropy { step: label == "NEG-MSG" }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_relay_says_is_read() {
        let sub = || "s".to_owned();
        assert_eq!(
            Frame::read(r#" ["EVENT","s", {"id":[[1]]} ,9,9,9]"#),
            Frame::Event { subscription: sub(), event: r#"{"id":[[1]]}"# }
        );
        let ends = |hint| Frame::EndOfStored { subscription: sub(), hint };
        for (said, hint) in [
            (r#"["EOSE","s"]"#, None),
            (r#"["EOSE","s",["what","finish"]]"#, Some(Hint::Finish)),
            (r#"["EOSE","s",["more"]]"#, Some(Hint::More)),
            (r#"["EOSE","s",["more","finish"]]"#, None),
            (r#"["EOSE","s",[]]"#, None),
            (r#"["EOSE","s",[7]]"#, None),
            (r#"["EOSE","s","finish"]"#, None),
        ] {
            assert_eq!(Frame::read(said), ends(hint), "{said}");
        }
        assert_eq!(Frame::read(r#"["NEG-MSG","s","61"]"#), Frame::Negentropy { step: true });
        assert_eq!(
            Frame::read(r#"["NEG-ERR","s","blocked: big"]"#),
            Frame::Negentropy { step: false }
        );
        assert_eq!(
            Frame::read(r#"["CLOSED","s"]"#),
            Frame::Closed { subscription: sub(), reason: String::new() }
        );
        assert_eq!(
            Frame::read(r#"["OK","s",true]"#),
            Frame::Ok { id: sub(), stored: true, reason: String::new() }
        );
        assert_eq!(
            Frame::read(r#"["OK","s",false,"x"]"#),
            Frame::Ok { id: sub(), stored: false, reason: "x".into() }
        );
        assert_eq!(
            Frame::read(r#"["OK","s","true",""]"#),
            Frame::Ok { id: sub(), stored: false, reason: String::new() }
        );
        assert_eq!(Frame::read(r#"["AUTH","c"]"#), Frame::Auth { challenge: "c".into() });
        assert_eq!(Frame::read(r#"["NOTICE","w"]"#), Frame::Notice { words: "w".into() });
    }

    #[test]
    fn what_is_no_message_is_nothing() {
        let long = format!(r#"["AUTH","{}"]"#, "c".repeat(MAX_WORD));
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "{}",
            "[]",
            "[1]",
            r#"["EVENT"]"#,
            r#"["EVENT",1,{}]"#,
            r#"["COUNT","s",{}]"#,
            &long,
            &deep,
        ] {
            assert_eq!(Frame::read(text), Frame::Other, "{}", text.get(..20).unwrap_or(text));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop_oneof![any::<String>(), r#"\["(EVENT|OK|AUTH|CLOSED)",("s"|7|\{\})(,(true|"x"|\{\}))?\]"#]) {
            let _ = Frame::read(&text);
        }
    }
}
