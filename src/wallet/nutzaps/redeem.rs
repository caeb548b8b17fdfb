//! Redeems nutzaps (NIP-61): swaps their unspent proofs, those of many nutzaps in one swap.
//!
//! Asks only mints in use, each until it fails once in a round. A nutzap is dropped for good only
//! for an invalid proof, the mint's answer about its proofs, or because none of its proofs is left;
//! otherwise it waits, 60 days at most.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey, State};

use crate::mint::Mint;
use crate::mint::dleq::{DleqStatus, KeyFetch};
use crate::mint::swap::{SwapOutcome, SwapPurpose, SwapSpec};
use crate::model::mint::MintAddress;
use crate::nostr::nutzap::BadNutzap;
use crate::store::{Change, EventTimes, NutzapChanges, NutzapRow, NutzapState, StoreError};
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::core::relays::Link;
use crate::wallet::engine::swap::swap;
use crate::wallet::nutzaps::collect::WAITED_SECONDS;
use crate::wallet::nutzaps::end_redeem::end_nutzaps;
use crate::wallet::proofs::balances::held_at;
use crate::wallet::proofs::changes::sum_sats;
use crate::wallet::wallet_event::lock_keys::LockKeys;

/// Maximum number of proofs per swap; each has a signature.
const MOST_COINS: usize = 300;
/// Maximum number of swaps at one mint per round.
const MOST_SWAPS: usize = 20;
/// Maximum number of these swaps for proofs without a DLEQ proof, which anyone can make up.
const MOST_UNPROVEN: usize = 8;

/// Result of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The proofs are ours.
    In,
    /// The mint rejected one of the proofs.
    OneIsBad,
    /// The mint refused for another reason or has not decided, or the owner's cap would be
    /// exceeded. Redeeming at this mint ends for this round.
    NotNow,
}

/// Redeems the waiting nutzaps, and those for which there is no room to wait.
pub(super) async fn redeem_nutzaps(
    core: &Core,
    link: &Link,
    keys: &LockKeys,
    beyond: Vec<NutzapRow>,
) -> Result<(), Failure> {
    let (now, setup) = ((core.clock)(), core.setup().await?);
    let mut ended = NutzapChanges { at: now, ..NutzapChanges::default() };
    let mut by_mint: BTreeMap<MintAddress, Vec<NutzapRow>> = BTreeMap::new();
    let waiting =
        core.store.nutzaps().await?.into_iter().filter(|row| row.state == NutzapState::Waiting);
    for mut row in waiting.chain(beyond) {
        let opens: Vec<_> = row.proofs.iter().map(|proof| keys.opens(&proof.secret, now)).collect();
        let hopeless =
            opens.iter().all(|one| matches!(one, Err(why) if *why != BadNutzap::OtherKey));
        if hopeless || row.seen_at.saturating_add(WAITED_SECONDS) < now {
            ended.done.insert(row.id, row.created_at);
            continue;
        }
        let mut opens = opens.iter();
        row.proofs.retain(|_| opens.next().is_some_and(Result::is_ok));
        if !row.proofs.is_empty() && row.next_at <= now && setup.mint(&row.mint).is_some() {
            by_mint.entry(row.mint.clone()).or_default().push(row);
        }
    }
    if !ended.is_empty() {
        core.store.commit(vec![Change::Nutzaps(ended)]).await?;
    }
    let (this, setup) = (core, &setup);
    let rounds = by_mint.into_iter().map(|(mint, rows)| async move {
        let _asking = link.asking(&mint);
        if let Err(error) = redeem_at(this, setup, keys, &mint, rows).await {
            tracing::debug!(%error, "nutzaps wait for their mint");
        }
    });
    futures::future::join_all(rounds).await;
    Ok(())
}

