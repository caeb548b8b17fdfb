//! A relay's information document (NIP-11), served over HTTP at its own address.
//!
//! The content is the relay's own claim. A missing or malformed field means no limit.

use serde_json::Value;

/// The media type of the document.
pub const TYPE: &str = "application/nostr+json";

/// Maximum number of retention rules that are read.
const MAX_RULES: usize = 100;

/// The document. Sizes are in bytes, ages in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayInfo {
    /// The supported NIPs.
    pub nips: Vec<u64>,
    /// The relay requires authentication (NIP-42).
    pub auth_required: bool,
    /// The relay requires payment.
    pub payment_required: bool,
    /// The relay accepts events from some authors only.
    pub restricted_writes: bool,
    /// The proof of work that an event needs (NIP-13), in bits.
    pub proof_of_work: u64,
    /// Maximum length of a message.
    pub max_message: Option<u64>,
    /// Maximum length of an event's content, in characters.
    pub max_content: Option<u64>,
    /// Maximum number of tags of an event.
    pub max_tags: Option<u64>,
    /// Maximum number of subscriptions of a connection.
    pub max_subscriptions: Option<u64>,
    /// The age from which an event is refused.
    pub max_age: Option<u64>,
    retention: Vec<Retention>,
}

/// A retention rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Retention {
    /// Ranges of kinds, first and last. An empty list covers the kinds without another rule.
    kinds: Vec<(u64, u64)>,
    kept: RetentionLimit,
}

/// The retention of one kind. Without either field the relay states no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionLimit {
    /// How long an event is kept, in seconds; 0 means that it is not kept.
    pub seconds: Option<u64>,
    /// The number of events kept, per author or in total, depending on the relay.
    pub count: Option<u64>,
}

/// Parses the document. `None` if it is not a JSON object.
pub fn read(body: &[u8]) -> Option<RelayInfo> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let document = document.as_object()?;
    let limits = document.get("limitation");
    let number = |name: &str| limits?.get(name)?.as_u64();
    let says = |name: &str| {
        limits.and_then(|limits| limits.get(name)).and_then(Value::as_bool).unwrap_or(false)
    };
    let list = |name: &str| document.get(name).and_then(Value::as_array).into_iter().flatten();
    Some(RelayInfo {
        nips: list("supported_nips").filter_map(Value::as_u64).collect(),
        auth_required: says("auth_required"),
        payment_required: says("payment_required"),
        restricted_writes: says("restricted_writes"),
        proof_of_work: number("min_pow_difficulty").unwrap_or(0),
        max_message: number("max_message_length"),
        max_content: number("max_content_length"),
        max_tags: number("max_event_tags"),
        max_subscriptions: number("max_subscriptions"),
        max_age: number("created_at_lower_limit"),
        retention: list("retention").take(MAX_RULES).map(retention).collect(),
    })
}

fn retention(rule: &Value) -> Retention {
    let stretch = |kind: &Value| match kind {
        Value::Array(ends) => {
            ends.first().and_then(Value::as_u64).zip(ends.get(1).and_then(Value::as_u64))
        }
        one => one.as_u64().map(|one| (one, one)),
    };
    let kinds = rule
        .get("kinds")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(stretch)
        .collect();
    let number = |name: &str| rule.get(name).and_then(Value::as_u64);
    Retention { kinds, kept: RetentionLimit { seconds: number("time"), count: number("count") } }
}

impl RelayInfo {
    /// Returns the retention of a kind: the first rule that names it, else the rule for all others.
    pub fn retention_of(&self, kind: u16) -> RetentionLimit {
        let kind = u64::from(kind);
        let names = |rule: &&Retention| {
            rule.kinds.iter().any(|(first, last)| (*first..=*last).contains(&kind))
        };
        let rule = self
            .retention
            .iter()
            .find(names)
            .or_else(|| self.retention.iter().find(|rule| rule.kinds.is_empty()));
        rule.map(|rule| rule.kept).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_relay_says_is_read_and_what_it_leaves_out_is_no_limit() {
        let document = json!({
            "name": "a relay", "supported_nips": [1, 11, 77, "x"],
            "limitation": {"auth_required": true, "max_message_length": 16_384, "max_subscriptions": 1, "min_pow_difficulty": 20,
                "created_at_lower_limit": 3_600, "max_event_tags": "many", "payment_required": null},
            "retention": [{"kinds": [0, [5, 7], [40, 49]], "time": 3_600}, {"kinds": [[7000, 8000]], "time": null}, {"time": 60, "count": 9}]
        });
        let info = read(document.to_string().as_bytes()).unwrap();
        assert_eq!(
            (info.nips.as_slice(), info.auth_required, info.payment_required),
            ([1, 11, 77].as_slice(), true, false)
        );
        assert_eq!(
            (info.max_message, info.max_tags, info.max_subscriptions, info.proof_of_work),
            (Some(16_384), None, Some(1), 20)
        );
        assert_eq!(info.max_age, Some(3_600));
        assert_eq!(info.retention_of(5), RetentionLimit { seconds: Some(3_600), count: None });
        assert_eq!(info.retention_of(7375), RetentionLimit::default());
        assert_eq!(info.retention_of(10_019), RetentionLimit { seconds: Some(60), count: Some(9) });
        assert_eq!(read(b"{}").map(|info| info.retention_of(5)), Some(RetentionLimit::default()));
        for other in [&b""[..], b"[]", b"<html>", b"\xff"] {
            assert_eq!(read(other), None);
        }
    }
}
