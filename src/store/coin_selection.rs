//! Coin selection: pure, over piles of proofs of one amount that are looked up as needed.
//!
//! Selects the smallest sum that covers the need and the inputs' own fees (NUT-02), so that large
//! proofs stay free; among equal sums, the fewest proofs. If that costs more than the caller wants
//! to spend on fees, selects the fewest proofs. Never selects more than [`MAX_INPUTS`] proofs, or
//! one that costs what it is worth.

use std::cmp::Reverse;

/// Maximum number of proofs in one selection.
pub const MAX_INPUTS: usize = 64;
/// Maximum number of amounts that are examined; a mint has one for each power of two.
const MAX_PILES: usize = 256;

/// Purpose of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// At least `amount` beyond the inputs' fees, for a melt or a swap.
    Spend {
        /// Sats, or the smallest step of another unit.
        amount: u64,
        /// The input fee not to exceed, unless no selection costs less.
        fee_at_most: u64,
    },
    /// Exactly `amount`, for a token without a swap; its recipient pays the fees.
    Exact {
        /// Sats, or the smallest step of another unit.
        amount: u64,
    },
}

/// A proof that can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) amount: u64,
    /// The input fee in thousandths.
    pub(super) ppk: u64,
    pub(super) y: [u8; 33],
}

/// Lookup of candidates by amount.
pub(super) trait Candidates {
    type Error;

    /// Returns up to `limit(amount)` of the `wanted` proofs of the largest amount up to `at_most`,
    /// all of that amount and above zero. Empty if there is none.
    fn pile(
        &self,
        at_most: u64,
        limit: impl Fn(u64) -> usize,
        wanted: impl Fn(&Candidate) -> bool,
    ) -> Result<Vec<Candidate>, Self::Error>;
}

/// Returns the input fee, rounded up once over all proofs.
pub(super) fn fee(candidates: &[Candidate]) -> u64 {
    let ppk: u128 = candidates.iter().map(|candidate| u128::from(candidate.ppk)).sum();
    u64::try_from(ppk.div_ceil(1000)).unwrap_or(u64::MAX)
}

fn sum(candidates: &[Candidate]) -> u128 {
    candidates.iter().map(|candidate| u128::from(candidate.amount)).sum()
}

fn covers(candidates: &[Candidate], amount: u64) -> bool {
    sum(candidates) >= u128::from(amount) + u128::from(fee(candidates))
}

/// Selects proofs. `None` if no selection of at most [`MAX_INPUTS`] proofs was found.
pub(super) fn select<C: Candidates>(
    candidates: &C,
    need: Need,
) -> Result<Option<Vec<Candidate>>, C::Error> {
    match need {
        Need::Exact { amount } => Ok(exact(&piles(candidates, amount, amount, |_| true)?, amount)),
        Need::Spend { amount, fee_at_most } => {
            let piles = piles(candidates, u64::MAX, amount, worth)?;
            let smallest = spend(&piles, amount);
            match &smallest {
                Some(candidates) if fee(candidates) > fee_at_most => Ok(fewest(&piles, amount)
                    .filter(|other| fee(other) < fee(candidates))
                    .or(smallest)),
                _ => Ok(smallest),
            }
        }
    }
}

/// Returns the largest proofs that are worth more than they cost, enough for one selection.
pub(super) fn largest<C: Candidates>(candidates: &C) -> Result<Vec<Candidate>, C::Error> {
    let (mut found, mut at_most) = (Vec::new(), u64::MAX);
    while found.len() < MAX_INPUTS && at_most > 0 {
        let pile = candidates.pile(at_most, |_| MAX_INPUTS, worth)?;
        let Some(first) = pile.first() else { break };
        at_most = first.amount.saturating_sub(1);
        found.extend(pile);
    }
    Ok(found)
}

/// Returns the largest amount that can be spent besides the input fee, and the largest such fee, if
/// a selection may cost `fee_at_most` or the fee of one proof, whichever is more. Every amount up
/// to the first can be spent with a fee of at most the second. Assumes that all of the largest
/// proofs have the highest fee among them.
pub(super) fn max_spendable(mut candidates: Vec<Candidate>, fee_at_most: u64) -> (u64, u64) {
    candidates.retain(worth);
    candidates.sort_by_key(|candidate| Reverse(candidate.amount));
    candidates.truncate(MAX_INPUTS);
    let dearest = candidates.iter().map(|candidate| candidate.ppk).max().unwrap_or(0);
    let fee = |count: usize| {
        u64::try_from((count as u128 * u128::from(dearest)).div_ceil(1000)).unwrap_or(u64::MAX)
    };
    let limit = fee_at_most.max(fee(1));
    let within = (0..=candidates.len())
        .rev()
        .filter_map(|count| candidates.get(..count))
        .find(|some| fee(some.len()) <= limit)
        .unwrap_or_default();
    let left = sum(within).saturating_sub(u128::from(fee(within.len())));
    (u64::try_from(left).unwrap_or(u64::MAX), limit.min(fee(candidates.len())))
}

