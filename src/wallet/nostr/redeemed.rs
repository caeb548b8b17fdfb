//! What a swap of nutzaps came to: what came in, what waits, and what is done with.
//!
//! Each end is one commit. Asks no mint.

use super::super::Wallet;
use super::super::coins::sum_sats;
use super::super::failure::Failure;
use super::super::swap;
use crate::mint::error::MintError;
use crate::mint::swap::{Purpose, Swap, SwapOutcome};
use crate::mint::token::digest_of;
use crate::model::id::ReceiveId;
use crate::model::receive::{NutzapFrom, Receive, ReceiveState};
use crate::store::{Change, ForeignState, NutzapRow, NutzapState, Nutzaps};

/// In whose name nutzaps are taken in.
pub(super) const AGENT: &str = "nostr";

/// How long a nutzap waits after its mint refused it, in seconds. The wait doubles with each
/// refusal, up to the second number.
const AGAIN_SECONDS: u64 = 300;
const AGAIN_AT_MOST: u64 = 86_400;

impl Wallet {
    /// What a swap of nutzaps came to: the coins, what history and relays are to hear, and what
    /// becomes of each, in one commit.
    pub(in super::super) async fn end_nutzaps(
        &self,
        swap: &Swap,
        outcome: SwapOutcome,
    ) -> Result<(), Failure> {
        let Purpose::Nutzaps(ids) = &swap.purpose else { return Ok(()) };
        let now = (self.clock)();
        let mut rows = Vec::new();
        for id in ids {
            rows.extend(
                self.store.nutzap(id).await?.filter(|row| row.state == NutzapState::Swapping),
            );
        }
        let changes = match outcome {
            SwapOutcome::Done { keep, .. } => {
                let ys = swap.input_ys()?;
                let receives = self.receives(&mut rows, swap.fee_sats()).await?;
                // Another device of ours may have left such coins on relays as they were.
                let others = Change::Foreign { ys: ys.clone(), to: ForeignState::Spent };
                let mut changes =
                    vec![Change::Proofs { add: keep }, others, Change::EndOperation(swap.id)];
                changes.extend(receives.into_iter().map(Change::Receive));
                changes.push(Change::Nutzaps(Nutzaps {
                    at: now,
                    rows,
                    coins: ys,
                    ..Nutzaps::default()
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
                let mut changes: Vec<Change> = self.bury(swap)?.into();
                changes.push(Change::Nutzaps(Nutzaps { at: now, rows, ..Nutzaps::default() }));
                changes
            }
            SwapOutcome::Unknown(_) => {
                self.wake();
                return Ok(());
            }
        };
        self.store.commit(changes).await?;
        self.changed();
        self.wake();
        Ok(())
    }

    /// What came in, nutzap by nutzap. The fee is shared by the number of coins.
    async fn receives(
        &self,
        rows: &mut [NutzapRow],
        fee_sats: u64,
    ) -> Result<Vec<Receive>, Failure> {
        let (now, money) = ((self.clock)(), self.setup().await?.money);
        let all =
            rows.iter().map(|row| row.proofs.len() as u64).fold(0, u64::saturating_add).max(1);
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
}

/// What becomes of those that their mint refused. Of several, some may be good; of one, what has
/// the mint's proof may be.
fn refused(mut rows: Vec<NutzapRow>, error: &MintError, now: u64) -> Nutzaps {
    let (of_a_coin, alone) = (error.is_of_a_coin(), rows.len() == 1);
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
    Nutzaps {
        at: now,
        rows,
        done: done.into_iter().map(|row| (row.id, row.created_at)).collect(),
        ..Nutzaps::default()
    }
}
