//! Ids that show their kind: `pay_`, `dep_` or `rcv_`, and twenty random characters.
//!
//! Random, so that one id reveals nothing about another; never a counter, never derived from money
//! or time.

use std::fmt;
use std::str::FromStr;

use rand::Rng;
use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LENGTH: usize = 20;

/// Error for a text that is not an id of the requested kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

fn random(prefix: &str) -> String {
    let mut rng = rand::rng();
    let mut id = String::with_capacity(prefix.len() + LENGTH);
    id.push_str(prefix);
    for _ in 0..LENGTH {
        let at = rng.random_range(0..ALPHABET.len());
        id.push(ALPHABET.get(at).map_or('a', |byte| char::from(*byte)));
    }
    id
}

fn parse(prefix: &str, text: &str) -> Result<String, NotAnId> {
    let rest = text.strip_prefix(prefix).ok_or(NotAnId)?;
    let fits = rest.len() == LENGTH && rest.bytes().all(|byte| ALPHABET.contains(&byte));
    if fits { Ok(text.to_owned()) } else { Err(NotAnId) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The prefix of every id of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// Creates a random id.
            pub fn random() -> Self {
                Self(random(Self::PREFIX))
            }

            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(Self::PREFIX, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// Id of a payment: a paid invoice, a sent token or a zap.
    PaymentId,
    "pay_"
);
id!(
    /// Id of a deposit.
    DepositId,
    "dep_"
);
id!(
    /// Id of a received token.
    ReceiveId,
    "rcv_"
);

impl PaymentId {
    /// Derives an id from a digest in hex: the same digest gives the same id.
    pub fn derived(digest: &str) -> Self {
        let bytes = hex::decode(digest).unwrap_or_default().into_iter().take(LENGTH);
        let letter = |byte| ALPHABET.get(usize::from(byte % 32)).map(|byte| char::from(*byte));
        Self(format!("{}{}", Self::PREFIX, bytes.filter_map(letter).collect::<String>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_kind_is_refused() {
        let id = PaymentId::random();
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.as_str().parse::<DepositId>(), Err(NotAnId));
        assert_eq!("pay_short".parse::<PaymentId>(), Err(NotAnId));
        assert_ne!(PaymentId::random(), PaymentId::random());
    }
}
