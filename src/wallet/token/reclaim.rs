//! Reclaims a token of this wallet by swapping its proofs before anyone claims it.

use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose, SwapSpec};
use crate::mint::{Mint, MintGuard};
use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::store::{Change, TokenRow};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, Missing, TokenRefusal};
use crate::wallet::core::record_state::record;
use crate::wallet::door::record::{PaymentRecord, Replay, describe, own_payment};
use crate::wallet::engine::dispute::keep_disputed;
use crate::wallet::engine::journal::swap_for;
use crate::wallet::engine::swap;
use crate::wallet::proofs::changes;
use crate::wallet::token::Tokens;
use crate::wallet::token::watch::record_claimed;

impl Tokens<'_> {
    /// Reclaims a token. The daily limit stays used. A token that someone has already claimed is
    /// returned as settled and claimed.
    ///
    /// # Errors
    /// [`Cause::NotFound`], [`Cause::Token`], [`Cause::Mint`], [`Cause::FeeEatsToken`]: nothing
    /// moved.
    ///
    /// # Cancel safety
    /// Safe to drop: reclaiming continues in the background.
    pub async fn reclaim(self, caller: &Caller, id: &PaymentId) -> Result<PaymentRecord, Failure> {
        reclaim_token(self.0, caller, id).await
    }
}

/// See [`Tokens::reclaim`].
pub(super) async fn reclaim_token(
    core: &Core,
    caller: &Caller,
    id: &PaymentId,
) -> Result<PaymentRecord, Failure> {
    let until = core.deadline();
    let setup = core.setup().await?;
    let payment = own_payment(core, caller, id).await?;
    if !matches!(payment.kind, PaymentKind::Token) {
        return Err(Cause::NotFound(Missing::Token).into());
    }
    let Some(row) = core.store.token(&payment.id).await? else {
        return describe(core, &setup, caller, payment, Replay::Yes).await;
    };
    if row.locked {
        return Err(Cause::Token(TokenRefusal::LockedByUs).into());
    }
    let (owned, pending) = (core.clone(), payment.clone());
    let done =
        core.run_to_end(until.left(), async move { take_back(&owned, payment, row).await }).await;
    let payment = match done {
        Some(outcome) => outcome?,
        None => core.store.payment(&pending.id).await?.unwrap_or(pending),
    };
    describe(core, &setup, caller, payment, Replay::No).await
}

async fn take_back(core: &Core, payment: Payment, row: TokenRow) -> Result<Payment, Failure> {
    let mint = core.mints.at(&payment.mint)?;
    let guard = mint.lock().await;
    if core.store.token(&payment.id).await?.is_none() {
        return Ok(core.store.payment(&payment.id).await?.unwrap_or(payment));
    }
    let purpose = SwapPurpose::Reclaim(payment.id.clone());
    if let Some(swap) = swap_for(core, &purpose).await? {
        let outcome = mint.resume_swap(&swap, &guard).await;
        return end_reclaim(core, payment, &mint, &swap, outcome, &guard).await;
    }
    let all = core.store.proofs(row.ys.clone()).await?;
    let fee = mint.input_fee(&changes::proofs(all.clone())).await?;
    if fee >= changes::total_sats(&all) {
        return Err(Cause::FeeEatsToken.into());
    }
    let want = SwapSpec { purpose, give_sats: 0, lock_to: None, memo: None };
    let (swap, outcome) =
        swap::swap(core, &mint, changes::proofs(all), want, |_| Ok(Vec::new()), &guard).await?;
    end_reclaim(core, payment, &mint, &swap, outcome, &guard).await
}

/// Records the outcome of a reclaim's swap.
pub(crate) async fn end_reclaim(
    core: &Core,
    payment: Payment,
    mint: &Mint,
    swap: &Swap,
    outcome: SwapOutcome,
    _guard: &MintGuard,
) -> Result<Payment, Failure> {
    match outcome {
        SwapOutcome::Done { keep, .. } => {
            let made = match &payment.state {
                PaymentState::Settled { fee_sats, .. } => *fee_sats,
                _ => 0,
            };
            let reclaimed_sats = changes::total_sats(&keep);
            let mut beside = changes::swapped(swap, keep)?;
            beside.push(Change::ForgetToken(payment.id.clone()));
            let fee_sats = made.saturating_add(swap.fee_sats());
            let state = PaymentState::Returned { at: (core.clock)(), reclaimed_sats, fee_sats };
            record(core, payment, state, beside).await
        }
        SwapOutcome::Refused(error) => {
            core.store.commit(swap::refused(swap, &error)).await?;
            Err(Failure::from(error).of(&payment.id))
        }
        SwapOutcome::SpentElsewhere if mint.unspent_of(swap).await.unwrap_or(0) == 0 => {
            record_claimed(core, payment, swap.input_ys()?, keep_disputed(core, swap)?.into()).await
        }
        SwapOutcome::SpentElsewhere => {
            core.store
                .commit(vec![Change::EndOperation(swap.id), Change::FreeCounters(swap.counters())])
                .await?;
            Err(Failure::new(Cause::Token(TokenRefusal::PartlyClaimed)).of(&payment.id))
        }
        SwapOutcome::Unknown(_) => {
            core.wake();
            Ok(payment)
        }
    }
}
