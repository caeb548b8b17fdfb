//! Adopts other devices' proofs: swaps the proofs of whole token events for our own. Each swap is
//! journaled and keeps everything but the fee (NUT-03).
//!
//! Until then, two devices could spend the same proof and only one would succeed. The device that
//! loses that race loses no money: the mint reports it, and the proofs are checked again.

use std::collections::HashMap;

use cdk_common::nuts::{Proof, PublicKey, State};
use cdk_common::wallet::ProofInfo;

use crate::mint::error::nut;
use crate::mint::melt::MeltState;
use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose, SwapSpec};
use crate::mint::{Mint, MintGuard};
use crate::model::mint::MintAddress;
use crate::store::{Change, RemoteProofState};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::Link;
use crate::wallet::engine::swap;
use crate::wallet::proofs::changes;
use crate::wallet::sync::verify::{Verified, verify_at};
use crate::wallet::wallet_event::lock_keys::lock_keys;

/// Maximum number of proofs adopted at once: the mint's limit on inputs of one swap.
const MOST_COINS: usize = 500;
/// Number of swaps that other devices may win before adopting stops.
const MOST_LOSSES: u32 = 3;

/// Least time between two adoptions of everything, in seconds. Without it, two devices that adopt
/// at each sync would pass the same proofs back and forth.
const CLAIMED_AGAIN_SECONDS: u64 = 600;

/// Result of one swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adoption {
    /// The proofs are ours.
    Ours,
    /// Nothing was gained: another device was faster, or the mint will never accept them.
    Lost,
    /// The mint rejected one of the proofs as unknown or as not unlocked.
    OneIsBad,
}

/// Adopts proofs of whole events at a mint until `need_sats` more are ours, or nothing is left.
/// Returns whether anything was adopted. The caller holds the mint's lock.
///
/// # Errors
/// [`Cause::Mint`](crate::wallet::core::failure::Cause::Mint),
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store). Adopted proofs stay adopted.
///
/// # Cancel safety
/// Dropping it may leave a swap open; the reconciler ends it, and nothing is lost.
pub(crate) async fn adopt(
    core: &Core,
    mint: &Mint,
    need_sats: u64,
    guard: &MintGuard,
) -> Result<bool, Failure> {
    let (mut claimed, mut any) = (0_u64, false);
    let mut losses = 0;
    // Halves of a selection that the mint rejected as a whole.
    let mut parts: Vec<Vec<(PublicKey, Proof)>> = Vec::new();
    while claimed < need_sats && losses < MOST_LOSSES {
        let part = parts.pop();
        let is_part = part.is_some();
        let some = match part {
            Some(part) => part,
            None => match next_coins(core, mint, need_sats.saturating_sub(claimed)).await? {
                Some(some) => some,
                None => break,
            },
        };
        let sats = changes::sum_sats(some.iter().map(|(_, proof)| proof));
        match adopt_some(core, mint, some.clone(), guard).await? {
            Adoption::Ours => {
                any = true;
                // Each half pays its own fee.
                let coins: Vec<Proof> = some.into_iter().map(|(_, proof)| proof).collect();
                claimed =
                    claimed.saturating_add(sats.saturating_sub(mint.input_fee(&coins).await?));
            }
            // The other halves may still be good, and worth their fee.
            Adoption::Lost if is_part => {}
            Adoption::Lost => losses = u32::saturating_add(losses, 1),
            // One bad proof fails the whole swap, so the selection is halved until it is alone.
            Adoption::OneIsBad => {
                let (left, right) = some.split_at(some.len() / 2);
                parts.extend(
                    [left, right].into_iter().filter(|half| !half.is_empty()).map(<[_]>::to_vec),
                );
            }
        }
    }
    if any {
        core.changed();
    }
    Ok(any)
}

/// Adopts everything adoptable at all listed mints. A mint that does not answer is skipped.
///
/// # Errors
/// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
pub(crate) async fn adopt_all(core: &Core, link: &Link) -> Result<(), Failure> {
    let now = (core.clock)();
    let lately =
        link.seen().claimed_at.is_some_and(|at| now < at.saturating_add(CLAIMED_AGAIN_SECONDS));
    if lately {
        return Ok(());
    }
    link.seen().claimed_at = Some(now);
    for mint in core.setup().await?.mints() {
        let Ok(mint) = core.mints.at(&mint.address) else { continue };
        let _asking = link.asking(mint.address());
        let guard = mint.lock().await;
        if let Err(error) = adopt(core, &mint, u64::MAX, &guard).await {
            tracing::debug!(
                %error,
                "coins of other devices were not adopted"
            );
        }
    }
    Ok(())
}

