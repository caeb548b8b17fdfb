//! Pays with a token: exact proofs are used unswapped; others are swapped first (NUT-03).

use crate::mint::swap::{P2pkLock, Swap, SwapOutcome, SwapPurpose, SwapSpec};
use crate::mint::{Mint, MintGuard};
use crate::model::payment::{Payment, PaymentState};
use crate::store::{Change, TokenRow};
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::core::record_state::{record, record_failure};
use crate::wallet::engine::dispute::{KEPT_SECONDS, keep_disputed};
use crate::wallet::engine::swap;
use crate::wallet::execution::coin_selection::Inputs;
use crate::wallet::nutzaps::outgoing::nutzap_event;
use crate::wallet::proofs::changes;
use crate::wallet::sync::adopt::doubt_the_rest;

/// Step 5 for a token: makes it from exact proofs directly, or through a journaled swap.
pub(crate) async fn make_token(
    core: &Core,
    payment: Payment,
    mint: &Mint,
    lock_to: Option<P2pkLock>,
    memo: Option<String>,
    inputs: Inputs,
    guard: MintGuard,
) -> Result<Payment, Failure> {
    if inputs.exact {
        let row = TokenRow {
            token: mint.write_token(&inputs.coins.proofs, memo),
            ys: changes::ys(&inputs.coins.proofs),
            locked: false,
            claimed_at: None,
        };
        let out = changes::hand_out(&row.ys);
        let beside = vec![out, Change::Token { payment: payment.id.clone(), row }];
        let state = PaymentState::Settled {
            at: (core.clock)(),
            fee_sats: 0,
            preimage: None,
            claimed: false,
        };
        return record(core, payment, state, beside).await;
    }
    let want = SwapSpec {
        purpose: SwapPurpose::Send(payment.id.clone()),
        give_sats: payment.amount_sats,
        lock_to,
        memo,
    };
    let reserve = |swap: &Swap| Ok(vec![changes::reserve(swap.input_ys()?, swap.id)]);
    let swapped =
        swap::swap(core, mint, changes::proofs(inputs.coins.proofs), want, reserve, &guard).await;
    // `end_send` may ask the mint about other proofs, which takes the mint's lock.
    drop(guard);
    match swapped {
        Ok((swap, outcome)) => end_send(core, payment, mint, &swap, outcome).await,
        Err(error) => Err(record_failure(core, payment, error, Vec::new()).await),
    }
}

/// Records the outcome of a token's swap.
pub(crate) async fn end_send(
    core: &Core,
    mut payment: Payment,
    mint: &Mint,
    swap: &Swap,
    outcome: SwapOutcome,
) -> Result<Payment, Failure> {
    match outcome {
        SwapOutcome::Done { give, keep } => {
            let token = mint.write_token(&give, swap.memo.clone());
            let row = TokenRow {
                token,
                ys: changes::ys(&give),
                locked: changes::locked(&give),
                claimed_at: None,
            };
            let event = nutzap_event(core, &mut payment, &changes::proofs(give.clone()))?;
            let mut beside = changes::swapped(swap, [give, keep].concat())?;
            beside.extend(event);
            beside.push(Change::Token { payment: payment.id.clone(), row });
            let state = PaymentState::Settled {
                at: (core.clock)(),
                fee_sats: swap.fee_sats(),
                preimage: None,
                claimed: false,
            };
            record(core, payment, state, beside).await
        }
        SwapOutcome::Refused(error) => {
            let beside = swap::unswapped(swap, &error)?;
            Err(record_failure(core, payment, error.into(), beside).await)
        }
        // With relays, another device may simply have taken some of the proofs.
        SwapOutcome::SpentElsewhere
            if core.nostr.is_some()
                || payment.created_at.saturating_add(patience(swap)) < (core.clock)() =>
        {
            let held = core.store.proofs(swap.input_ys()?).await?;
            let states = mint.states(changes::ys(&held)).await?;
            let (free, spent) = changes::by_word(&held, &states);
            if free.len().saturating_add(spent.len()) < held.len() {
                // In use elsewhere and perhaps returned later; the next round asks again.
                let state = PaymentState::Sent { since: (core.clock)(), acknowledged: false };
                return record(core, payment, state, Vec::new()).await;
            }
            let mut beside = vec![changes::free(free), changes::spent(spent)];
            beside.extend(keep_disputed(core, swap)?);
            let failure = Cause::SpentElsewhere { token: true }.into();
            let failure = record_failure(core, payment, failure, beside).await;
            if let Err(error) = doubt_the_rest(core, mint.address()).await {
                tracing::debug!(
                    %error,
                    "could not check which coins another device spent"
                );
            }
            Err(failure)
        }
        SwapOutcome::Unknown(_) | SwapOutcome::SpentElsewhere => {
            let state = PaymentState::Sent { since: (core.clock)(), acknowledged: false };
            record(core, payment, state, Vec::new()).await
        }
    }
}

/// Time for which a mint must keep saying that our proofs are spent and that it signed nothing,
/// before the token counts as failed, in seconds. Longer for locked proofs: a restore could not
/// find them.
fn patience(swap: &Swap) -> u64 {
    if swap.gives_locked() { KEPT_SECONDS } else { 600 }
}
