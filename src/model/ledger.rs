//! The ledger that limits are checked against: computed from the payments, never counted
//! separately.

use super::history_line::EntryState;
use super::id::PaymentId;

/// A rolling day, in seconds.
pub const DAY_SECONDS: u64 = 86_400;

/// Seconds for which an equal payment looks like a repeat.
pub const REPEAT_SECONDS: u64 = 600;

/// Seconds that a time may be ahead of the clock before the clock counts as wrong, then or now.
const AHEAD_SECONDS: u64 = 300;

/// Returns whether `at` is ahead of the clock: the clock was ahead then, or is behind now.
fn is_ahead(at: u64, now: u64) -> bool {
    at > now.saturating_add(AHEAD_SECONDS)
}

/// A change to remember of a time that is or was ahead of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// The time is ahead of the clock, first seen at this moment, in Unix seconds.
    Since(u64),
    /// The time is no longer ahead of the clock.
    NoMore,
    /// The time was ahead of the clock for a day: it no longer counts, even once the clock reaches
    /// it.
    ForADay,
}

impl Ahead {
    /// Returns the change to remember, `None` if there is none. `seen_ahead` is as in [`leaves`].
    pub fn of(at: u64, seen_ahead: Option<u64>, now: u64) -> Option<Self> {
        match seen_ahead {
            None if is_ahead(at, now) => Some(Self::Since(now)),
            Some(_) if !is_ahead(at, now) => Some(Self::NoMore),
            Some(_) if leaves(at, seen_ahead, now) <= now => Some(Self::ForADay),
            _ => None,
        }
    }
}

/// Returns when an outflow at `at` leaves the rolling day, in Unix seconds. While `at` is ahead of
/// the clock, its day starts when that was first seen (`seen_ahead`), so that a clock that was once
/// ahead fills no limit for longer than a day. Once the clock is past `at`, its day starts at `at`,
/// so that a clock that goes back and ahead again frees nothing early.
pub fn leaves(at: u64, seen_ahead: Option<u64>, now: u64) -> u64 {
    let from = if is_ahead(at, now) { seen_ahead.unwrap_or(now) } else { at };
    from.saturating_add(DAY_SECONDS)
}

/// A payment that an equal new one might repeat by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    /// The payment's id.
    pub id: PaymentId,
    /// The state.
    pub state: EntryState,
    /// Seconds since its money left or was held back.
    pub age_seconds: u64,
    /// `true` if its caller may not know the outcome: only a person may allow a repeat.
    pub outcome_undelivered: bool,
}

/// Outflows of the rolling day that ends now, in sats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Sats that settled within the day, fees included.
    pub spent_sats: u64,
    /// Sats held back for open payments, however old.
    pub reserved_sats: u64,
    /// The time at which each settled outflow leaves the window, with its amount, oldest first:
    /// (Unix seconds, sats).
    pub frees: Vec<(u64, u64)>,
}

/// The rolling day of the whole wallet and of one agent, and the payments that an equal one may
/// repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Outflows of all agents, for the owner's limits.
    pub all: Day,
    /// Outflows of the one agent, for its own limits.
    pub own: Day,
    /// Payments of the same amount to the same payee as a given one, newest first.
    pub lookalikes: Vec<Lookalike>,
    /// Unix seconds until which the day's limit counts as used up: the file was older than its
    /// mints, and the spending is unknown.
    pub full_until: Option<u64>,
}

impl Ledger {
    /// Adds an open payment, whose sats are held back. `own`: it is the agent's.
    pub fn hold(&mut self, sats: u64, own: bool) {
        for day in self.days(own) {
            day.reserved_sats = day.reserved_sats.saturating_add(sats);
        }
    }

    /// Adds sats that left at `at`, in Unix seconds. `own` is as in [`Ledger::hold`], `seen_ahead`
    /// as in [`leaves`].
    pub fn spend(&mut self, (at, sats): (u64, u64), own: bool, seen_ahead: Option<u64>, now: u64) {
        let leaves = leaves(at, seen_ahead, now);
        for day in self.days(own).filter(|_| leaves > now) {
            day.spent_sats = day.spent_sats.saturating_add(sats);
            let place = day.frees.partition_point(|(when, _)| *when <= leaves);
            day.frees.insert(place, (leaves, sats));
        }
    }

    fn days(&mut self, own: bool) -> impl Iterator<Item = &mut Day> {
        [Some(&mut self.all), own.then_some(&mut self.own)].into_iter().flatten()
    }
}

impl Day {
    /// Returns the sats of `limit` that are left.
    pub fn left_sats(&self, limit: u64) -> u64 {
        limit.saturating_sub(self.used_sats())
    }

    /// Returns the sats spent and held back.
    pub fn used_sats(&self) -> u64 {
        self.spent_sats.saturating_add(self.reserved_sats)
    }

    /// Returns the seconds until `sats` more fit under `limit`, as settled payments leave the
    /// window. `None` if waiting does not help.
    pub fn fits_in(&self, sats: u64, limit: u64, now: u64) -> Option<u64> {
        let mut used = self.used_sats();
        if used.saturating_add(sats) <= limit {
            return Some(0);
        }
        for (when, freed) in &self.frees {
            used = used.saturating_sub(*freed);
            if used.saturating_add(sats) <= limit {
                return Some(when.saturating_sub(now));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_frees_when_the_oldest_payments_leave_the_window() {
        let day = Day { spent_sats: 90, frees: vec![(100, 40), (200, 50)], ..Day::default() };
        assert_eq!(day.fits_in(10, 100, 50), Some(0));
        assert_eq!(day.fits_in(50, 100, 50), Some(50));
        assert_eq!(day.fits_in(60, 100, 50), Some(150));
        assert_eq!(day.fits_in(101, 100, 50), None);
    }

    #[test]
    fn what_lies_ahead_of_the_clock_counts_from_when_that_was_seen_and_else_from_its_own_time() {
        let (at, year) = (1_000_000, 365 * DAY_SECONDS);
        for (seen, now, from) in [
            (None, at, at),
            (None, at - AHEAD_SECONDS, at),
            (None, at - AHEAD_SECONDS - 1, at - AHEAD_SECONDS - 1),
            (Some(7), at - DAY_SECONDS, 7),
            (Some(7), at + 1, at),
            (Some(7), at + year, at),
        ] {
            assert_eq!(leaves(at, seen, now), from + DAY_SECONDS, "{seen:?}, {now}");
        }
    }
}
