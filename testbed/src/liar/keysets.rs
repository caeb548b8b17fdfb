//! Lies about keysets (NUT-02).

use serde_json::{Value, json};

use super::lie::put;

/// What is said of a mint's keysets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysetLie {
    /// All of them cost this to spend, in thousandths of a sat.
    Fee(u64),
    /// There are none.
    Gone,
    /// All of them are of this unit.
    Unit(&'static str),
    /// There is one more, active, for sats, without a fee.
    More(String),
    /// Two amounts of every keyset have changed keys, so that the id is not that of its keys.
    Keys,
}

impl KeysetLie {
    pub(super) fn tell(&self, path: &str, answer: &mut Value) {
        let listing = path == "/v1/keysets";
        if !listing && !path.starts_with("/v1/keys") {
            return;
        }
        let Some(keysets) = answer.get_mut("keysets").and_then(Value::as_array_mut) else { return };
        match self {
            Self::Fee(ppk) => {
                keysets.iter_mut().for_each(|one| put(one, "input_fee_ppk", json!(ppk)))
            }
            Self::Unit(unit) => keysets.iter_mut().for_each(|one| put(one, "unit", json!(unit))),
            Self::Gone if listing => keysets.clear(),
            Self::More(id) if listing => {
                keysets.push(json!({"id": id, "unit": "sat", "active": true, "input_fee_ppk": 0}))
            }
            Self::Keys if !listing => keysets.iter_mut().for_each(change_keys),
            Self::Gone | Self::More(_) | Self::Keys => {}
        }
    }
}

fn change_keys(keyset: &mut Value) {
    let Some(keys) = keyset.get_mut("keys").and_then(Value::as_object_mut) else { return };
    let (one, two) = (keys.get("1").cloned(), keys.get("2").cloned());
    if let (Some(one), Some(two)) = (one, two) {
        keys.insert("1".to_owned(), two);
        keys.insert("2".to_owned(), one);
    }
}

/// Another keyset id with the same derivation number (NUT-13): equal to `id` modulo 2^31 - 1,
/// version 0.
#[must_use]
pub fn collision(id: &str) -> Option<String> {
    const MODULUS: u64 = (1 << 31) - 1;
    let number = u64::from_str_radix(id.get(..16)?, 16).ok()? % MODULUS;
    Some(format!("00{:014x}", number + 7 * MODULUS))
}
