//! The numbers a person sets. 0 allows nothing, and no value means "unlimited".
//!
//! A limit is declared here alone: as a field of [`Limits`], as a row of [`LIMITS`] and as a line of
//! [`Limits::try_zip`]. The settings, the commands and the text of a policy follow the table.

use std::convert::Infallible;

use crate::model::money::MAX_SATS;

/// 100.00 percent, in hundredths of a percent.
pub const WHOLE_HUNDREDTHS: u64 = 10_000;

/// One value for each limit. With numbers they are the wallet's limits, over all agents together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits<T = u64> {
    /// The most one payment may give its payee, in sats. Fees have their own ceiling.
    pub per_payment_sats: T,
    /// The most that may leave in a rolling day, in sats, fees included.
    pub per_day_sats: T,
    /// The most a payment's fees may be, in hundredths of a percent of its amount.
    pub max_fee_hundredths: T,
    /// What fees may be at any amount, in sats: the ceiling never falls below it.
    pub max_fee_floor_sats: T,
}

/// Some of the limits: those in which one agent may do less than the wallet, or those that a person
/// sets anew. `None` leaves one as it is.
pub type SomeLimits = Limits<Option<u64>>;

/// How a person meets a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its key in the settings and in the text of a policy.
    pub key: &'static str,
    /// Its option on the command line, without the dashes.
    pub option: &'static str,
    /// What the help of the command line says of it.
    pub help: &'static str,
    /// What its number counts.
    pub measure: Measure,
}

/// What the number of a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Sats.
    Sats,
    /// Hundredths of a percent. A person reads and writes percent.
    Percent,
}

/// The table of limits.
pub const LIMITS: Limits<Limit> = Limits {
    per_payment_sats: Limit {
        key: "per_payment_sats",
        option: "per-payment",
        help: "Most sats in one payment",
        measure: Measure::Sats,
    },
    per_day_sats: Limit {
        key: "per_day_sats",
        option: "per-day",
        help: "Most sats in a rolling 24 hours, fees included, over all agents",
        measure: Measure::Sats,
    },
    max_fee_hundredths: Limit {
        key: "max_fee_percent",
        option: "max-fee-percent",
        help: "Highest fees, in percent of the amount",
        measure: Measure::Percent,
    },
    max_fee_floor_sats: Limit {
        key: "max_fee_floor_sats",
        option: "max-fee-floor",
        help: "Fees that are always accepted, in sats",
        measure: Measure::Sats,
    },
};

impl Measure {
    /// A number of it, as a person reads it.
    pub fn text(self, number: u64) -> String {
        match self {
            Self::Sats => number.to_string(),
            Self::Percent => format!("{}.{:02}", number / 100, number % 100),
        }
    }
}

impl<T> Limits<T> {
    /// Limit by limit, in the order of the fields, what `of` makes of the value here and the one in
    /// `other`.
    ///
    /// # Errors
    /// The first one of `of`.
    pub fn try_zip<U, V, E>(
        self,
        other: Limits<U>,
        mut of: impl FnMut(T, U) -> Result<V, E>,
    ) -> Result<Limits<V>, E> {
        Ok(Limits {
            per_payment_sats: of(self.per_payment_sats, other.per_payment_sats)?,
            per_day_sats: of(self.per_day_sats, other.per_day_sats)?,
            max_fee_hundredths: of(self.max_fee_hundredths, other.max_fee_hundredths)?,
            max_fee_floor_sats: of(self.max_fee_floor_sats, other.max_fee_floor_sats)?,
        })
    }

    /// As [`Self::try_zip`], where nothing can fail.
    pub fn zip<U, V>(self, other: Limits<U>, mut of: impl FnMut(T, U) -> V) -> Limits<V> {
        let Ok(both) = self.try_zip(other, |one, other| Ok::<_, Infallible>(of(one, other)));
        both
    }

    /// Each value with its row of the table, in the order of the fields.
    pub fn each(self) -> Vec<(Limit, T)> {
        let mut each = Vec::new();
        LIMITS.zip(self, |limit, value| each.push((limit, value)));
        each
    }
}

impl Limits {
    /// The most that may be paid in fees for `amount_sats`: the percentage, rounded down, and never
    /// below the floor. Sats.
    pub fn max_fee_sats(&self, amount_sats: u64) -> u64 {
        let exact = u128::from(amount_sats) * u128::from(self.max_fee_hundredths)
            / u128::from(WHOLE_HUNDREDTHS);
        u64::try_from(exact).unwrap_or(u64::MAX).min(MAX_SATS).max(self.max_fee_floor_sats)
    }

    /// Per value the stricter of the two.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        self.zip(*other, u64::min)
    }

    /// These limits where an agent's own are stricter, the agent's. An agent's own value never
    /// raises the wallet's.
    #[must_use]
    pub fn narrowed(&self, own: &SomeLimits) -> Self {
        self.zip(*own, |wallet, own| own.map_or(wallet, |own| own.min(wallet)))
    }
}

impl SomeLimits {
    /// Per value the stricter of the two; a value that one of them leaves open is the other's.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        self.zip(*other, least)
    }
}

/// The lesser of two bounds, where `None` is no bound.
pub(super) fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_ceiling_is_a_share_and_never_below_the_floor() {
        let limits = Limits {
            per_payment_sats: 1,
            per_day_sats: 1,
            max_fee_hundredths: 250,
            max_fee_floor_sats: 5,
        };
        for (amount, most) in
            [(0, 5), (1, 5), (200, 5), (239, 5), (240, 6), (1_000, 25), (u64::MAX, MAX_SATS)]
        {
            assert_eq!(limits.max_fee_sats(amount), most, "{amount}");
        }
        let none = Limits { max_fee_hundredths: 0, max_fee_floor_sats: 0, ..limits };
        assert_eq!(none.max_fee_sats(u64::MAX), 0);
    }

    #[test]
    fn an_agents_own_limit_only_narrows() {
        let wallet = Limits {
            per_payment_sats: 10,
            per_day_sats: 20,
            max_fee_hundredths: 200,
            max_fee_floor_sats: 5,
        };
        let own = SomeLimits {
            per_payment_sats: Some(99),
            per_day_sats: Some(7),
            ..SomeLimits::default()
        };
        assert_eq!(wallet.narrowed(&own), Limits { per_day_sats: 7, ..wallet });
    }
}
