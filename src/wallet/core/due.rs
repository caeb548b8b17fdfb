//! Turns: a turn is the schedule's entry of one open item, with its urgency, the time of its next
//! query and the interval after that.
//!
//! A turn is independent of all others and sends nothing; the schedule contains them all.

use std::collections::HashMap;

use tokio::time::{Duration, Instant};

use crate::model::deposit::{Deposit, DepositState};
use crate::model::mint::MintAddress;
use crate::model::payment::Payment;
use crate::store::TokenRow;

/// Seconds from the first report that a token was claimed until its mint is asked to confirm it.
pub(crate) const CLAIMED_TWICE_SECONDS: u64 = 60;

pub(crate) const FIRST_STEP: Duration = Duration::from_secs(2);
pub(crate) const LONGEST_STEP: Duration = Duration::from_secs(600);
/// First interval of a token: its recipient needs time to claim it, and no caller waits for that.
pub(crate) const FIRST_TOKEN_STEP: Duration = Duration::from_secs(60);

/// Urgency of an open item; lower values are queried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A payment that may still move money.
    Payment,
    /// A swap whose new proofs are still to come.
    Swap,
    /// A paid deposit.
    Claim,
    /// Anything that may stay open for long.
    Rest,
    /// A deposit that its mint says it owes nothing for.
    Disputed,
}

/// The schedule's entry of one open item.
#[derive(Debug)]
pub(crate) struct Turn<T> {
    pub(crate) mint: MintAddress,
    pub(crate) when: Instant,
    pub(crate) step: Duration,
    pub(crate) urgency: Urgency,
    pub(crate) of: T,
}

impl<T> Turn<T> {
    pub(crate) fn new(mint: MintAddress, first: Duration, urgency: Urgency, of: T) -> Self {
        Self { mint, when: Instant::now() + first, step: first, urgency, of }
    }

    /// Schedules the next query: the interval, `least` or more, grows by half.
    pub(crate) fn take(&mut self, now: Instant, least: Duration) {
        self.step = self.step.max(least).mul_f64(1.5).min(LONGEST_STEP);
        self.when = now + self.step;
    }

    pub(crate) fn hurry(&mut self) {
        (self.when, self.step) = (Instant::now(), FIRST_STEP);
    }

    /// Sort key for queries. Within one urgency, the item that is latest relative to its own
    /// interval comes first, so that every item is queried eventually.
    fn place(&self) -> (Urgency, Instant) {
        (self.urgency, self.when + self.step)
    }
}

impl Turn<u64> {
    /// Creates a deposit's turn, with its invoice's expiry in Unix seconds.
    pub(crate) fn of_deposit(deposit: Deposit) -> Self {
        let urgency = match deposit.state {
            _ if deposit.disputed().is_some() => Urgency::Disputed,
            DepositState::Paid => Urgency::Claim,
            _ => Urgency::Rest,
        };
        Self::new(deposit.mint, FIRST_STEP, urgency, deposit.expires_at)
    }
}

impl Turn<usize> {
    /// Creates a token's turn, with its number of proofs. `now` is in Unix seconds.
    pub(crate) fn of_token(payment: Payment, row: &TokenRow, now: u64) -> Self {
        let again = row.claimed_at.map(|at| {
            Duration::from_secs(at.saturating_add(CLAIMED_TWICE_SECONDS).saturating_sub(now))
        });
        let first = again.unwrap_or(FIRST_TOKEN_STEP).min(FIRST_TOKEN_STEP);
        Self::new(payment.mint, first, Urgency::Rest, row.ys.len())
    }
}

/// Finds the most urgent item due at a mint; returns its sort key and name.
pub(crate) fn most_urgent<T>(
    turns: &HashMap<String, Turn<T>>,
    mint: &MintAddress,
    now: Instant,
) -> Option<((Urgency, Instant), String)> {
    let due = turns.iter().filter(|(_, turn)| turn.when <= now && turn.mint == *mint);
    due.min_by_key(|(_, turn)| turn.place()).map(|(name, turn)| (turn.place(), name.clone()))
}
