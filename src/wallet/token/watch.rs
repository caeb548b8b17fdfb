//! Watches sent tokens: asks mints whether someone has claimed them (NUT-07).
//!
//! A token's text is deleted only after the mint has called the token claimed twice.

use crate::mint::Mint;
use crate::mint::swap::SwapPurpose;
use crate::model::payment::{Payment, PaymentState};
use crate::store::{Change, TokenRow};
use crate::wallet::core::Core;
use crate::wallet::core::due::CLAIMED_TWICE_SECONDS;
use crate::wallet::core::failure::Failure;
use crate::wallet::engine::journal::swap_for;
use crate::wallet::proofs::changes;

/// Asks the mint whether a token was claimed, and records it.
pub(crate) async fn check_claimed(
    core: &Core,
    payment: Payment,
    row: TokenRow,
) -> Result<Payment, Failure> {
    let mint = core.mints.at(&payment.mint)?;
    if mint.all_spent(row.ys.clone()).await? {
        end_claimed(core, &mint, payment, row.ys).await
    } else {
        Ok(payment)
    }
}

/// Asks a mint about many tokens in one request and records which were claimed. `payments` are the
/// ids of the tokens' payments.
pub(crate) async fn check_tokens(
    core: &Core,
    mint: &Mint,
    payments: Vec<String>,
) -> Result<(), Failure> {
    let mut tokens =
        core.store.tokens(payments.iter().filter_map(|id| id.parse().ok()).collect()).await?;
    let now = (core.clock)();
    tokens.retain(|(_, row)| {
        row.claimed_at.is_none_or(|at| at.saturating_add(CLAIMED_TWICE_SECONDS) <= now)
    });
    let states = mint.states(tokens.iter().flat_map(|(_, row)| row.ys.clone()).collect()).await?;
    let (mut states, mut ended) = (states.into_iter(), Ok(()));
    for (payment, row) in tokens {
        let its: Vec<_> = states.by_ref().take(row.ys.len()).collect();
        let (is_spent, is_unspent) = (changes::all(&its, true), changes::all(&its, false));
        let one = match row.claimed_at {
            Some(_) => end_claimed_twice(core, payment, row, is_spent, is_unspent).await,
            None if is_spent => end_claimed(core, mint, payment, row.ys).await.map(drop),
            None => Ok(()),
        };
        // Continue with the other tokens; the first failure is returned at the end.
        ended = ended.and(one);
    }
    ended
}

/// Records a claim that the mint reports, unless the token is being reclaimed.
async fn end_claimed(
    core: &Core,
    mint: &Mint,
    payment: Payment,
    ys: changes::Ys,
) -> Result<Payment, Failure> {
    let _guard = mint.lock().await;
    if core.store.token(&payment.id).await?.is_none() {
        return Ok(core.store.payment(&payment.id).await?.unwrap_or(payment));
    }
    let reclaiming = swap_for(core, &SwapPurpose::Reclaim(payment.id.clone())).await?;
    if reclaiming.is_some() {
        Ok(payment)
    } else {
        record_claimed(core, payment, ys, Vec::new()).await
    }
}

/// Handles the second answer about a claimed token: deletes its text, or restores the token if the
/// mint now calls it unclaimed.
async fn end_claimed_twice(
    core: &Core,
    mut payment: Payment,
    row: TokenRow,
    is_spent: bool,
    is_unspent: bool,
) -> Result<(), Failure> {
    if is_spent {
        return Ok(core.store.commit(vec![Change::ForgetToken(payment.id)]).await?);
    }
    let PaymentState::Settled { at, fee_sats, .. } = payment.state else { return Ok(()) };
    if is_unspent {
        tracing::warn!(payment = %payment.id, "the mint called this token claimed and now calls it unclaimed");
        payment.state = PaymentState::Settled { at, fee_sats, preimage: None, claimed: false };
        let (back, id) = (changes::unclaim(row.ys.clone()), payment.id.clone());
        let row = Change::Token { payment: id, row: TokenRow { claimed_at: None, ..row } };
        core.store.commit(vec![back, row, Change::Payment(payment)]).await?;
        core.changed();
    }
    Ok(())
}

/// Records that a token was claimed: its proofs, given by Y, are spent.
pub(super) async fn record_claimed(
    core: &Core,
    mut payment: Payment,
    ys: changes::Ys,
    mut beside: Vec<Change>,
) -> Result<Payment, Failure> {
    let PaymentState::Settled { at, fee_sats, .. } = payment.state else { return Ok(payment) };
    payment.state = PaymentState::Settled { at, fee_sats, preimage: None, claimed: true };
    if let Some(row) = core.store.token(&payment.id).await? {
        let row = TokenRow { claimed_at: Some((core.clock)()), ..row };
        beside.push(Change::Token { payment: payment.id.clone(), row });
    }
    beside.extend([changes::spent(ys), Change::Payment(payment.clone())]);
    core.store.commit(beside).await?;
    core.changed();
    Ok(payment)
}
