//! Which coins to spend: pure, over piles of equal coins that are looked up as needed.
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

/// A coin that can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) amount: u64,
    /// Fee in thousandths.
    pub(super) ppk: u64,
    /// Its Y.
    pub(super) y: [u8; 33],
}

/// Looks coins up by amount.
pub(super) trait Coins {
    type Error;

    /// Up to `limit(amount)` of the `wanted` coins of the greatest amount that is at most
    /// `at_most`, all of that one amount and above zero. Empty when there is none.
    fn pile(
        &self,
        at_most: u64,
        limit: impl Fn(u64) -> usize,
        wanted: impl Fn(&Coin) -> bool,
    ) -> Result<Vec<Coin>, Self::Error>;
}

/// The inputs' fee: rounded up once, over all of them.
pub(super) fn fee(coins: &[Coin]) -> u64 {
    let ppk: u128 = coins.iter().map(|coin| u128::from(coin.ppk)).sum();
    u64::try_from(ppk.div_ceil(1000)).unwrap_or(u64::MAX)
}

fn sum(coins: &[Coin]) -> u128 {
    coins.iter().map(|coin| u128::from(coin.amount)).sum()
}

fn covers(coins: &[Coin], amount: u64) -> bool {
    sum(coins) >= u128::from(amount) + u128::from(fee(coins))
}

/// The choice, or `None` when no choice of at most [`MAX_INPUTS`] coins was found.
pub(super) fn choose<C: Coins>(coins: &C, need: Need) -> Result<Option<Vec<Coin>>, C::Error> {
    match need {
        Need::Exact { amount } => Ok(exact(&piles(coins, amount, amount, |_| true)?, amount)),
        Need::Spend { amount, fee_at_most } => {
            let piles = piles(coins, u64::MAX, amount, worth)?;
            let smallest = spend(&piles, amount);
            match &smallest {
                Some(coins) if fee(coins) > fee_at_most => {
                    Ok(fewest(&piles, amount).filter(|other| fee(other) < fee(coins)).or(smallest))
                }
                _ => Ok(smallest),
            }
        }
    }
}