/// Chooses the proofs to adopt next: the smallest event that suffices, otherwise the largest events
/// together, because the mint rounds its fee up once per swap. Proofs not worth their fee are
/// adopted together with all others, or stay where they are.
async fn next_coins(
    core: &Core,
    mint: &Mint,
    need: u64,
) -> Result<Option<Vec<(PublicKey, Proof)>>, Failure> {
    let address = mint.address();
    let mut free =
        core.store.remote_proofs(address.to_string(), vec![RemoteProofState::Unspent]).await?;
    if free.is_empty() {
        // Proofs that another program may have handed out come last.
        free =
            core.store.remote_proofs(address.to_string(), vec![RemoteProofState::LeftOut]).await?;
    }
    if free.is_empty() {
        return Ok(None);
    }
    let by_y: HashMap<PublicKey, &Proof> = free.iter().map(|(y, proof)| (*y, proof)).collect();
    let mut events: Vec<(u64, Vec<(PublicKey, &Proof)>)> = Vec::new();
    for event in core
        .store
        .live_token_events()
        .await?
        .into_iter()
        .filter(|event| event.mint == address.as_str())
    {
        let here = event.ys.iter().filter_map(|y| by_y.get(y).map(|proof| (*y, *proof)));
        let here: Vec<_> = here.take(MOST_COINS).collect();
        if !here.is_empty() {
            events.push((changes::sum_sats(here.iter().map(|(_, proof)| *proof)), here));
        }
    }
    events.sort_by_key(|(sats, _)| *sats);
    let enough = events.iter().position(|(sats, _)| *sats >= need);
    let order: Vec<_> = match enough.and_then(|place| events.get(place)) {
        Some(one) => vec![one],
        None => events.iter().rev().collect(),
    };
    let mut chosen: HashMap<PublicKey, &Proof> = HashMap::new();
    for (_, here) in order {
        if chosen.len().saturating_add(here.len()) > MOST_COINS
            || changes::sum_sats(chosen.values().copied()) >= need
        {
            break;
        }
        chosen.extend(here.iter().copied());
    }
    let chosen: Vec<_> = chosen.into_iter().map(|(y, proof)| (y, proof.clone())).collect();
    if is_worth_its_fee(mint, &chosen).await? {
        return Ok(Some(chosen));
    }
    // This includes unspent proofs whose event is gone.
    let all: Vec<_> = free.into_iter().take(MOST_COINS).collect();
    Ok(if is_worth_its_fee(mint, &all).await? { Some(all) } else { None })
}

/// Makes one swap.
async fn adopt_some(
    core: &Core,
    mint: &Mint,
    some: Vec<(PublicKey, Proof)>,
    guard: &MintGuard,
) -> Result<Adoption, Failure> {
    let (ys, proofs): (Vec<PublicKey>, Vec<Proof>) = some.into_iter().unzip();
    let ceiling = core.setup().await?.policy.max_fee_sats(changes::sum_sats(&proofs));
    if mint.input_fee(&proofs).await? > ceiling {
        tracing::debug!("adopting coins would cost more than the owner allows");
        return Ok(Adoption::Lost);
    }
    let want = SwapSpec { purpose: SwapPurpose::Adopt, give_sats: 0, lock_to: None, memo: None };
    let taken = Change::RemoteProofs { ys: ys.clone(), to: RemoteProofState::Adopting };
    let proofs = lock_keys(core).await?.sign(proofs);
    match swap::swap(core, mint, proofs, want, |_| Ok(vec![taken.clone()]), guard).await {
        Ok((swap, outcome)) => {
            let bad = matches!(&outcome, SwapOutcome::Refused(error) if error.is_about_a_proof());
            match end_adopt(core, mint, &swap, outcome).await? {
                true => Ok(Adoption::Ours),
                false if bad && ys.len() > 1 => Ok(Adoption::OneIsBad),
                false => Ok(Adoption::Lost),
            }
        }
        Err(error) => {
            // Not worth its fee: not retried automatically.
            if error.nut_code() == Some(nut::UNBALANCED) {
                core.store
                    .commit(vec![Change::RemoteProofs { ys, to: RemoteProofState::Refused }])
                    .await?;
                return Ok(Adoption::Lost);
            }
            Err(error)
        }
    }
}

