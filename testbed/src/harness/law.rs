//! The law: what the wallets hold, by state, is what the mint owes.

use std::iter::Sum;
use std::ops::Add;

use super::{Answer, Client, Outcome};
use crate::must;

/// The balance of one wallet or of several, by state, in sats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Can be spent now.
    pub spendable: u64,
    /// Held by operations under way.
    pub pending: u64,
    /// In tokens that nobody has claimed.
    pub unclaimed: u64,
    /// Expected from deposits; the mint does not owe it yet.
    pub incoming: u64,
}

impl Holdings {
    /// The holdings in an answer of `get_balance`.
    #[must_use]
    pub fn of(balance: &Answer) -> Self {
        Self {
            spendable: balance.sats("spendable_sats"),
            pending: balance.sats("pending_sats"),
            unclaimed: balance.sats("unclaimed_sats"),
            incoming: balance.sats("incoming_sats"),
        }
    }

    /// The sum that the mint owes for.
    #[must_use]
    pub fn all(self) -> u64 {
        self.spendable + self.pending + self.unclaimed
    }
}

impl Add for Holdings {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            spendable: self.spendable + other.spendable,
            pending: self.pending + other.pending,
            unclaimed: self.unclaimed + other.unclaimed,
            incoming: self.incoming + other.incoming,
        }
    }
}

impl Sum for Holdings {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// Adds up what these wallets hold.
pub async fn books<C: Client>(wallets: &[&C]) -> Outcome<Holdings> {
    let mut all = Vec::new();
    for wallet in wallets {
        all.push(wallet.holds().await?);
    }
    Ok(all.into_iter().sum())
}

/// Checks that these wallets hold exactly what their mints owe. `owed` is called after the wallets
/// have answered, because a wallet may finish something before it answers.
pub async fn conserved<C: Client>(wallets: &[&C], owed: impl FnOnce() -> u64) -> Outcome<Holdings> {
    let (sum, owed) = (books(wallets).await?, owed());
    must!(sum.all() == owed, "the law: {sum:?} is {}, the mint owes {owed}", sum.all());
    Ok(sum)
}
