//! Store changes for proofs: what each step of an operation does to them.
//!
//! Never asks a mint.

use cdk_common::nuts::{Proof, PublicKey, State};
use cdk_common::wallet::ProofInfo;
use uuid::Uuid;

use crate::mint::swap::Swap;
use crate::store::{Change, STALE_HOLD};
use crate::wallet::core::failure::Failure;

/// A proof with its stored metadata.
pub(crate) type Coin = ProofInfo;

/// Proofs, named by Y.
pub(crate) type Ys = Vec<PublicKey>;

/// Returns the Y of each proof.
pub(crate) fn ys(coins: &[ProofInfo]) -> Vec<PublicKey> {
    coins.iter().map(|coin| coin.y).collect()
}

/// Strips the stored metadata.
pub(crate) fn proofs(coins: Vec<ProofInfo>) -> Vec<Proof> {
    coins.into_iter().map(|coin| coin.proof).collect()
}

/// Sums up the proofs, in sats.
pub(crate) fn total_sats(coins: &[ProofInfo]) -> u64 {
    sum_sats(coins.iter().map(|coin| &coin.proof))
}

/// Sums up bare proofs, in sats.
pub(crate) fn sum_sats<'a>(proofs: impl IntoIterator<Item = &'a Proof>) -> u64 {
    proofs.into_iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add)
}

/// Returns whether any proof is locked (NUT-10).
pub(crate) fn locked(coins: &[ProofInfo]) -> bool {
    coins.iter().any(|coin| coin.spending_condition.is_some())
}

/// Reserves unspent proofs for an operation. If one is not unspent, the whole commit fails.
pub(crate) fn reserve(ys: Vec<PublicKey>, operation: Uuid) -> Change {
    Change::ProofState {
        ys,
        expect: Some(vec![State::Unspent]),
        to: State::Reserved,
        operation: Some(operation),
    }
}

/// Marks unspent proofs as handed out in a token.
pub(crate) fn hand_out(ys: &[PublicKey]) -> Change {
    Change::ProofState {
        ys: ys.to_vec(),
        expect: Some(vec![State::Unspent]),
        to: State::PendingSpent,
        operation: None,
    }
}

/// Frees proofs that an operation held.
pub(crate) fn free(ys: Vec<PublicKey>) -> Change {
    Change::ProofState {
        ys,
        expect: Some(vec![State::Reserved, State::Pending]),
        to: State::Unspent,
        operation: None,
    }
}

/// Returns the proofs that the mint calls unspent, and those it calls spent. Pending proofs are in
/// neither.
pub(crate) fn by_word(coins: &[ProofInfo], states: &[State]) -> (Vec<PublicKey>, Vec<PublicKey>) {
    let said = |word: State| {
        coins
            .iter()
            .zip(states)
            .filter(move |(_, state)| **state == word)
            .map(|(coin, _)| coin.y)
            .collect()
    };
    (said(State::Unspent), said(State::Spent))
}

/// Marks proofs as spent.
pub(crate) fn spent(ys: Vec<PublicKey>) -> Change {
    Change::ProofState { ys, expect: None, to: State::Spent, operation: None }
}

/// Ends a completed swap: adds the new proofs, marks the inputs as spent, removes the row.
pub(crate) fn swapped(swap: &Swap, new: Vec<ProofInfo>) -> Result<Vec<Change>, Failure> {
    Ok(vec![Change::Proofs { add: new }, spent(swap.input_ys()?), Change::EndOperation(swap.id)])
}

/// Frees proofs that an operation had reserved.
pub(crate) fn unreserve(ys: Vec<PublicKey>) -> Change {
    Change::ProofState {
        ys,
        expect: Some(vec![State::Reserved]),
        to: State::Unspent,
        operation: None,
    }
}

/// Adds all proofs of a swap that was found completed, including those meant to be given away.
/// Skips proofs locked to someone else.
pub(crate) fn made_after_all(give: Vec<ProofInfo>, keep: Vec<ProofInfo>) -> Change {
    let mut add = keep;
    add.extend(give.into_iter().filter(|coin| coin.spending_condition.is_none()).map(freed));
    Change::Proofs { add }
}

/// Makes a proof that was meant to be given away an unspent one.
pub(crate) fn freed(mut coin: ProofInfo) -> ProofInfo {
    (coin.state, coin.used_by_operation) = (State::Unspent, None);
    coin
}

/// Returns proofs recorded as spent to the balance.
pub(crate) fn revive(ys: Vec<PublicKey>) -> Change {
    Change::Revive { ys, to: State::Unspent }
}

/// Returns proofs recorded as spent to their unclaimed token.
pub(crate) fn unclaim(ys: Vec<PublicKey>) -> Change {
    Change::Revive { ys, to: State::PendingSpent }
}

