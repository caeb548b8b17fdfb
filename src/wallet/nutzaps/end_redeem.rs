//! Applies the outcome of a nutzap swap, in one commit. Contacts no mint.

use crate::mint::error::MintError;
use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose};
use crate::mint::token::digest_of;
use crate::model::id::ReceiveId;
use crate::model::receive::{NutzapFrom, Receive, ReceiveState};
use crate::store::{Change, NutzapChanges, NutzapRow, NutzapState, RemoteProofState};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::engine::dispute::keep_disputed;
use crate::wallet::engine::swap;
use crate::wallet::proofs::changes::sum_sats;

/// Agent name in the records of redeemed nutzaps.
pub(crate) const AGENT: &str = "nostr";

/// First and maximum wait after a mint's refusal, in seconds; the wait doubles each time.
const AGAIN_SECONDS: u64 = 300;
const AGAIN_AT_MOST: u64 = 86_400;

/// Applies the outcome of a nutzap swap: one commit with proofs, history and states.
pub(crate) async fn end_nutzaps(
    core: &Core,
    swap: &Swap,
    outcome: SwapOutcome,
) -> Result<(), Failure> {
    let SwapPurpose::Nutzaps(ids) = &swap.purpose else { return Ok(()) };
    let now = (core.clock)();
    let mut rows = Vec::new();
    for id in ids {
        rows.extend(core.store.nutzap(id).await?.filter(|row| row.state == NutzapState::Swapping));
    }
    let changes = match outcome {
        SwapOutcome::Done { keep, .. } => {
            let ys = swap.input_ys()?;
            let receives = receives(core, &mut rows, swap.fee_sats()).await?;
            // Another device of ours may have left these proofs on relays unswapped.
            let others = Change::RemoteProofs { ys: ys.clone(), to: RemoteProofState::Spent };
            let mut changes =
                vec![Change::Proofs { add: keep }, others, Change::EndOperation(swap.id)];
            changes.extend(receives.into_iter().map(Change::Receive));
            changes.push(Change::Nutzaps(NutzapChanges {
                at: now,
                rows,
                received: ys,
                ..NutzapChanges::default()
            }));
            changes
        }
        SwapOutcome::Refused(error) => {
            let mut changes = swap::refused(swap, &error);
            changes.push(Change::Nutzaps(refused(rows, &error, now)));
            changes
        }
        SwapOutcome::SpentElsewhere => {
            rows.iter_mut().for_each(|row| row.state = NutzapState::Waiting);
            let mut changes: Vec<Change> = keep_disputed(core, swap)?.into();
            changes.push(Change::Nutzaps(NutzapChanges {
                at: now,
                rows,
                ..NutzapChanges::default()
            }));
            changes
        }
        SwapOutcome::Unknown(_) => {
            core.wake();
            return Ok(());
        }
    };
    core.store.commit(changes).await?;
    core.changed();
    core.wake();
    Ok(())
}

/// Creates a receive for each nutzap and shares the fee by the number of proofs.
async fn receives(
    core: &Core,
    rows: &mut [NutzapRow],
    fee_sats: u64,
) -> Result<Vec<Receive>, Failure> {
    let (now, money) = ((core.clock)(), core.setup().await?.money);
    let all = rows.iter().map(|row| row.proofs.len() as u64).fold(0, u64::saturating_add).max(1);
    let share = |coins: u64| fee_sats.saturating_mul(coins) / all;
    let (mut receives, mut before) = (Vec::new(), 0_u64);
    for row in rows {
        let after = before.saturating_add(row.proofs.len() as u64);
        let fee_sats = share(after).saturating_sub(share(before));
        before = after;
        let amount_sats = sum_sats(&row.proofs);
        let receive = Receive {
            id: ReceiveId::random(),
            agent: AGENT.to_owned(),
            token_digest: digest_of(
                &row.proofs.iter().map(|proof| &proof.secret).collect::<Vec<_>>(),
            ),
            mint: row.mint.clone(),
            money,
            amount_sats,
            untrusted_memo: Some(row.comment.clone()).filter(|words| !words.is_empty()),
            nutzap: Some(NutzapFrom {
                event: row.id.clone(),
                sender: row.sender.clone(),
                sender_proven: row.sender_proven,
            }),
            created_at: now,
            state: ReceiveState::Received {
                at: now,
                received_sats: amount_sats.saturating_sub(fee_sats),
                fee_sats,
            },
        };
        (row.state, row.proofs) = (NutzapState::Taken(receive.id.clone()), Vec::new());
        receives.push(receive);
    }
    Ok(receives)
}

/// Updates nutzaps that their mint refused. If it rejected a proof in a swap of several nutzaps,
/// all of them wait; a single nutzap keeps only its proofs with a DLEQ proof, if it also has
/// others.
fn refused(mut rows: Vec<NutzapRow>, error: &MintError, now: u64) -> NutzapChanges {
    let (of_a_coin, alone) = (error.is_about_a_proof(), rows.len() == 1);
    for row in &mut rows {
        row.state = NutzapState::Waiting;
        if of_a_coin && alone {
            let mixed = row.proofs.iter().any(|proof| proof.dleq.is_none());
            row.proofs.retain(|proof| mixed && proof.dleq.is_some());
        } else if !of_a_coin {
            row.next_at = now.saturating_add(
                AGAIN_SECONDS.saturating_mul(1 << row.tries.min(10)).min(AGAIN_AT_MOST),
            );
            row.tries = row.tries.saturating_add(1);
        }
    }
    let (rows, done): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| !row.proofs.is_empty());
    NutzapChanges {
        at: now,
        rows,
        done: done.into_iter().map(|row| (row.id, row.created_at)).collect(),
        ..NutzapChanges::default()
    }
}
