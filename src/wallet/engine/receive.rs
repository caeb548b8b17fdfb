//! Swaps received proofs for new ones and records the outcome of the receive.

use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose, SwapSpec};
use crate::mint::{Mint, MintGuard, Proofs};
use crate::model::receive::{Receive, ReceiveState};
use crate::store::{Change, RemoteProofState};
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, TokenRefusal};
use crate::wallet::engine::dispute::keep_disputed;
use crate::wallet::engine::swap;
use crate::wallet::proofs::changes;

/// Swaps received proofs for new ones, journaled under the receive.
///
/// # Errors
/// [`Cause::FeeEatsToken`], and those of the swap: nothing was taken.
pub(crate) async fn swap_coins_in(
    core: &Core,
    receive: &Receive,
    proofs: Proofs,
    mint: &Mint,
    guard: &MintGuard,
) -> Result<(Swap, SwapOutcome), Failure> {
    if mint.input_fee(&proofs).await? >= receive.amount_sats {
        return Err(Cause::FeeEatsToken.into());
    }
    let want = SwapSpec {
        purpose: SwapPurpose::Receive(receive.id.clone()),
        give_sats: 0,
        lock_to: None,
        memo: None,
    };
    swap::swap(core, mint, proofs, want, |_| Ok(Vec::new()), guard).await
}

/// Records the outcome of a received token's swap.
pub(crate) async fn end_receive(
    core: &Core,
    mut receive: Receive,
    mint: &Mint,
    swap: &Swap,
    outcome: SwapOutcome,
    _guard: &MintGuard,
) -> Result<Receive, Failure> {
    let now = (core.clock)();
    match outcome {
        SwapOutcome::Done { keep, .. } => {
            receive.state = ReceiveState::Received {
                at: now,
                received_sats: changes::total_sats(&keep),
                fee_sats: swap.fee_sats(),
            };
            // The token may consist of proofs that another device of this wallet left on relays.
            let others = Change::RemoteProofs { ys: swap.input_ys()?, to: RemoteProofState::Spent };
            let changes = vec![
                Change::Proofs { add: keep },
                others,
                Change::EndOperation(swap.id),
                Change::Receive(receive.clone()),
            ];
            core.store.commit(changes).await?;
            core.changed();
            core.wake();
            Ok(receive)
        }
        SwapOutcome::Refused(error) => {
            refuse(core, receive, swap::refused(swap, &error), error.into()).await
        }
        SwapOutcome::SpentElsewhere => {
            let left = left_of(mint, swap).await;
            let spent = Cause::Token(TokenRefusal::Spent(left));
            refuse(core, receive, keep_disputed(core, swap)?.into(), spent.into()).await
        }
        SwapOutcome::Unknown(_) => {
            core.wake();
            Ok(receive)
        }
    }
}

/// Records a refused receive and returns its failure. Nothing was taken; the token is unchanged.
pub(crate) async fn refuse(
    core: &Core,
    mut receive: Receive,
    mut beside: Vec<Change>,
    failure: Failure,
) -> Result<Receive, Failure> {
    receive.state = ReceiveState::Refused { at: (core.clock)(), failure: failure.to_store() };
    beside.push(Change::Receive(receive));
    core.store.commit(beside).await?;
    Err(failure)
}

async fn left_of(mint: &Mint, swap: &Swap) -> u64 {
    mint.unspent_of(swap).await.unwrap_or(0)
}
