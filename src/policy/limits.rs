//! The numbers a person sets. 0 allows nothing, and no value means "unlimited".

use crate::model::money::MAX_SATS;

/// 100.00 percent, in hundredths of a percent.
pub const WHOLE_HUNDREDTHS: u32 = 10_000;

/// The wallet's limits, over all agents together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most one payment may give its payee, in sats. Fees have their own ceiling.
    pub per_payment_sats: u64,
    /// The most that may leave in a rolling day, in sats, fees included.
    pub per_day_sats: u64,
    /// The most a payment's fees may be, in hundredths of a percent of its amount.
    pub max_fee_hundredths: u32,
    /// What fees may be at any amount, in sats: the ceiling never falls below it.
    pub max_fee_floor_sats: u64,
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
        Self {
            per_payment_sats: self.per_payment_sats.min(other.per_payment_sats),
            per_day_sats: self.per_day_sats.min(other.per_day_sats),
            max_fee_hundredths: self.max_fee_hundredths.min(other.max_fee_hundredths),
            max_fee_floor_sats: self.max_fee_floor_sats.min(other.max_fee_floor_sats),
        }
    }

    /// These limits where an agent's own are stricter, the agent's. An agent's own value never
    /// raises the wallet's.
    #[must_use]
    pub fn narrowed(&self, own: &OwnLimits) -> Self {
        Self {
            per_payment_sats: self.per_payment_sats.min(own.per_payment_sats.unwrap_or(u64::MAX)),
            per_day_sats: self.per_day_sats.min(own.per_day_sats.unwrap_or(u64::MAX)),
            max_fee_hundredths: self
                .max_fee_hundredths
                .min(own.max_fee_hundredths.unwrap_or(u32::MAX)),
            max_fee_floor_sats: self
                .max_fee_floor_sats
                .min(own.max_fee_floor_sats.unwrap_or(u64::MAX)),
        }
    }
}

/// What one agent may do less than the wallet. `None`: as the wallet. Units as in [`Limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnLimits {
    /// Sats to a payee in one payment.
    pub per_payment_sats: Option<u64>,
    /// The most that this agent may spend in a rolling day, in sats, fees included.
    pub per_day_sats: Option<u64>,
    /// Hundredths of a percent.
    pub max_fee_hundredths: Option<u32>,
    /// Sats.
    pub max_fee_floor_sats: Option<u64>,
}

impl OwnLimits {
    /// Per value the stricter of the two; a value that one of them leaves open is the other's.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        Self {
            per_payment_sats: least(self.per_payment_sats, other.per_payment_sats),
            per_day_sats: least(self.per_day_sats, other.per_day_sats),
            max_fee_hundredths: least(self.max_fee_hundredths, other.max_fee_hundredths),
            max_fee_floor_sats: least(self.max_fee_floor_sats, other.max_fee_floor_sats),
        }
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
        let own =
            OwnLimits { per_payment_sats: Some(99), per_day_sats: Some(7), ..OwnLimits::default() };
        assert_eq!(wallet.narrowed(&own), Limits { per_day_sats: 7, ..wallet });
    }
}
