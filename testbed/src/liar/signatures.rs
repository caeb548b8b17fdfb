//! Lies about signatures: those of a swap, of a claim, of a payment's change, and those given again
//! (NUT-09).

use serde_json::{Value, json};

use super::coins::NO_COIN;
use super::lie::put;

/// What is wrong with an answer's signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureLie {
    /// The first is a point that the mint did not make; its proof (NUT-12) stays.
    Point,
    /// The first one's proof (NUT-12) proves nothing.
    Proof,
    /// None has a proof (NUT-12).
    NoProof,
    /// The first is said to be of twice its amount.
    Amount,
    /// The first is said to be of this keyset.
    Keyset(String),
    /// The last is left out.
    Fewer,
    /// The first comes once more, at the end.
    More,
    /// They come in the reverse order.
    Reordered,
    /// The first comes in place of the last.
    Duplicate,
    /// There are none.
    None,
}

impl SignatureLie {
    pub(super) fn tell(&self, answer: &mut Value) {
        for name in ["signatures", "change"] {
            if let Some(signatures) = answer.get_mut(name).and_then(Value::as_array_mut) {
                self.spoil(signatures);
            }
        }
    }

    fn spoil(&self, signatures: &mut Vec<Value>) {
        let Some(first) = signatures.first().cloned() else { return };
        match self {
            Self::Fewer => drop(signatures.pop()),
            Self::More => signatures.push(first),
            Self::Reordered => signatures.reverse(),
            Self::None => signatures.clear(),
            Self::NoProof => signatures.iter_mut().for_each(|one| put(one, "dleq", Value::Null)),
            Self::Duplicate => {
                if let Some(last) = signatures.last_mut() {
                    *last = first;
                }
            }
            Self::Point | Self::Proof | Self::Amount | Self::Keyset(_) => {
                if let Some(place) = signatures.first_mut() {
                    self.spoil_one(place);
                }
            }
        }
    }

    fn spoil_one(&self, signature: &mut Value) {
        match self {
            Self::Point => put(signature, "C_", json!(NO_COIN)),
            Self::Proof => {
                if let Some(proof) = signature.get_mut("dleq") {
                    put(proof, "s", json!("01".repeat(32)));
                }
            }
            Self::Amount => {
                let honest = signature.get("amount").and_then(Value::as_u64).unwrap_or(1);
                put(signature, "amount", json!(honest.saturating_mul(2)));
            }
            Self::Keyset(id) => put(signature, "id", json!(id)),
            _ => {}
        }
    }
}

/// What is wrong with the answer to "what have you signed?" (NUT-09).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreLie {
    /// Nothing was signed.
    Empty,
    /// The last output and its signature are left out.
    Partial,
    /// The first output comes in place of the last, with its signature.
    Duplicate,
    /// The first output comes once more, at the end, with its signature.
    Again,
    /// An output that nobody asked about is among them.
    Foreign,
    /// Another order of outputs; their signatures go with them, so that it is still the truth.
    Reordered,
    /// Another order of signatures alone.
    Mixed,
    /// One signature fewer than outputs.
    FewerSignatures,
}

impl RestoreLie {
    pub(super) fn tell(self, answer: &mut Value) {
        let lists = ["outputs", "signatures"];
        for name in lists {
            let Some(list) = answer.get_mut(name).and_then(Value::as_array_mut) else { continue };
            let Some(first) = list.first().cloned() else { continue };
            match self {
                Self::Empty => list.clear(),
                Self::Partial => drop(list.pop()),
                Self::Duplicate => {
                    list.pop();
                    list.push(first);
                }
                Self::Again => list.push(first),
                Self::Foreign => {
                    list.push(first);
                    if let Some(last) = list.last_mut().filter(|_| name == "outputs") {
                        put(last, "B_", json!(NO_COIN));
                    }
                }
                Self::Reordered => list.reverse(),
                Self::Mixed if name == "signatures" => list.reverse(),
                Self::FewerSignatures if name == "signatures" => drop(list.pop()),
                Self::Mixed | Self::FewerSignatures => {}
            }
        }
    }
}