/// Returns whether all states are spent (`spent`) or all are unspent.
pub(crate) fn all(states: &[State], spent: bool) -> bool {
    states.iter().all(|state| *state == if spent { State::Spent } else { State::Unspent })
}

/// Sums of what a mint says it has signed for this wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Unspent sats.
    pub unspent_sats: u64,
    /// Part of the unspent sats that the store did not have as spendable.
    pub restored_sats: u64,
    /// Pending sats, held by an operation at the mint.
    pub pending_sats: u64,
    /// Spent sats.
    pub spent_sats: u64,
    /// Number of proofs.
    pub coins: u64,
    /// Sats unknown to the store; after the loss of a wallet file also those spent by now.
    pub(crate) new_sats: u64,
}

/// Result of comparing a mint's signatures with the store.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Changes to commit.
    pub(crate) changes: Vec<Change>,
    /// Proofs recorded as spent that the mint calls unspent.
    pub(crate) revived: Vec<Coin>,
}

/// Sets each proof's state; `states` are in the order of `coins`.
pub(crate) fn in_states(mut coins: Vec<ProofInfo>, states: &[State]) -> Vec<ProofInfo> {
    coins.iter_mut().zip(states).for_each(|(coin, state)| coin.state = *state);
    coins
}

/// Compares what a mint has signed with the store. `known` are the states stored before the mint
/// was asked; a proof that was held then may have been spent since. `promised` are proofs that
/// operations hold or may bring in, and that only those operations may change. Spent proofs are
/// stored if something unfinished could bring them in again, and count as new if a wallet file was
/// lost.
pub(crate) fn found(
    told: Vec<ProofInfo>,
    known: &[(PublicKey, State)],
    promised: &[PublicKey],
    (unfinished, lost_life): (bool, bool),
    sums: &mut Found,
) -> Findings {
    let mut findings = Findings::default();
    let mut new = Vec::new();
    for coin in told {
        let sats = coin.proof.amount.to_u64();
        sums.coins = sums.coins.saturating_add(1);
        let ours = known.iter().find(|(y, _)| *y == coin.y).map(|(_, state)| *state);
        let sum = match coin.state {
            State::Unspent => &mut sums.unspent_sats,
            State::Spent => &mut sums.spent_sats,
            _ => &mut sums.pending_sats,
        };
        *sum = sum.saturating_add(sats);
        let theirs = promised.contains(&coin.y);
        let y = coin.y;
        if ours.is_none() && !theirs && (lost_life || coin.state != State::Spent) {
            sums.new_sats = sums.new_sats.saturating_add(sats);
        }
        match (coin.state, ours) {
            (State::Unspent, None) if !theirs => {
                sums.restored_sats = sums.restored_sats.saturating_add(sats);
                new.push(coin);
            }
            (State::Unspent, Some(State::Spent)) if !theirs => {
                sums.restored_sats = sums.restored_sats.saturating_add(sats);
                findings.revived.push(coin);
            }
            (State::Pending, None) if !theirs => {
                new.push(ProofInfo { used_by_operation: Some(STALE_HOLD), ..coin })
            }
            (State::Spent, None) if unfinished => new.push(coin),
            (State::Spent | State::Pending, Some(State::Unspent)) => {
                findings.changes.push(Change::ProofState {
                    ys: vec![y],
                    expect: Some(vec![State::Unspent]),
                    to: coin.state,
                    operation: (coin.state == State::Pending).then_some(STALE_HOLD),
                })
            }
            _ => {}
        }
    }
    if !new.is_empty() {
        findings.changes.push(Change::Proofs { add: new });
    }
    findings
}

/// Returns the changes for held proofs whose mint was asked: free, spent, or still held.
pub(crate) fn asked(held: &[ProofInfo], states: &[State], sums: &mut Found) -> Vec<Change> {
    let mut changes = Vec::new();
    for (to, expect) in [(State::Unspent, Some(vec![State::Pending])), (State::Spent, None)] {
        let these =
            || held.iter().zip(states).filter(|(_, told)| **told == to).map(|(coin, _)| coin);
        let ys: Ys = these().map(|coin| coin.y).collect();
        if to == State::Unspent {
            sums.restored_sats = these()
                .map(|coin| coin.proof.amount.to_u64())
                .fold(sums.restored_sats, u64::saturating_add);
        }
        if !ys.is_empty() {
            changes.push(Change::ProofState { ys, expect, to, operation: None });
        }
    }
    changes
}

/// Returns whether the change marks proofs as spent.
pub(crate) fn spends(change: &Change) -> bool {
    matches!(change, Change::ProofState { to: State::Spent, .. })
}
