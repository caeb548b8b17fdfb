//! When one open thing is asked about: how urgent it is, how often, and what comes first.
//!
//! A turn knows no other and asks nobody; the schedule keeps them all.

use std::collections::HashMap;

use tokio::time::{Duration, Instant};

use crate::model::deposit::{Deposit, DepositState};
use crate::model::mint::MintAddress;
use crate::model::payment::Payment;
use crate::store::TokenRow;

/// How long after a token was first called claimed its mint is asked once more, in seconds.
pub(crate) const CLAIMED_TWICE_SECONDS: u64 = 60;

pub(crate) const FIRST_STEP: Duration = Duration::from_secs(2);
pub(crate) const LONGEST_STEP: Duration = Duration::from_secs(600);
/// A token is asked about first after so long: its receiver needs time to claim it, and no caller
/// of ours waits for that.
pub(crate) const FIRST_TOKEN_STEP: Duration = Duration::from_secs(60);

/// How urgent something open is: what comes first is asked about first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A payment that may still move.
    Payment,
    /// Coins that are on their way to us.
    Swap,
    /// A paid deposit.
    Claim,
    /// What may stay as it is for long.
    Rest,
    /// A deposit of which its mint says that it owes nothing.
    Disputed,
}

/// When one open thing is asked about.
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

    /// It is asked about now; the next time is further off, and more than `least`.
    pub(crate) fn take(&mut self, now: Instant, least: Duration) {
        self.step = self.step.max(least).mul_f64(1.5).min(LONGEST_STEP);
        self.when = now + self.step;
    }

    pub(crate) fn hurry(&mut self) {
        (self.when, self.step) = (Instant::now(), FIRST_STEP);
    }

    /// What comes first. Of equal urgency, that which is late by most of its own step: nothing
    /// waits for ever.
    fn place(&self) -> (Urgency, Instant) {
        (self.urgency, self.when + self.step)
    }
}

impl Turn<u64> {
    /// With the time when its invoice expires, in Unix seconds.
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
    /// With the number of its coins. `now` is in Unix seconds.
    pub(crate) fn of_token(payment: Payment, row: &TokenRow, now: u64) -> Self {
        let again = row.claimed_at.map(|at| {
            Duration::from_secs(at.saturating_add(CLAIMED_TWICE_SECONDS).saturating_sub(now))
        });
        let first = again.unwrap_or(FIRST_TOKEN_STEP).min(FIRST_TOKEN_STEP);
        Self::new(payment.mint, first, Urgency::Rest, row.ys.len())
    }
}

/// What is due at a mint and comes first, by its place and its name.
pub(crate) fn most_urgent<T>(
    turns: &HashMap<String, Turn<T>>,
    mint: &MintAddress,
    now: Instant,
) -> Option<((Urgency, Instant), String)> {
    let due = turns.iter().filter(|(_, turn)| turn.when <= now && turn.mint == *mint);
    due.min_by_key(|(_, turn)| turn.place()).map(|(name, turn)| (turn.place(), name.clone()))
}
