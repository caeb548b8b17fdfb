//! Coin selection: pure, over piles of proofs of one amount that are looked up as needed.
//!
//! Takes the smallest sum that covers what is needed and the inputs' own fees (NUT-02), so that
//! large coins stay free for others; of equal sums the fewest coins. Where that would cost more
//! than the caller wants to spend on it, the fewest coins. Never takes more than [`MAX_INPUTS`]
//! coins, nor one that costs what it is worth.

use std::cmp::Reverse;

/// The most coins of one choice.
pub const MAX_INPUTS: usize = 64;
/// The most different amounts that are looked at; a mint has one for each power of two.
const MAX_PILES: usize = 256;

/// What the coins are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// At least `amount` beyond the inputs' fees: for a melt or a swap.
    Spend {
        /// Sats, or the unit's own step.
        amount: u64,
        /// The most that the inputs' fee should be; more only where no choice costs less.
        fee_at_most: u64,
    },
    /// Exactly `amount`, fees left to whoever swaps them: for a token without a swap.
    Exact {
        /// Sats, or the unit's own step.
        amount: u64,
    },
}

/// A proof that can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) amount: u64,
    /// Fee in thousandths.
    pub(super) ppk: u64,
    /// Its Y.
    pub(super) y: [u8; 33],
}

/// Looks candidates up by amount.
pub(super) trait Candidates {
    type Error;

    /// Up to `limit(amount)` of the `wanted` coins of the greatest amount that is at most
    /// `at_most`, all of that one amount and above zero. Empty when there is none.
    fn pile(
        &self,
        at_most: u64,
        limit: impl Fn(u64) -> usize,
        wanted: impl Fn(&Candidate) -> bool,
    ) -> Result<Vec<Candidate>, Self::Error>;
}

/// The inputs' fee: rounded up once, over all of them.
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

/// The choice, or `None` when no choice of at most [`MAX_INPUTS`] coins was found.
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

/// The largest coins that are worth more than they cost, as many as one choice takes.
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

/// The most that can be spent beside the inputs' fee, and the most that this fee can be, where each
/// choice is asked to cost no more than `fee_at_most`, or what one coin costs: anything up to that
/// amount is covered within that fee. Takes the largest coins there are, as if each cost what the
/// dearest does.
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

/// The coin adds more than it costs.
fn worth(candidate: &Candidate) -> bool {
    u128::from(candidate.amount) * 1000 > u128::from(candidate.ppk)
}

/// The piles from `at_most` down, each no deeper than could be of use: of coins above the need one
/// covers, fees aside.
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

/// Greedy from the largest: finds the fewest coins whenever amounts divide each other, as powers of
/// two do.
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
        // Above the last target, because the coins covered that and not this.
        target = u128::from(amount) + u128::from(fee(&candidates));
    }
    let mut candidates: Vec<Candidate> = piles.iter().flatten().take(MAX_INPUTS).copied().collect();
    covers(&candidates, amount).then(|| {
        prune(&mut candidates, amount);
        candidates
    })
}

/// The fewest coins: the largest, and last of all the smallest that still does.
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

/// The smallest sum at or above `target` where amounts are powers of two, and a close one
/// elsewhere.
///
/// Going down, each pile gives what fits. Wherever one coin is left that no longer fits, that coin
/// instead of everything below it also covers; the best of these candidates wins.
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

/// Leaves out what the rest covers without, smallest first.
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
#[path = "tests/coin_selection.rs"]
mod tests;