/// Redeems the nutzaps of one mint until it fails.
async fn redeem_at(
    core: &Core,
    setup: &Setup,
    keys: &LockKeys,
    address: &MintAddress,
    mut rows: Vec<NutzapRow>,
) -> Result<(), Failure> {
    let mint = core.mints.at(address)?;
    leave_what_is_ours(core, &mut rows).await?;
    leave_what_is_made_up(core, &mint, &mut rows).await?;
    let cap = setup.mint(address).and_then(|mint| mint.max_balance_sats);
    leave_what_is_over_the_cap(core, cap, address, &mut rows).await?;
    rows.sort_by(|one, other| {
        (one.is_copy, one.seen_at, &one.id).cmp(&(other.is_copy, other.seen_at, &other.id))
    });
    let (mut swaps, mut unproven) = (0_usize, 0_usize);
    while !rows.is_empty() && swaps < MOST_SWAPS {
        let some = first_of(&mut rows);
        if mint.input_fee(&all_coins(&some)).await?
            >= sum_sats(some.iter().flat_map(|row| &row.proofs))
        {
            // Together with later ones, they may be worth the fee.
            continue;
        }
        let some = leave_what_is_spent(core, &mint, some).await?;
        let (proven, others): (Vec<_>, Vec<_>) =
            some.into_iter().partition(|row| row.proofs.iter().all(|proof| proof.dleq.is_some()));
        let mut work: Vec<Vec<NutzapRow>> = others.into_iter().rev().map(|row| vec![row]).collect();
        work.push(proven);
        let mut taken = BTreeSet::new();
        while let Some(mut part) = work.pop() {
            let later = with_a_coin_of_an_earlier_one(&mut part, &taken);
            if !later.is_empty() {
                work.push(later);
            }
            let coins = all_coins(&part);
            if coins.is_empty() || mint.input_fee(&coins).await? >= sum_sats(&coins) {
                continue;
            }
            let is_proven = coins.iter().all(|coin| coin.dleq.is_some());
            if swaps >= MOST_SWAPS || (!is_proven && unproven >= MOST_UNPROVEN) {
                continue;
            }
            (swaps, unproven) =
                (swaps.saturating_add(1), unproven.saturating_add(usize::from(!is_proven)));
            match swap_nutzaps(core, &mint, keys, part.clone(), cap).await? {
                Ended::In => taken.extend(ys(&coins)?),
                Ended::OneIsBad if part.len() > 1 => {
                    let right = part.split_off(part.len() / 2);
                    work.extend([right, part]);
                }
                Ended::OneIsBad => {}
                Ended::NotNow => return Ok(()),
            }
        }
    }
    Ok(())
}

/// Drops proofs that were redeemed before, from this event or another.
async fn leave_what_is_ours(core: &Core, rows: &mut Vec<NutzapRow>) -> Result<(), Failure> {
    let came = core.store.received_by_nutzap(ys(&all_coins(rows))?).await?;
    keep_coins(core, rows, |proof| proof.y().is_ok_and(|y| !came.contains(&y))).await
}

/// Drops proofs that are invalid by the mint's keys (DLEQ). Refreshes the keysets once if one is
/// unknown.
async fn leave_what_is_made_up(
    core: &Core,
    mint: &Mint,
    rows: &mut Vec<NutzapRow>,
) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let coins = all_coins(rows);
    let coins: Vec<&Proof> = coins.iter().collect();
    let mut made = mint.check_dleq(&coins, KeyFetch::Allowed).await?;
    if made.contains(&DleqStatus::UnknownKeyset) {
        mint.refresh_keysets().await?;
        made = mint.check_dleq(&coins, KeyFetch::Allowed).await?;
    }
    let mut made = made.into_iter();
    keep_coins(core, rows, |_| matches!(made.next(), Some(DleqStatus::Valid | DleqStatus::Missing)))
        .await
}

/// Leaves waiting what would exceed the owner's cap at the mint.
async fn leave_what_is_over_the_cap(
    core: &Core,
    cap: Option<u64>,
    address: &MintAddress,
    rows: &mut Vec<NutzapRow>,
) -> Result<(), Failure> {
    let Some(cap) = cap else { return Ok(()) };
    let mut held = held_at(core, address).await?;
    rows.retain(|row| {
        let after = held.saturating_add(sum_sats(&row.proofs));
        let fits = after <= cap;
        held = if fits { after } else { held };
        fits
    });
    Ok(())
}

/// Drops spent proofs. Nutzaps with pending proofs wait: another device's swap may fail.
async fn leave_what_is_spent(
    core: &Core,
    mint: &Mint,
    mut rows: Vec<NutzapRow>,
) -> Result<Vec<NutzapRow>, Failure> {
    let coins = ys(&all_coins(&rows))?;
    let asked: Vec<PublicKey> =
        coins.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let said: BTreeMap<PublicKey, State> =
        asked.iter().copied().zip(mint.states(asked.clone()).await?).collect();
    let state = |proof: &Proof| proof.y().ok().and_then(|y| said.get(&y).copied());
    keep_coins(core, &mut rows, |proof| state(proof) != Some(State::Spent)).await?;
    rows.retain(|row| row.proofs.iter().all(|proof| state(proof) == Some(State::Unspent)));
    Ok(rows)
}

