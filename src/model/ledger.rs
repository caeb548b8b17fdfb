//! What the limits are judged by: a fold over payments, never a counter kept beside them.

use super::id::PaymentId;
use super::payment::{Payment, PaymentState};

/// A rolling day, in seconds.
pub const DAY_SECONDS: u64 = 86_400;

/// How long an equal payment looks like a repeat, in seconds.
pub const REPEAT_SECONDS: u64 = 600;

/// A payment that an equal new one might repeat by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    /// Its name.
    pub id: PaymentId,
    /// Its state, in the words of the tools.
    pub state: &'static str,
    /// Seconds since its money left or was held back.
    pub age_seconds: u64,
    /// Its caller may not know what became of it: only a person may excuse a repeat.
    pub caller_in_doubt: bool,
}

/// What has left and what may be leaving, all agents together, over the rolling day that ends now. Sats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Settled within the day, fees included.
    pub spent_sats: u64,
    /// Held back for open payments, however old.
    pub reserved_sats: u64,
    /// When the oldest settled outflow in the window leaves it, and how much, oldest first: (Unix seconds, sats).
    pub frees: Vec<(u64, u64)>,
    /// Payments to the same payee of the same amount, newest first. Filled for the payment at hand.
    pub lookalikes: Vec<Lookalike>,
    /// The day's limit counts as used up until then, in Unix seconds: the file was older than its mints, and what was spent is not known.
    pub full_until: Option<u64>,
}

impl Ledger {
    /// Takes one payment into account. A payment dated in the future (a clock set back) counts, so that no clock frees a limit.
    pub fn take(&mut self, payment: &Payment, now: u64) {
        let Some((at, sats)) = payment.outflow() else { return };
        if payment.is_open() {
            self.reserved_sats = self.reserved_sats.saturating_add(sats);
        } else if at.saturating_add(DAY_SECONDS) > now {
            self.spent_sats = self.spent_sats.saturating_add(sats);
            let leaves = at.saturating_add(DAY_SECONDS);
            let place = self.frees.partition_point(|(when, _)| *when <= leaves);
            self.frees.insert(place, (leaves, sats));
        }
    }

    /// Sats of `limit` that are left.
    pub fn left_sats(&self, limit: u64) -> u64 {
        if self.full_until.is_some() { 0 } else { limit.saturating_sub(self.used_sats()) }
    }

    /// Spent and held back together.
    pub fn used_sats(&self) -> u64 {
        self.spent_sats.saturating_add(self.reserved_sats)
    }

    /// Seconds until `sats` more would fit under `limit`, by settled payments leaving the window alone. `None`: never by waiting.
    pub fn fits_in(&self, sats: u64, limit: u64, now: u64) -> Option<u64> {
        let mut used = self.used_sats();
        let full_for = self.full_until.map_or(0, |until| until.saturating_sub(now));
        if used.saturating_add(sats) <= limit {
            return Some(full_for);
        }
        for (when, freed) in &self.frees {
            used = used.saturating_sub(*freed);
            if used.saturating_add(sats) <= limit {
                return Some(when.saturating_sub(now).max(full_for));
            }
        }
        None
    }
}

/// A payment's state in the words of the tools.
pub fn state_word(state: &PaymentState) -> &'static str {
    match state {
        PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => "pending",
        PaymentState::Settled { .. } => "settled",
        PaymentState::Failed { .. } => "failed",
        PaymentState::Returned { .. } => "returned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_frees_when_the_oldest_payments_leave_the_window() {
        let ledger = Ledger { spent_sats: 90, frees: vec![(100, 40), (200, 50)], ..Ledger::default() };
        assert_eq!(ledger.fits_in(10, 100, 50), Some(0));
        assert_eq!(ledger.fits_in(50, 100, 50), Some(50));
        assert_eq!(ledger.fits_in(60, 100, 50), Some(150));
        assert_eq!(ledger.fits_in(101, 100, 50), None);
    }

    #[test]
    fn a_full_window_leaves_nothing_until_it_has_passed() {
        let ledger = Ledger { spent_sats: 40, frees: vec![(100, 40)], full_until: Some(150), ..Ledger::default() };
        assert_eq!(ledger.left_sats(100), 0);
        assert_eq!((ledger.fits_in(10, 100, 50), ledger.fits_in(100, 100, 50), ledger.fits_in(101, 100, 50)), (Some(100), Some(100), None));
        assert_eq!(Ledger { full_until: None, ..ledger }.left_sats(100), 60);
    }
}
