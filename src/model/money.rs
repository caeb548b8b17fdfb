//! Units of money, the largest amount, and rounding of parts of a sat. Never adds anything: amounts
//! are whole sats.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Maximum amount, in sats: all the bitcoin there will ever be.
pub const MAX_SATS: u64 = 2_100_000_000_000_000;

/// A valid amount of sats: at least 1, at most [`MAX_SATS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sats(u64);

impl Sats {
    /// Checks a number of sats. `None` if it is 0 or above [`MAX_SATS`].
    pub fn new(sats: u64) -> Option<Self> {
        (1..=MAX_SATS).contains(&sats).then_some(Self(sats))
    }

    /// Returns the number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// A currency unit as NUT-01 names it: `sat`, `usd`, ... Lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(String);

impl Unit {
    /// Returns the unit that every tool uses.
    pub fn sat() -> Self {
        Self("sat".to_owned())
    }

    /// Creates a unit from a mint's spelling.
    pub fn new(name: &str) -> Self {
        Self(name.to_lowercase())
    }

    /// Returns the unit's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the sats owed for `msat` thousandths, rounded up so that the payee receives all of it.
pub fn sats_owed(msat: u64) -> u64 {
    msat.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_rounds_up() {
        assert_eq!([sats_owed(0), sats_owed(1), sats_owed(1000), sats_owed(1001)], [0, 1, 1, 2]);
    }
}
