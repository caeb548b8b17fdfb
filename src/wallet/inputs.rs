//! Choosing the coins to spend, with the turn at the mint held.
//!
//! Coins that other melts of this process hold come back as change within moments: a payment that
//! lacks only those waits for them, so that payments in parallel do not fail for want of small
//! coins.

use tokio::time::{Duration, Instant, timeout_at};

use super::Wallet;
use super::draft::{Execution, Planned};
use super::failure::{Cause, Failure, Late};
use super::in_flight::{Awaits, Gone};
use super::rules::Setup;
use crate::mint::{MeltPlace, Turn};
use crate::model::money::Unit;
use crate::store::{Chosen, Need};

/// The longest a payment waits for coins that others hold.
const LONGEST: Duration = Duration::from_secs(40);

/// What is claimed of other devices' coins beyond what is missing, in sats: fees of the coins that
/// are made.
const CLAIMED_BEYOND: u64 = 8;

/// Coins to spend.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) coins: Chosen,
    /// What the mint takes for spending them and for having made them exact, in sats.
    pub(super) fee_sats: u64,
    /// They are exactly the amount: a token can be made of them as they are.
    pub(super) exact: bool,
    /// The part of the fee that was spent on making them exact, in sats.
    pub(super) prepared_sats: u64,
}

impl Wallet {
    /// Waits for a place among the melts under way at the mint, before the turn: Lightning holds up
    /// no other money. `None` for what is no melt.
    pub(super) async fn take_place(&self, planned: &Planned) -> Result<Option<MeltPlace>, Failure> {
        if !matches!(planned.execution, Execution::Melt(_)) {
            return Ok(None);
        }
        let place = timeout_at(Instant::now() + LONGEST, planned.mint.melt_place()).await;
        Ok(Some(place.map_err(|_| Cause::Late(Late::Place))??))
    }

    /// Takes the turn and chooses. Nothing is reserved yet: the caller reserves before it gives the
    /// turn back.
    pub(super) async fn take_inputs(
        &self,
        planned: &Planned,
        gone: &Gone,
    ) -> Result<(Turn, Inputs), Failure> {
        let until = Instant::now() + LONGEST;
        let mut changes = self.notices.subscribe();
        loop {
            changes.mark_unchanged();
            gone.awaits(Awaits::Mint);
            let turn = planned.mint.turn().await;
            let chosen = match self.choose(planned).await? {
                Some(inputs) => Some(inputs),
                // Another device's coins: our own first, then these, made ours.
                None if self.claim_for(planned, &turn).await? => self.choose(planned).await?,
                None => None,
            };
            if let Some(inputs) = chosen {
                let inputs = self.make_exact(planned, inputs, &turn).await?;
                return Ok((turn, inputs));
            }
            drop(turn);
            if gone.is_gone() || !self.others_hold_coins(planned) {
                return Err(self.too_little(planned).await);
            }
            gone.awaits(Awaits::Coins);
            if timeout_at(until, changes.changed()).await.is_err() {
                return Err(self.too_little(planned).await);
            }
        }
    }

    async fn choose(&self, planned: &Planned) -> Result<Option<Inputs>, Failure> {
        let fees = planned.mint.fees_ppk().await?;
        let mint = planned.mint.address();
        let amount = planned.draft.amount_sats;
        // Coins that relays show are never handed out as they are: another device of this wallet
        // would take them back.
        let relayed = self.store.mirror_begun().await?;
        if let Execution::Token { lock_to: None, .. } = planned.execution
            && !relayed
        {
            let exact =
                self.store.choose(mint, &Unit::sat(), Need::Exact { amount }, fees.clone()).await?;
            if let Some(coins) = exact {
                return Ok(Some(Inputs { coins, fee_sats: 0, exact: true, prepared_sats: 0 }));
            }
        }
        let need = Need::Spend {
            amount: planned.need_sats(),
            fee_at_most: self.fee_at_most(planned).await?,
        };
        let coins = self.store.choose(mint, &Unit::sat(), need, fees).await?;
        Ok(coins.map(|coins| Inputs { fee_sats: coins.fee, coins, exact: false, prepared_sats: 0 }))
    }

    /// The most that the planned's inputs should cost, in sats.
    pub(super) async fn fee_at_most(&self, planned: &Planned) -> Result<u64, Failure> {
        let reserve = planned.fee_reserve_sats();
        let accepted = planned.max_fee_sats.map_or(u64::MAX, |most| most.saturating_sub(reserve));
        Ok(tolerated_sats(&self.setup().await?, &planned.draft.agent).min(accepted))
    }

    /// Claims what this planned lacks of coins that other devices left on relays. Whether anything
    /// was claimed.
    async fn claim_for(&self, planned: &Planned, turn: &Turn) -> Result<bool, Failure> {
        if self.nostr.is_none() {
            return Ok(false);
        }
        let mint = planned.mint.address();
        let own = self.unspent_at(mint).await?;
        // Beyond what is missing: the fees of the claim and of the coins it makes.
        let lacking = planned.need_sats().saturating_sub(own).saturating_add(CLAIMED_BEYOND);
        self.claim(&planned.mint, lacking, turn).await
    }

    /// Another operation of this process at the same mint may give coins back.
    fn others_hold_coins(&self, planned: &Planned) -> bool {
        self.live().keys().any(|id| *id != planned.draft.id)
    }

    pub(super) async fn too_little(&self, planned: &Planned) -> Failure {
        let mint = planned.mint.address();
        let (held, left_out) = (
            self.spendable_at(mint).await.unwrap_or(0),
            self.left_out([mint].into_iter()).await.unwrap_or(0),
        );
        funds(planned.need_sats(), held, left_out).at(mint)
    }
}

/// What the owner's ceiling tolerates of inputs' fees beside the reserve for the route, in sats.
pub(super) fn tolerated_sats(setup: &Setup, agent: &str) -> u64 {
    setup.policy.limits_for(agent).max_fee_floor_sats
}

/// Too little is held.
pub(super) fn funds(need_sats: u64, held_sats: u64, left_out_sats: u64) -> Failure {
    Cause::Funds { need_sats, held_sats, left_out_sats }.into()
}