/// The largest coins that are worth more than they cost, as many as one choice takes.
pub(super) fn largest<C: Coins>(coins: &C) -> Result<Vec<Coin>, C::Error> {
    let (mut found, mut at_most) = (Vec::new(), u64::MAX);
    while found.len() < MAX_INPUTS && at_most > 0 {
        let pile = coins.pile(at_most, |_| MAX_INPUTS, worth)?;
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
pub(super) fn most(mut coins: Vec<Coin>, fee_at_most: u64) -> (u64, u64) {
    coins.retain(worth);
    coins.sort_by_key(|coin| Reverse(coin.amount));
    coins.truncate(MAX_INPUTS);
    let dearest = coins.iter().map(|coin| coin.ppk).max().unwrap_or(0);
    let fee = |count: usize| {
        u64::try_from((count as u128 * u128::from(dearest)).div_ceil(1000)).unwrap_or(u64::MAX)
    };
    let limit = fee_at_most.max(fee(1));
    let within = (0..=coins.len())
        .rev()
        .filter_map(|count| coins.get(..count))
        .find(|some| fee(some.len()) <= limit)
        .unwrap_or_default();
    let left = sum(within).saturating_sub(u128::from(fee(within.len())));
    (u64::try_from(left).unwrap_or(u64::MAX), limit.min(fee(coins.len())))
}

/// The coin adds more than it costs.
fn worth(coin: &Coin) -> bool {
    u128::from(coin.amount) * 1000 > u128::from(coin.ppk)
}

/// The piles from `at_most` down, each no deeper than could be of use: of coins above the need one
/// covers, fees aside.
fn piles<C: Coins>(
    coins: &C,
    mut at_most: u64,
    need: u64,
    wanted: fn(&Coin) -> bool,
) -> Result<Vec<Vec<Coin>>, C::Error> {
    let mut piles = Vec::new();
    let limit = |amount: u64| if amount > need { 4 } else { MAX_INPUTS };
    while piles.len() < MAX_PILES {
        let mut pile = coins.pile(at_most, limit, wanted)?;
        let Some(first) = pile.first() else { break };
        at_most = first.amount.saturating_sub(1);
        pile.sort_by_key(|coin| coin.ppk);
        piles.push(pile);
        if at_most == 0 {
            break;
        }
    }
    Ok(piles)
}

/// Greedy from the largest: finds the fewest coins whenever amounts divide each other, as powers of
/// two do.
fn exact(piles: &[Vec<Coin>], amount: u64) -> Option<Vec<Coin>> {
    let mut rest = amount;
    let mut chosen = Vec::new();
    for coin in piles.iter().flatten() {
        if rest == 0 || chosen.len() > MAX_INPUTS {
            break;
        }
        if coin.amount <= rest {
            rest = rest.saturating_sub(coin.amount);
            chosen.push(*coin);
        }
    }
    (rest == 0 && amount > 0 && chosen.len() <= MAX_INPUTS).then_some(chosen)
}

fn spend(piles: &[Vec<Coin>], amount: u64) -> Option<Vec<Coin>> {
    let mut target = u128::from(amount.max(1));
    for _ in 0..MAX_PILES {
        let Some(mut coins) = cover(piles, target) else { break };
        if covers(&coins, amount) {
            prune(&mut coins, amount);
            return Some(coins);
        }
        // Above the last target, because the coins covered that and not this.
        target = u128::from(amount) + u128::from(fee(&coins));
    }
    let mut coins: Vec<Coin> = piles.iter().flatten().take(MAX_INPUTS).copied().collect();
    covers(&coins, amount).then(|| {
        prune(&mut coins, amount);
        coins
    })
}

/// The fewest coins: the largest, and last of all the smallest that still does.
fn fewest(piles: &[Vec<Coin>], amount: u64) -> Option<Vec<Coin>> {
    let mut coins = Vec::new();
    for coin in piles.iter().flatten().take(MAX_INPUTS) {
        coins.push(*coin);
        if covers(&coins, amount) {
            coins.pop();
            let does = |last: &&Coin| {
                let with = [coins.as_slice(), std::slice::from_ref(*last)].concat();
                last.ppk <= coin.ppk && !coins.contains(last) && covers(&with, amount)
            };
            let last = piles.iter().rev().flatten().find(does).unwrap_or(coin);
            coins.push(*last);
            return Some(coins);
        }
    }
    None
}

/// The smallest sum at or above `target` where amounts are powers of two, and a close one
/// elsewhere.
///
/// Going down, each pile gives what fits. Wherever one coin is left that no longer fits, that coin
/// instead of everything below it also covers; the best of these candidates wins.
fn cover(piles: &[Vec<Coin>], target: u128) -> Option<Vec<Coin>> {
    let mut rest = target;
    let mut chosen: Vec<Coin> = Vec::new();
    let mut best: Option<(u128, usize, Coin)> = None;
    for pile in piles {
        for coin in pile {
            let amount = u128::from(coin.amount);
            if amount <= rest {
                rest -= amount;
                chosen.push(*coin);
                if rest == 0 && chosen.len() <= MAX_INPUTS {
                    return Some(chosen);
                }
            } else {
                let over = amount - rest;
                let better =
                    best.is_none_or(|(least, length, _)| (over, chosen.len()) < (least, length));
                if better && rest > 0 && chosen.len() < MAX_INPUTS {
                    best = Some((over, chosen.len(), *coin));
                }
                break;
            }
        }
    }
    best_of(&chosen, best)
}

fn best_of(chosen: &[Coin], best: Option<(u128, usize, Coin)>) -> Option<Vec<Coin>> {
    let (_, length, last) = best?;
    let mut coins: Vec<Coin> = chosen.iter().take(length).copied().collect();
    coins.push(last);
    Some(coins)
}

/// Leaves out what the rest covers without, smallest first.
fn prune(coins: &mut Vec<Coin>, amount: u64) {
    coins.sort_by_key(|coin| coin.amount);
    let mut at = 0;
    while at < coins.len() {
        let coin = coins.remove(at);
        if !covers(coins, amount) {
            coins.insert(at, coin);
            at += 1;
        }
    }
}

#[cfg(test)]
#[path = "tests/choosing.rs"]
mod tests;
