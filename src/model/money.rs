//! Money: a value and its unit, as one thing.
//!
//! Never adds two units, never wraps, never rounds by itself. Tools speak whole sats; inside, what
//! a mint holds can be of any unit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most sats one amount may name: all the bitcoin there will ever be.
pub const MAX_SATS: u64 = 2_100_000_000_000_000;

/// A currency unit in the words of NUT-01: `sat`, `usd`, ... Lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(String);

impl Unit {
    /// The unit that every tool speaks.
    pub fn sat() -> Self {
        Self("sat".to_owned())
    }

    /// A unit as a mint writes it.
    pub fn new(name: &str) -> Self {
        Self(name.to_lowercase())
    }

    /// The unit's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why two amounts could not be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The two amounts are of different units.
    #[error("the amounts are of different units")]
    Unit,
    /// The result does not fit, or would be below zero.
    #[error("the amount is out of range")]
    Range,
}

/// An amount of one unit. Checked arithmetic only; no operators, no default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    value: u64,
    unit: Unit,
}

impl Money {
    /// `value` of `unit`, in the unit's smallest whole step.
    pub fn new(value: u64, unit: Unit) -> Self {
        Self { value, unit }
    }

    /// `value` sats.
    pub fn sats(value: u64) -> Self {
        Self::new(value, Unit::sat())
    }

    /// The number alone, for display and for the wire.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// The unit.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::Unit`] across units, [`MoneyError::Range`] on overflow.
    pub fn checked_add(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_unit(other)?;
        let value = self.value.checked_add(other.value).ok_or(MoneyError::Range)?;
        Ok(Self::new(value, self.unit.clone()))
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::Unit`] across units, [`MoneyError::Range`] below zero.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_unit(other)?;
        let value = self.value.checked_sub(other.value).ok_or(MoneyError::Range)?;
        Ok(Self::new(value, self.unit.clone()))
    }

    fn same_unit(&self, other: &Self) -> Result<(), MoneyError> {
        if self.unit == other.unit { Ok(()) } else { Err(MoneyError::Unit) }
    }
}

/// Sats owed for `msat` thousandths: rounded up, because a payee must get all of it.
pub fn sats_owed(msat: u64) -> u64 {
    msat.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_never_add_up() {
        let usd = Money::new(1, Unit::new("USD"));
        assert_eq!(Money::sats(1).checked_add(&usd), Err(MoneyError::Unit));
    }

    #[test]
    fn nothing_wraps() {
        assert_eq!(Money::sats(u64::MAX).checked_add(&Money::sats(1)), Err(MoneyError::Range));
        assert_eq!(Money::sats(0).checked_sub(&Money::sats(1)), Err(MoneyError::Range));
        assert_eq!(Money::sats(3).checked_sub(&Money::sats(1)), Ok(Money::sats(2)));
    }

    #[test]
    fn what_is_owed_rounds_up() {
        assert_eq!([sats_owed(0), sats_owed(1), sats_owed(1000), sats_owed(1001)], [0, 1, 1, 2]);
    }
}
