//! What can be lied about.

use serde_json::{Value, json};

use super::coins::CoinLie;
use super::keysets::KeysetLie;
use super::signatures::{RestoreLie, SignatureLie};

/// Something that is not so. A `path` is the beginning of the request's path; `/v1/melt` also
/// begins `/v1/melt/quote/bolt11`.
#[derive(Debug, Clone)]
pub enum Lie {
    /// A field of an answer has this value; null takes the field out. Refusals stay as they are.
    Field {
        /// Whose answers.
        path: &'static str,
        /// The field's name.
        field: &'static str,
        /// What it says.
        value: Value,
    },
    /// The state of a quote: one word after the other, the last one for good.
    States {
        /// Whose answers.
        path: &'static str,
        /// The words, last first.
        words: Vec<&'static str>,
    },
    /// A payment's fee reserve, so many times as high.
    FeeReserveTimes(u64),
    /// The states of coins (NUT-07).
    Coins(CoinLie),
    /// Signatures, in `signatures` and in `change`.
    Signatures {
        /// Whose answers.
        path: &'static str,
        /// What is wrong with them.
        lie: SignatureLie,
    },
    /// What the mint has signed already (NUT-09).
    Restored(RestoreLie),
    /// Its keysets (NUT-02).
    Keysets(KeysetLie),
    /// The words of every refusal.
    Detail(String),
}

impl Lie {
    /// The field `field` of every answer on `path` says `value`.
    #[must_use]
    pub fn field(path: &'static str, field: &'static str, value: impl Into<Value>) -> Self {
        Self::Field { path, field, value: value.into() }
    }

    /// A quote's state, as it goes on.
    #[must_use]
    pub fn states(path: &'static str, words: &[&'static str]) -> Self {
        Self::States { path, words: words.iter().rev().copied().collect() }
    }

    /// The signatures of every answer on `path`.
    #[must_use]
    pub fn signatures(path: &'static str, lie: SignatureLie) -> Self {
        Self::Signatures { path, lie }
    }

    /// Changes `answer`, if it is one that this lie is about.
    pub(super) fn tell(&mut self, path: &str, answer: &mut Value) {
        let refused = answer.get("detail").is_some();
        match self {
            Self::Detail(words) if refused => put(answer, "detail", json!(words)),
            _ if refused => {}
            Self::Field { path: of, field, value } if path.starts_with(*of) => {
                put(answer, field, value.clone())
            }
            Self::States { path: of, words }
                if path.starts_with(*of) && answer.get("state").is_some() =>
            {
                let word = if words.len() > 1 { words.pop() } else { words.last().copied() };
                put(answer, "state", json!(word));
            }
            Self::FeeReserveTimes(times) if path.starts_with("/v1/melt/quote") => {
                let honest = answer.get("fee_reserve").and_then(Value::as_u64).unwrap_or(0);
                put(answer, "fee_reserve", json!(honest.saturating_mul(*times)));
            }
            Self::Coins(lie) if path == "/v1/checkstate" => lie.tell(answer),
            Self::Signatures { path: of, lie } if path.starts_with(*of) => lie.tell(answer),
            Self::Restored(lie) if path == "/v1/restore" => lie.tell(answer),
            Self::Keysets(lie) => lie.tell(path, answer),
            _ => {}
        }
    }
}

/// Sets a field of an object; null takes it out.
pub(super) fn put(answer: &mut Value, field: &str, value: Value) {
    let Some(fields) = answer.as_object_mut() else { return };
    if value.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), value);
    }
}