/// Keeps only matching proofs; a nutzap without any left is finished.
async fn keep_coins(
    core: &Core,
    rows: &mut Vec<NutzapRow>,
    mut keep: impl FnMut(&Proof) -> bool,
) -> Result<(), Failure> {
    rows.iter_mut().for_each(|row| row.proofs.retain(&mut keep));
    let done: EventTimes = rows
        .iter()
        .filter(|row| row.proofs.is_empty())
        .map(|row| (row.id.clone(), row.created_at))
        .collect();
    rows.retain(|row| !row.proofs.is_empty());
    if done.is_empty() {
        return Ok(());
    }
    Ok(core
        .store
        .commit(vec![Change::Nutzaps(NutzapChanges {
            at: (core.clock)(),
            done,
            ..NutzapChanges::default()
        })])
        .await?)
}

/// Swaps all proofs of these nutzaps in one swap. The journal entry and the rows are committed only
/// if the owner's cap still allows it, because something else may have arrived in between.
async fn swap_nutzaps(
    core: &Core,
    mint: &Mint,
    keys: &LockKeys,
    mut rows: Vec<NutzapRow>,
    cap: Option<u64>,
) -> Result<Ended, Failure> {
    let more = sum_sats(rows.iter().flat_map(|row| &row.proofs));
    let within = cap.map(|cap| Change::CheckCap { mint: mint.address().clone(), more, cap });
    rows.iter_mut().for_each(|row| row.state = NutzapState::Swapping);
    let mut coins = keys.sign(all_coins(&rows));
    coins.iter_mut().for_each(|coin| coin.dleq = None);
    let purpose = SwapPurpose::Nutzaps(rows.iter().map(|row| row.id.clone()).collect());
    let want = SwapSpec { purpose, give_sats: 0, lock_to: None, memo: None };
    let taken =
        Change::Nutzaps(NutzapChanges { at: (core.clock)(), rows, ..NutzapChanges::default() });
    let guard = mint.lock().await;
    let beside = || within.iter().cloned().chain([taken.clone()]).collect();
    let (swap, outcome) = match swap(core, mint, coins, want, |_| Ok(beside()), &guard).await {
        Err(Failure { cause: Cause::Store(StoreError::OverCap), .. }) => {
            return Ok(Ended::NotNow);
        }
        swapped => swapped?,
    };
    let ended = match &outcome {
        SwapOutcome::Done { .. } => Ended::In,
        SwapOutcome::Refused(error) if error.is_about_a_proof() => Ended::OneIsBad,
        SwapOutcome::Refused(_) | SwapOutcome::SpentElsewhere | SwapOutcome::Unknown(_) => {
            Ended::NotNow
        }
    };
    end_nutzaps(core, &swap, outcome).await?;
    Ok(ended)
}

/// Takes the nutzaps that fit into one swap, and at least one.
fn first_of(rows: &mut Vec<NutzapRow>) -> Vec<NutzapRow> {
    let mut coins = 0_usize;
    let fits = |row: &&NutzapRow| {
        coins = coins.saturating_add(row.proofs.len());
        coins <= MOST_COINS
    };
    let count = rows.iter().take_while(fits).count().max(1);
    rows.drain(..count.min(rows.len())).collect()
}

/// Removes redeemed proofs, and returns the nutzaps that share a proof with an earlier one: they
/// may still have it if the earlier swap fails.
fn with_a_coin_of_an_earlier_one(
    rows: &mut Vec<NutzapRow>,
    taken: &BTreeSet<PublicKey>,
) -> Vec<NutzapRow> {
    let y = |proof: &Proof| proof.y().ok();
    rows.iter_mut()
        .for_each(|row| row.proofs.retain(|proof| y(proof).is_some_and(|y| !taken.contains(&y))));
    let (mut seen, mut first, mut later) = (BTreeSet::new(), Vec::new(), Vec::new());
    for row in rows.drain(..).filter(|row| !row.proofs.is_empty()) {
        let coins: Vec<PublicKey> = row.proofs.iter().filter_map(y).collect();
        if coins.iter().any(|y| seen.contains(y)) {
            later.push(row);
        } else {
            seen.extend(coins);
            first.push(row);
        }
    }
    *rows = first;
    later
}

fn all_coins(rows: &[NutzapRow]) -> Vec<Proof> {
    rows.iter().flat_map(|row| row.proofs.iter().cloned()).collect()
}

fn ys(coins: &[Proof]) -> Result<Vec<PublicKey>, Failure> {
    coins
        .iter()
        .map(|coin| coin.y().map_err(|_| Cause::Damaged("a coin of a nutzap has no Y").into()))
        .collect()
}
