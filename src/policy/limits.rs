//! The owner's limits. 0 allows nothing, and there is no value for "unlimited".
//!
//! A limit is declared only here: as a field of [`Limits`], a row of [`LIMITS`] and a line of
//! [`Limits::try_zip`]. The settings, the commands and the text of a policy follow the table.

use std::convert::Infallible;

use crate::model::money::MAX_SATS;

/// 100.00 percent, in hundredths of a percent.
pub const WHOLE_HUNDREDTHS: u64 = 10_000;

/// One value per limit. With numbers, these are the wallet's limits over all agents together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits<T = u64> {
    /// The most that one payment may give its payee, in sats, without fees.
    pub per_payment_sats: T,
    /// The most that may be spent in a rolling day, in sats, including fees.
    pub per_day_sats: T,
    /// The highest fees of a payment, in hundredths of a percent of its amount.
    pub max_fee_hundredths: T,
    /// Fees that are allowed for any amount, in sats; the fee ceiling is never lower.
    pub max_fee_floor_sats: T,
}

/// Optional limits: one agent's own, or changes by the owner. `None` leaves a limit unchanged.
pub type SomeLimits = Limits<Option<u64>>;

/// The names and texts of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The key in the settings and in the text of a policy.
    pub key: &'static str,
    /// The command-line option, without dashes.
    pub option: &'static str,
    /// The help text on the command line.
    pub help: &'static str,
    /// The unit of the number.
    pub measure: Measure,
}

/// The unit of a limit's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Sats.
    Sats,
    /// Hundredths of a percent; people read and write percent.
    Percent,
}

/// The table of limits.
pub const LIMITS: Limits<Limit> = Limits {
    per_payment_sats: Limit {
        key: "per_payment_sats",
        option: "per-payment",
        help: "Maximum sats per payment",
        measure: Measure::Sats,
    },
    per_day_sats: Limit {
        key: "per_day_sats",
        option: "per-day",
        help: "Maximum sats in a rolling 24 hours, including fees, over all agents",
        measure: Measure::Sats,
    },
    max_fee_hundredths: Limit {
        key: "max_fee_percent",
        option: "max-fee-percent",
        help: "Maximum fees, in percent of the amount",
        measure: Measure::Percent,
    },
    max_fee_floor_sats: Limit {
        key: "max_fee_floor_sats",
        option: "max-fee-floor",
        help: "Fees that are always allowed, in sats",
        measure: Measure::Sats,
    },
};

impl Measure {
    /// Formats a number for people.
    pub fn text(self, number: u64) -> String {
        match self {
            Self::Sats => number.to_string(),
            Self::Percent => format!("{}.{:02}", number / 100, number % 100),
        }
    }
}

impl<T> Limits<T> {
    /// Combines two sets of limits with `of`, in the order of the fields.
    ///
    /// # Errors
    /// The first error of `of`.
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

    /// Combines two sets of limits with `of`, as [`Self::try_zip`] does, without errors.
    pub fn zip<U, V>(self, other: Limits<U>, mut of: impl FnMut(T, U) -> V) -> Limits<V> {
        let Ok(both) = self.try_zip(other, |one, other| Ok::<_, Infallible>(of(one, other)));
        both
    }

    /// Pairs each value with its row of the table, in the order of the fields.
    pub fn each(self) -> Vec<(Limit, T)> {
        let mut each = Vec::new();
        LIMITS.zip(self, |limit, value| each.push((limit, value)));
        each
    }
}

impl Limits {
    /// Returns the fee ceiling for `amount_sats`, in sats: the percentage, rounded down, but at
    /// least the floor.
    pub fn max_fee_sats(&self, amount_sats: u64) -> u64 {
        let exact = u128::from(amount_sats) * u128::from(self.max_fee_hundredths)
            / u128::from(WHOLE_HUNDREDTHS);
        u64::try_from(exact).unwrap_or(u64::MAX).min(MAX_SATS).max(self.max_fee_floor_sats)
    }

    /// Returns the stricter of the two values for each limit.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        self.zip(*other, u64::min)
    }

    /// Returns these limits narrowed by an agent's own, which never raise them.
    #[must_use]
    pub fn narrowed(&self, own: &SomeLimits) -> Self {
        self.zip(*own, |wallet, own| own.map_or(wallet, |own| own.min(wallet)))
    }
}

impl SomeLimits {
    /// Returns the stricter of the two values for each limit; `None` does not limit.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        self.zip(*other, least)
    }
}

/// The smaller of two bounds, where `None` is no bound.
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