/// Returns whether the proof is worth more than it costs.
fn worth(candidate: &Candidate) -> bool {
    u128::from(candidate.amount) * 1000 > u128::from(candidate.ppk)
}

/// Returns the piles from `at_most` down, each as deep as can be useful: above the need, one proof
/// suffices, except for fees.
fn piles<C: Candidates>(
    candidates: &C,
    mut at_most: u64,
    need: u64,
    wanted: fn(&Candidate) -> bool,
) -> Result<Vec<Vec<Candidate>>, C::Error> {
    let mut piles = Vec::new();
    let limit = |amount: u64| if amount > need { 4 } else { MAX_INPUTS };
    while piles.len() < MAX_PILES {
        let mut pile = candidates.pile(at_most, limit, wanted)?;
        let Some(first) = pile.first() else { break };
        at_most = first.amount.saturating_sub(1);
        pile.sort_by_key(|candidate| candidate.ppk);
        piles.push(pile);
        if at_most == 0 {
            break;
        }
    }
    Ok(piles)
}

/// Selects greedily from the largest: the fewest proofs if the amounts divide each other, as powers
/// of two do.
fn exact(piles: &[Vec<Candidate>], amount: u64) -> Option<Vec<Candidate>> {
    let mut rest = amount;
    let mut chosen = Vec::new();
    for candidate in piles.iter().flatten() {
        if rest == 0 || chosen.len() > MAX_INPUTS {
            break;
        }
        if candidate.amount <= rest {
            rest = rest.saturating_sub(candidate.amount);
            chosen.push(*candidate);
        }
    }
    (rest == 0 && amount > 0 && chosen.len() <= MAX_INPUTS).then_some(chosen)
}

fn spend(piles: &[Vec<Candidate>], amount: u64) -> Option<Vec<Candidate>> {
    let mut target = u128::from(amount.max(1));
    for _ in 0..MAX_PILES {
        let Some(mut candidates) = cover(piles, target) else { break };
        if covers(&candidates, amount) {
            prune(&mut candidates, amount);
            return Some(candidates);
        }
        // Always higher than the last target: the proofs cover that one, but not the amount plus
        // their own fee.
        target = u128::from(amount) + u128::from(fee(&candidates));
    }
    let mut candidates: Vec<Candidate> = piles.iter().flatten().take(MAX_INPUTS).copied().collect();
    covers(&candidates, amount).then(|| {
        prune(&mut candidates, amount);
        candidates
    })
}

/// Selects the fewest proofs: the largest, and as the last the smallest that suffices.
fn fewest(piles: &[Vec<Candidate>], amount: u64) -> Option<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for candidate in piles.iter().flatten().take(MAX_INPUTS) {
        candidates.push(*candidate);
        if covers(&candidates, amount) {
            candidates.pop();
            let does = |last: &&Candidate| {
                let with = [candidates.as_slice(), std::slice::from_ref(*last)].concat();
                last.ppk <= candidate.ppk && !candidates.contains(last) && covers(&with, amount)
            };
            let last = piles.iter().rev().flatten().find(does).unwrap_or(candidate);
            candidates.push(*last);
            return Some(candidates);
        }
    }
    None
}

/// Selects the smallest sum from `target` up if amounts are powers of two, otherwise a close one.
///
/// Going down, each pile adds what fits. A proof that no longer fits would cover the target instead
/// of everything below it; the best such proof wins unless the target is met exactly.
fn cover(piles: &[Vec<Candidate>], target: u128) -> Option<Vec<Candidate>> {
    let mut rest = target;
    let mut chosen: Vec<Candidate> = Vec::new();
    let mut best: Option<(u128, usize, Candidate)> = None;
    for pile in piles {
        for candidate in pile {
            let amount = u128::from(candidate.amount);
            if amount <= rest {
                rest -= amount;
                chosen.push(*candidate);
                if rest == 0 && chosen.len() <= MAX_INPUTS {
                    return Some(chosen);
                }
            } else {
                let over = amount - rest;
                let better =
                    best.is_none_or(|(least, length, _)| (over, chosen.len()) < (least, length));
                if better && rest > 0 && chosen.len() < MAX_INPUTS {
                    best = Some((over, chosen.len(), *candidate));
                }
                break;
            }
        }
    }
    best_of(&chosen, best)
}

fn best_of(chosen: &[Candidate], best: Option<(u128, usize, Candidate)>) -> Option<Vec<Candidate>> {
    let (_, length, last) = best?;
    let mut candidates: Vec<Candidate> = chosen.iter().take(length).copied().collect();
    candidates.push(last);
    Some(candidates)
}

/// Removes the proofs that the others can do without, smallest first.
fn prune(candidates: &mut Vec<Candidate>, amount: u64) {
    candidates.sort_by_key(|candidate| candidate.amount);
    let mut at = 0;
    while at < candidates.len() {
        let candidate = candidates.remove(at);
        if !covers(candidates, amount) {
            candidates.insert(at, candidate);
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests;
