//! Coins as changes of the store: what each step of a swap does to the coins it touches.
//!
//! Never asks a mint anything.

use cdk_common::nuts::{Proof, PublicKey, State};
use cdk_common::wallet::ProofInfo;
use uuid::Uuid;

use crate::mint::swap::Swap;
use crate::store::{Change, STALE_HOLD};
use crate::wallet::core::failure::Failure;

/// A coin with what the store keeps beside it.
pub(crate) type Coin = ProofInfo;

/// Coins by Y.
pub(crate) type Ys = Vec<PublicKey>;

/// The coins by Y.
pub(crate) fn ys(coins: &[ProofInfo]) -> Vec<PublicKey> {
    coins.iter().map(|coin| coin.y).collect()
}

/// The coins without what the store keeps beside them.
pub(crate) fn proofs(coins: Vec<ProofInfo>) -> Vec<Proof> {
    coins.into_iter().map(|coin| coin.proof).collect()
}

/// Sats in all.
pub(crate) fn total_sats(coins: &[ProofInfo]) -> u64 {
    sum_sats(coins.iter().map(|coin| &coin.proof))
}

/// What proofs are worth together, in sats.
pub(crate) fn sum_sats<'a>(proofs: impl IntoIterator<Item = &'a Proof>) -> u64 {
    proofs.into_iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add)
}

/// At least one of them is locked (NUT-10).
pub(crate) fn locked(coins: &[ProofInfo]) -> bool {
    coins.iter().any(|coin| coin.spending_condition.is_some())
}

/// Reserves unspent coins for an operation; a coin that is not unspent refuses the whole commit.
pub(crate) fn reserve(ys: Vec<PublicKey>, operation: Uuid) -> Change {
    Change::ProofState {
        ys,
        expect: Some(vec![State::Unspent]),
        to: State::Reserved,
        operation: Some(operation),
    }
}

/// Unspent coins become a token as they are.
pub(crate) fn hand_out(ys: &[PublicKey]) -> Change {
    Change::ProofState {
        ys: ys.to_vec(),
        expect: Some(vec![State::Unspent]),
        to: State::PendingSpent,
        operation: None,
    }
}

/// Coins that an operation held are free again.
pub(crate) fn free(ys: Vec<PublicKey>) -> Change {
    Change::ProofState {
        ys,
        expect: Some(vec![State::Reserved, State::Pending]),
        to: State::Unspent,
        operation: None,
    }
}

/// Coins by what the mint says of them: unspent, and spent. Those under way are in neither.
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

/// Coins that the mint says are spent.
pub(crate) fn spent(ys: Vec<PublicKey>) -> Change {
    Change::ProofState { ys, expect: None, to: State::Spent, operation: None }
}

/// A swap that came through: new coins in, inputs spent, its row gone.
pub(crate) fn swapped(swap: &Swap, new: Vec<ProofInfo>) -> Result<Vec<Change>, Failure> {
    Ok(vec![Change::Proofs { add: new }, spent(swap.input_ys()?), Change::EndOperation(swap.id)])
}

/// Coins that an operation had reserved are free again.
pub(crate) fn unreserve(ys: Vec<PublicKey>) -> Change {
    Change::ProofState {
        ys,
        expect: Some(vec![State::Reserved]),
        to: State::Unspent,
        operation: None,
    }
}

/// What a swap made after all, all of it ours: what was to be given away was not. Coins locked to
/// another are left out.
pub(crate) fn made_after_all(give: Vec<ProofInfo>, keep: Vec<ProofInfo>) -> Change {
    let mut add = keep;
    add.extend(give.into_iter().filter(|coin| coin.spending_condition.is_none()).map(freed));
    Change::Proofs { add }
}

/// A coin that was made to be given away and is kept.
pub(crate) fn freed(mut coin: ProofInfo) -> ProofInfo {
    (coin.state, coin.used_by_operation) = (State::Unspent, None);
    coin
}

/// Coins that were thought to be spent are ours.
pub(crate) fn revive(ys: Vec<PublicKey>) -> Change {
    Change::Revive { ys, to: State::Unspent }
}

/// Coins that were thought to be spent are those of a token that nobody has claimed.
pub(crate) fn unclaim(ys: Vec<PublicKey>) -> Change {
    Change::Revive { ys, to: State::PendingSpent }
}

/// All are in this state.
pub(crate) fn all(states: &[State], spent: bool) -> bool {
    states.iter().all(|state| *state == if spent { State::Spent } else { State::Unspent })
}

/// Sats that a mint has signed for us, as it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Not spent.
    pub unspent_sats: u64,
    /// Of these, what the store did not have as spendable.
    pub restored_sats: u64,
    /// Held by something under way.
    pub pending_sats: u64,
    /// Spent.
    pub spent_sats: u64,
    /// Coins in all.
    pub coins: u64,
    /// What the store did not know at all, in a life that was lost also what is spent by now.
    pub(crate) new_sats: u64,
}

/// What a mint's signatures and states make of the store.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// To be committed.
    pub(crate) changes: Vec<Change>,
    /// Taken for spent, and not spent.
    pub(crate) revived: Vec<Coin>,
}

/// Coins in the states that their mint gives them, in the order in which they were asked about.
pub(crate) fn in_states(mut coins: Vec<ProofInfo>, states: &[State]) -> Vec<ProofInfo> {
    coins.iter_mut().zip(states).for_each(|(coin, state)| coin.state = *state);
    coins
}

/// Sorts what a mint has signed. `known` are the states that the store had of it before the mint
/// was asked for its own: a coin that was held then may have been spent since. `promised` are coins
/// that operations hold or may bring in: what becomes of them is the operation's affair. Spent
/// coins are remembered where something unfinished could bring them in again, and count as new
/// where a life was lost in which they were spent.
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

/// Held coins whose mint has been asked: free, or spent, or held on.
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

/// Coins become spent by this.
pub(crate) fn spends(change: &Change) -> bool {
    matches!(change, Change::ProofState { to: State::Spent, .. })
}
