//! What the limits are judged by: a fold over payments, never a counter kept beside them.

use super::history_line::EntryState;
use super::id::PaymentId;

/// A rolling day, in seconds.
pub const DAY_SECONDS: u64 = 86_400;

/// How long an equal payment looks like a repeat, in seconds.
pub const REPEAT_SECONDS: u64 = 600;

/// How far a time may lie ahead of the clock before the clock counts as wrong, then or now, in
/// seconds.
const AHEAD_SECONDS: u64 = 300;

/// What happened at `at` lies ahead of the clock: the clock was ahead then, or is behind now.
fn is_ahead(at: u64, now: u64) -> bool {
    at > now.saturating_add(AHEAD_SECONDS)
}

/// What is to be remembered of a time in a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// It lies ahead of the clock, and is first seen to at this moment, in Unix seconds.
    Since(u64),
    /// The clock has come to it.
    NoMore,
    /// It was seen ahead of the clock for a day: it counts no more, also when the clock comes to
    /// it.
    ForADay,
}

impl Ahead {
    /// `None`: it is as it was. `seen_ahead` is as in [`leaves`].
    pub fn of(at: u64, seen_ahead: Option<u64>, now: u64) -> Option<Self> {
        match seen_ahead {
            None if is_ahead(at, now) => Some(Self::Since(now)),
            Some(_) if !is_ahead(at, now) => Some(Self::NoMore),
            Some(_) if leaves(at, seen_ahead, now) <= now => Some(Self::ForADay),
            _ => None,
        }
    }
}

/// When what left at `at` leaves the window of a day, in Unix seconds. While it lies ahead of the
/// clock it counts from the moment at which that was first seen, `seen_ahead`, so that a clock that
/// was once ahead fills no limit for longer than a day. As soon as the clock is past `at` again it
/// counts from `at`, so that a clock that goes back and ahead again frees none early.
pub fn leaves(at: u64, seen_ahead: Option<u64>, now: u64) -> u64 {
    let from = if is_ahead(at, now) { seen_ahead.unwrap_or(now) } else { at };
    from.saturating_add(DAY_SECONDS)
}

/// A payment that an equal new one might repeat by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    /// Its name.
    pub id: PaymentId,
    /// How it stands.
    pub state: EntryState,
    /// Seconds since its money left or was held back.
    pub age_seconds: u64,
    /// Its caller may not know what became of it: only a person may excuse a repeat.
    pub outcome_undelivered: bool,
}

/// What has left and what may be leaving over the rolling day that ends now. Sats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Settled within the day, fees included.
    pub spent_sats: u64,
    /// Held back for open payments, however old.
    pub reserved_sats: u64,
    /// When each settled outflow leaves the window, and how much it was, oldest first: (Unix
    /// seconds, sats).
    pub frees: Vec<(u64, u64)>,
}

/// The day of the whole wallet and of the agent at hand, with what an equal payment has to be told
/// from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// All agents together: what the owner's limits are judged by.
    pub all: Day,
    /// The agent at hand alone: what its own limits are judged by.
    pub own: Day,
    /// Payments to the same payee of the same amount, newest first. Filled for the payment at hand.
    pub lookalikes: Vec<Lookalike>,
    /// The day's limit counts as used up until then, in Unix seconds: the file was older than its
    /// mints, and what was spent is not known.
    pub full_until: Option<u64>,
}

impl Ledger {
    /// Takes an open payment into account, whose sats are held back. `own`: it is of the agent at
    /// hand.
    pub fn hold(&mut self, sats: u64, own: bool) {
        for day in self.days(own) {
            day.reserved_sats = day.reserved_sats.saturating_add(sats);
        }
    }

    /// Takes sats into account that left at a time, in Unix seconds. `own` is as in
    /// [`Ledger::hold`], `seen_ahead` as in [`leaves`].
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
    /// Sats of `limit` that are left.
    pub fn left_sats(&self, limit: u64) -> u64 {
        limit.saturating_sub(self.used_sats())
    }

    /// Spent and held back together.
    pub fn used_sats(&self) -> u64 {
        self.spent_sats.saturating_add(self.reserved_sats)
    }

    /// Seconds until `sats` more would fit under `limit`, by settled payments leaving the window
    /// alone. `None`: never by waiting.
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
