//! Lies about the states of coins (NUT-07).

use serde_json::{Value, json};

/// A point of the curve that is no proof.
pub(super) const NO_COIN: &str = crate::harness::NOBODY;

/// What is said of the coins that were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoinLie {
    /// All are in this state, whatever the word.
    All(&'static str),
    /// The last one is left out.
    Missing,
    /// The states of the first and the last change places, each with its coin.
    Reordered,
    /// The coins are others than those asked about.
    Others,
}

impl CoinLie {
    pub(super) fn tell(self, answer: &mut Value) {
        let Some(states) = answer.get_mut("states").and_then(Value::as_array_mut) else { return };
        match self {
            Self::All(word) => {
                states.iter_mut().for_each(|state| super::lie::put(state, "state", json!(word)))
            }
            Self::Missing => drop(states.pop()),
            Self::Reordered => states.reverse(),
            Self::Others => {
                states.iter_mut().for_each(|state| super::lie::put(state, "Y", json!(NO_COIN)))
            }
        }
    }
}
