//! Paying at a mint that gives no change (NUT-08): a swap of our own makes coins of exactly what
//! the melt needs, so that nothing is overpaid beyond the mint's reserve for the route.
//!
//! Nothing leaves the wallet by it but the mint's fee for the coins, which counts among the
//! payment's.

use super::draft::{Execution, Planned};
use super::failure::{Cause, Failure};
use super::inputs::Inputs;
use super::{Wallet, coins, swap};
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::mint::{Mint, Turn};
use crate::model::money::Unit;
use crate::store::{Chosen, Need};

impl Wallet {
    /// The inputs as they are, where the mint gives change or they are exact; else coins made of
    /// them that are. The caller holds the turn.
    pub(super) async fn make_exact(
        &self,
        planned: &Planned,
        inputs: Inputs,
        turn: &Turn,
    ) -> Result<Inputs, Failure> {
        let (need, mint) = (planned.need_sats(), &planned.mint);
        if !matches!(planned.execution, Execution::Melt(_))
            || is_exact(&inputs.coins, need)
            || mint.gives_change().await?
        {
            return Ok(inputs);
        }
        let Some((give_sats, from)) =
            self.split_from(mint, need, self.fee_at_most(planned).await?).await?
        else {
            return Err(self.too_little(planned).await);
        };
        // What would be refused afterwards is refused before anything is swapped for it.
        self.would_admit(planned, from.fee.saturating_add(give_sats.saturating_sub(need))).await?;
        let want = Want { purpose: Purpose::Split, give_sats, lock_to: None, memo: None };
        let reserve = |swap: &Swap| Ok(vec![coins::reserve(swap.input_ys()?, swap.id)]);
        let (swap, outcome) =
            self.swap(mint, coins::proofs(from.proofs), want, reserve, turn).await?;
        let prepared_sats = swap.fee_sats();
        let proofs = self.end_split(mint, &swap, outcome).await?;
        let fee = mint.input_fee(&coins::proofs(proofs.clone())).await?;
        Ok(Inputs {
            coins: Chosen { proofs, fee },
            fee_sats: fee.saturating_add(prepared_sats),
            exact: false,
            prepared_sats,
        })
    }

    /// What coins that leave `need_sats` after their own fee must be worth, and the coins to make
    /// them of; `None`: there are not enough.
    async fn split_from(
        &self,
        mint: &Mint,
        need_sats: u64,
        fee_at_most: u64,
    ) -> Result<Option<(u64, Chosen)>, Failure> {
        let give_sats = mint.exactly(need_sats).await?;
        let need = Need::Spend { amount: give_sats, fee_at_most };
        let from =
            self.store.choose(mint.address(), &Unit::sat(), need, mint.fees_ppk().await?).await?;
        Ok(from.map(|from| (give_sats, from)))
    }

    /// The coins that a melt would be paid from, with all that the mint takes for them; `None`:
    /// there are not enough.
    pub(super) async fn coins_for_melt(
        &self,
        mint: &Mint,
        need_sats: u64,
        fee_at_most: u64,
    ) -> Result<Option<Chosen>, Failure> {
        let need = Need::Spend { amount: need_sats, fee_at_most };
        let coins =
            self.store.choose(mint.address(), &Unit::sat(), need, mint.fees_ppk().await?).await?;
        if coins.as_ref().is_none_or(|coins| is_exact(coins, need_sats))
            || mint.gives_change().await?
        {
            return Ok(coins);
        }
        let from = self.split_from(mint, need_sats, fee_at_most).await?;
        let fees =
            |sats: u64, from: &Chosen| sats.saturating_sub(need_sats).saturating_add(from.fee);
        Ok(from.map(|(sats, from)| Chosen { fee: fees(sats, &from), ..from }))
    }

    /// What the swap came to. Answers the coins that are exact; all of them are ours, and free.
    ///
    /// # Errors
    /// As the mint says; `mint_unreachable` where that is not known yet. Nothing was paid.
    pub(super) async fn end_split(
        &self,
        mint: &Mint,
        swap: &Swap,
        outcome: SwapOutcome,
    ) -> Result<Vec<coins::Coin>, Failure> {
        let (changes, ended) = match outcome {
            SwapOutcome::Done { give, keep } => {
                let give: Vec<coins::Coin> = give.into_iter().map(coins::freed).collect();
                (coins::swapped(swap, [give.clone(), keep].concat())?, Ok(give))
            }
            SwapOutcome::Refused(error) => (swap::unswapped(swap, &error)?, Err(error.into())),
            SwapOutcome::SpentElsewhere => {
                let held = self.store.coins(swap.input_ys()?).await?;
                let (free, spent) = coins::by_word(&held, &mint.states(coins::ys(&held)).await?);
                if free.len().saturating_add(spent.len()) < held.len() {
                    // In use elsewhere, and perhaps given back: a later round asks again.
                    return Err(Cause::SwapUndecided.into());
                }
                let mut changes = vec![coins::free(free), coins::spent(spent)];
                changes.extend(self.bury(swap)?);
                (changes, Err(Cause::SpentElsewhere { token: false }.into()))
            }
            SwapOutcome::Unknown(_) => {
                self.wake();
                return Err(Cause::SwapUndecided.into());
            }
        };
        self.store.commit(changes).await?;
        self.changed();
        ended
    }

    /// Ends such a swap of which nobody waits for the outcome any more.
    pub(super) async fn settle_split(&self, seen: &Swap) -> Result<(), Failure> {
        let mint = self.mints.at(&seen.mint)?;
        let turn = mint.turn().await;
        let Some(swap) = self.as_journaled(seen).await? else { return Ok(()) };
        let outcome = mint.resume_swap(&swap, &turn).await;
        drop(turn);
        self.end_split(&mint, &swap, outcome).await.map(drop)
    }
}

/// The coins are worth what is needed, or exceed it by no more than a swap into exact coins would
/// cost.
fn is_exact(coins: &Chosen, need_sats: u64) -> bool {
    coins::total_sats(&coins.proofs).saturating_sub(need_sats).saturating_sub(coins.fee)
        <= coins.fee
}
