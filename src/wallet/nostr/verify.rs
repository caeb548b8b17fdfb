//! Asks mints about coins that relays leave in doubt (NUT-07): those of other devices, and ours
//! whose event another device has deleted.
//!
//! Only mints that the owner has listed are asked. A mint that does not answer leaves everything as
//! it is.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{PublicKey, State};

use super::super::Wallet;
use super::super::failure::Failure;
use crate::model::mint::MintAddress;
use crate::store::{Change, ForeignState};

/// How often other devices' coins that a mint has called unspent are asked about, in seconds: a
/// device that spends them may say so to no relay that we read.
const ASKED_AGAIN_SECONDS: u64 = 86_400;
/// The name of the row: by mint, when that was last done, in Unix seconds.
const ROW: &str = "asked_again";

/// What the mints said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Verified {
    /// Sats of other devices' coins that can be spent, and could not before.
    pub(in super::super) pulled_sats: u64,
    /// Sats that turned out to be spent.
    pub(in super::super) dropped_sats: u64,
}

impl Wallet {
    /// Asks every listed mint about what is in doubt there.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`.
    ///
    /// # Cancel safety
    /// Safe to drop: each mint's word is one commit.
    pub(in super::super) async fn verify(&self) -> Result<Verified, Failure> {
        let mut verified = Verified::default();
        for mint in self.setup().await?.mints() {
            let _asking = self.nostr.as_ref().map(|link| link.asking(&mint.address));
            match self.verify_at(&mint.address, &mut verified).await {
                Ok(()) => {}
                Err(error) => tracing::debug!(
                    %error,
                    "a mint was not asked about coins on relays"
                ),
            }
        }
        Ok(verified)
    }

    /// What a mint has called unspent was asked about long ago, or never: then it is asked about
    /// again, once a day. The first time is a day after the mint was first seen here.
    async fn is_long_ago(&self, mint: &str) -> Result<bool, Failure> {
        let mut row: BTreeMap<String, u64> = self.store.nostr_state(ROW).await?.unwrap_or_default();
        let now = (self.clock)();
        let before = row.get(mint).copied();
        if before.is_some_and(|at| now < at.saturating_add(ASKED_AGAIN_SECONDS)) {
            return Ok(false);
        }
        row.insert(mint.to_owned(), now);
        self.store.set_nostr_state(ROW, row).await?;
        Ok(before.is_some())
    }

    /// Asks one mint.
    pub(super) async fn verify_at(
        &self,
        address: &MintAddress,
        verified: &mut Verified,
    ) -> Result<(), Failure> {
        let name = address.to_string();
        // What is locked is nothing to us, until a key of ours opens it.
        let locked = self.store.foreign_coins(name.clone(), vec![ForeignState::Locked]).await?;
        if !locked.is_empty() {
            let keys = self.lock_keys().await?;
            let ys = locked
                .into_iter()
                .filter(|(_, proof)| keys.open_all(std::slice::from_ref(&proof.secret)))
                .map(|(y, _)| y)
                .collect();
            self.store.commit(vec![Change::Foreign { ys, to: ForeignState::Doubtful }]).await?;
        }
        let mut doubtful = vec![ForeignState::Doubtful, ForeignState::Pending];
        let mut known = BTreeSet::new();
        if self.is_long_ago(&name).await? {
            known.extend(
                self.store
                    .foreign_coins(name.clone(), vec![ForeignState::Unspent, ForeignState::LeftOut])
                    .await?
                    .into_iter()
                    .map(|(y, _)| y),
            );
            doubtful.extend([ForeignState::Unspent, ForeignState::LeftOut]);
        }
        let asked = self.store.foreign_coins(name.clone(), doubtful).await?;
        let nothing = asked.is_empty() && self.store.doubted(name.clone()).await?.is_empty();
        if nothing {
            return Ok(());
        }
        let mint = self.mints.at(address)?;
        // A mint calls any coin unspent that it does not know: what it cannot have made is not
        // asked about, and stays in doubt.
        let made =
            mint.may_have_made(&asked.iter().map(|(_, proof)| proof).collect::<Vec<_>>()).await?;
        let asked: Vec<_> =
            asked.into_iter().zip(made).filter(|(_, made)| *made).map(|(coin, _)| coin).collect();
        let states = mint.states(asked.iter().map(|(y, _)| *y).collect()).await?;
        let said = |word: State| {
            asked
                .iter()
                .zip(&states)
                .filter(move |(_, state)| **state == word)
                .map(|(coin, _)| coin)
        };
        let sum = |word: State| {
            said(word).map(|(_, proof)| proof.amount.to_u64()).fold(0, u64::saturating_add)
        };
        let ys = |word: State| said(word).map(|(y, _)| *y).collect::<Vec<PublicKey>>();
        // What could be spent before is no news.
        let news = said(State::Unspent)
            .filter(|(y, _)| !known.contains(y))
            .map(|(_, proof)| proof.amount.to_u64());
        verified.pulled_sats =
            verified.pulled_sats.saturating_add(news.fold(0, u64::saturating_add));
        verified.dropped_sats = verified.dropped_sats.saturating_add(sum(State::Spent));
        self.store
            .commit(vec![
                Change::Foreign { ys: ys(State::Unspent), to: ForeignState::Unspent },
                Change::Foreign { ys: ys(State::Pending), to: ForeignState::Pending },
                Change::Foreign { ys: ys(State::Spent), to: ForeignState::Spent },
            ])
            .await?;
        // With the turn nobody chooses among our coins, so that what is free now is free when its
        // state changes.
        let turn = mint.turn().await;
        let doubted = self.store.doubted(name).await?;
        let states = mint.states(doubted.iter().map(|coin| coin.y).collect()).await?;
        let (mut spent, mut asked) = (Vec::new(), Vec::new());
        for (coin, state) in doubted.iter().zip(&states) {
            match state {
                State::Spent => {
                    verified.dropped_sats =
                        verified.dropped_sats.saturating_add(coin.proof.amount.to_u64());
                    spent.push(coin.y);
                    asked.push(coin.y);
                }
                State::Unspent => asked.push(coin.y),
                _ => {}
            }
        }
        if !spent.is_empty() {
            self.store.commit(vec![super::super::coins::spent(spent)]).await?;
        }
        if !asked.is_empty() {
            self.store.undoubt(asked).await?;
        }
        drop(turn);
        self.changed();
        Ok(())
    }
}