/// Applies the outcome of an adopting swap. Returns `false` if nothing was gained.
pub(crate) async fn end_adopt(
    core: &Core,
    mint: &Mint,
    swap: &Swap,
    outcome: SwapOutcome,
) -> Result<bool, Failure> {
    let ys = swap.input_ys()?;
    let refused = matches!(outcome, SwapOutcome::Refused(_) | SwapOutcome::SpentElsewhere);
    let changes = match outcome {
        SwapOutcome::Done { keep, .. } => {
            vec![
                Change::Proofs { add: keep },
                Change::RemoteProofs { ys, to: RemoteProofState::Adopted },
                Change::EndOperation(swap.id),
            ]
        }
        SwapOutcome::Refused(error) if error.is_about_a_proof() => {
            // Of several proofs, some may be good.
            let to =
                if ys.len() == 1 { RemoteProofState::Refused } else { RemoteProofState::Unspent };
            let mut changes = swap::refused(swap, &error);
            changes.push(Change::RemoteProofs { ys, to });
            core.store.commit(changes).await?;
            core.changed();
            return Ok(false);
        }
        SwapOutcome::Refused(error) => {
            let mut changes = swap::refused(swap, &error);
            changes.push(Change::RemoteProofs { ys, to: RemoteProofState::Unverified });
            changes
        }
        SwapOutcome::SpentElsewhere => {
            let free = Change::FreeCounters(swap.counters());
            vec![
                Change::RemoteProofs { ys, to: RemoteProofState::Unverified },
                Change::EndOperation(swap.id),
                free,
            ]
        }
        SwapOutcome::Unknown(_) => {
            core.wake();
            return Ok(false);
        }
    };
    core.store.commit(changes).await?;
    core.changed();
    if refused {
        ask_again(core, mint, swap.input_ys()?).await?;
    }
    Ok(!refused)
}

/// Asks the mint for the state of proofs it did not swap, and stores it.
async fn ask_again(core: &Core, mint: &Mint, ys: Vec<PublicKey>) -> Result<(), Failure> {
    let states = mint.states(ys.clone()).await?;
    let said = |word: State| {
        ys.iter().zip(&states).filter(move |(_, state)| **state == word).map(|(y, _)| *y).collect()
    };
    let (unspent, spent): (Vec<PublicKey>, Vec<PublicKey>) =
        (said(State::Unspent), said(State::Spent));
    let unspent = Change::RemoteProofs { ys: unspent, to: RemoteProofState::Unspent };
    Ok(core
        .store
        .commit(vec![unspent, Change::RemoteProofs { ys: spent, to: RemoteProofState::Spent }])
        .await?)
}

/// Returns the proofs of an unpaid melt that the mint reports as spent: another device spent them,
/// so the melt can no longer be paid. Returns none while any proof is pending, or if the quote,
/// asked afterwards, is not unpaid: the melt itself may then have spent them.
pub(crate) async fn spent_by_another(
    mint: &Mint,
    quote_id: &str,
    held: &[ProofInfo],
) -> Result<Vec<PublicKey>, Failure> {
    let states = match mint.states(changes::ys(held)).await {
        // A mint without NUT-07 cannot tell.
        Err(error) if error.is_not_served() => return Ok(Vec::new()),
        states => states?,
    };
    let (_, spent) = changes::by_word(held, &states);
    if spent.is_empty()
        || states.iter().any(|state| !matches!(state, State::Spent | State::Unspent))
    {
        return Ok(Vec::new());
    }
    let (word, preimage) = mint.melt_state(quote_id).await?;
    Ok(if word == MeltState::Unpaid && preimage.is_none() { spent } else { Vec::new() })
}

/// Marks those of our proofs as spent that the mint reports as spent, then checks everything else
/// held at that mint.
pub(crate) async fn drop_spent(
    core: &Core,
    mint: &Mint,
    ys: Vec<PublicKey>,
) -> Result<(), Failure> {
    let guard = mint.lock().await;
    let held = core.store.proofs(ys).await?;
    let states = mint.states(changes::ys(&held)).await?;
    let (_, spent) = changes::by_word(&held, &states);
    if !spent.is_empty() {
        core.store.commit(vec![changes::spent(spent)]).await?;
    }
    drop(guard);
    core.changed();
    doubt_the_rest(core, mint.address()).await
}

/// Checks all proofs held at a mint where another device spent some, as it may have spent more.
pub(crate) async fn doubt_the_rest(core: &Core, mint: &MintAddress) -> Result<(), Failure> {
    if core.nostr.is_some() {
        core.store.mark_all_unverified(mint.to_string()).await?;
        verify_at(core, mint, &mut Verified::default()).await?;
    }
    Ok(())
}

/// Returns whether the proofs are worth more than the mint's fee.
async fn is_worth_its_fee(mint: &Mint, coins: &[(PublicKey, Proof)]) -> Result<bool, Failure> {
    let proofs: Vec<Proof> = coins.iter().map(|(_, proof)| proof.clone()).collect();
    Ok(changes::sum_sats(&proofs) > mint.input_fee(&proofs).await?)
}
