//! Coin selection, compared with every possible selection where these can be counted.

use std::collections::BTreeSet;
use std::convert::Infallible;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

struct Bag(Vec<Candidate>);

impl Candidates for Bag {
    type Error = Infallible;

    fn pile(
        &self,
        at_most: u64,
        limit: impl Fn(u64) -> usize,
        wanted: impl Fn(&Candidate) -> bool,
    ) -> Result<Vec<Candidate>, Infallible> {
        let fits =
            |candidate: &&Candidate| (1..=at_most).contains(&candidate.amount) && wanted(candidate);
        let amount =
            self.0.iter().filter(fits).map(|candidate| candidate.amount).max().unwrap_or(0);
        Ok(self
            .0
            .iter()
            .filter(fits)
            .filter(|candidate| candidate.amount == amount)
            .take(limit(amount))
            .copied()
            .collect())
    }
}

fn bag(candidates: impl IntoIterator<Item = (u64, u64)>) -> Bag {
    let named = candidates.into_iter().enumerate().map(|(number, (amount, ppk))| {
        let mut y = [0; 33];
        y.iter_mut()
            .zip(u64::try_from(number).unwrap().to_be_bytes())
            .for_each(|(to, from)| *to = from);
        Candidate { amount, ppk, y }
    });
    Bag(named.collect())
}

fn plain(bag: &Bag) -> Vec<(u64, u64)> {
    bag.0.iter().map(|candidate| (candidate.amount, candidate.ppk)).collect()
}

fn take(bag: &Bag, need: Need) -> Option<Vec<Candidate>> {
    let Ok(chosen) = select(bag, need);
    chosen
}

/// Returns the smallest sum of any selection that covers `amount`, by trying all.
fn least(candidates: &[Candidate], amount: u64) -> Option<u128> {
    (0..1_u32 << candidates.len())
        .map(|set| {
            candidates
                .iter()
                .enumerate()
                .filter(|(at, _)| set >> at & 1 == 1)
                .map(|(_, candidate)| *candidate)
                .collect::<Vec<_>>()
        })
        .filter(|set| covers(set, amount))
        .map(|set| sum(&set))
        .min()
}

fn sound(candidates: &[Candidate]) {
    let names: BTreeSet<_> = candidates.iter().map(|candidate| candidate.y).collect();
    assert_eq!(names.len(), candidates.len(), "one coin twice");
    assert!(candidates.len() <= MAX_INPUTS);
}

#[test]
fn large_coins_stay_free_where_small_ones_do() {
    let bag = bag([(1024, 0), (64, 0), (32, 0), (4, 0), (2, 0)]);
    let amounts = |need| {
        take(&bag, need).map(|candidates| {
            candidates.iter().map(|candidate| candidate.amount).collect::<BTreeSet<_>>()
        })
    };
    assert_eq!(
        amounts(Need::Spend { amount: 37, fee_at_most: u64::MAX }),
        Some(BTreeSet::from([32, 4, 2]))
    );
    assert_eq!(
        amounts(Need::Spend { amount: 39, fee_at_most: u64::MAX }),
        Some(BTreeSet::from([64]))
    );
    assert_eq!(amounts(Need::Exact { amount: 38 }), Some(BTreeSet::from([32, 4, 2])));
    assert_eq!(amounts(Need::Exact { amount: 39 }), None);
    assert_eq!(amounts(Need::Spend { amount: 1127, fee_at_most: u64::MAX }), None);
}

#[test]
fn a_coin_that_costs_what_it_is_worth_is_left() {
    assert_eq!(
        take(
            &bag([(1, 1000), (1, 1000), (1, 1000)]),
            Need::Spend { amount: 1, fee_at_most: u64::MAX }
        ),
        None
    );
    assert!(
        take(
            &bag([(1, 1000), (1, 1000), (1, 1000), (1, 1000), (1, 0)]),
            Need::Spend { amount: 1, fee_at_most: u64::MAX }
        )
        .is_some()
    );
    assert!(
        take(&bag((0..40).map(|_| (1, 900))), Need::Spend { amount: 4, fee_at_most: u64::MAX })
            .is_some_and(|candidates| candidates.len() == 40)
    );
    assert!(
        take(&bag([(1, 1000), (2, 1000)]), Need::Spend { amount: 1, fee_at_most: u64::MAX })
            .is_some_and(|candidates| candidates.len() == 1)
    );
}

#[test]
fn never_more_inputs_than_allowed() {
    let dust = bag((0..500).map(|_| (1, 0)));
    assert!(take(&dust, Need::Spend { amount: 64, fee_at_most: u64::MAX }).is_some());
    assert_eq!(take(&dust, Need::Spend { amount: 65, fee_at_most: u64::MAX }), None);
    assert_eq!(take(&dust, Need::Exact { amount: 65 }), None);
    let with_one = bag((0..500).map(|_| (1, 0)).chain([(128, 0)]));
    assert!(
        take(&with_one, Need::Spend { amount: 65, fee_at_most: u64::MAX })
            .is_some_and(|candidates| candidates.len() == 1)
    );
}

/// With random proofs of one or two keysets (the seed is printed), every amount up to the maximum
/// can be paid, and its input fee does not exceed the fee given with the maximum.
#[test]
fn anything_up_to_the_most_is_covered_within_its_fee() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut payable = 0;
    for _ in 0..3_000 {
        let fees = [0, 100, 250, 1_000].map(|ppk| if random.random_bool(0.8) { ppk } else { 100 });
        let ppk = fees[random.random_range(0..4)];
        let count = random.random_range(0..90);
        let bag = bag((0..count).map(|_| {
            (1 << random.random_range(0..11), if random.random_bool(0.9) { ppk } else { fees[0] })
        }));
        let fee_at_most = random.random_range(0..8);
        let (max_spendable, fee_then) = max_spendable(largest(&bag).unwrap(), fee_at_most);
        payable += u32::from(max_spendable > 0);
        let amounts = (0..20)
            .map(|_| random.random_range(0..=max_spendable))
            .chain([1, max_spendable])
            .filter(|amount| (1..=max_spendable).contains(amount));
        for amount in amounts.collect::<Vec<_>>() {
            let chosen = take(&bag, Need::Spend { amount, fee_at_most })
                .unwrap_or_else(|| panic!("{amount} of {max_spendable}: {:?}", plain(&bag)));
            sound(&chosen);
            assert!(
                covers(&chosen, amount) && fee(&chosen) <= fee_then,
                "{amount} of {max_spendable} costs {}: {:?}",
                fee(&chosen),
                plain(&bag)
            );
        }
    }
    println!("{payable} of 3000 bags can pay something");
    assert!(payable > 2_000);
    assert_eq!(max_spendable(Vec::new(), 5), (0, 0));
    assert_eq!(max_spendable(bag([(1, 1_000), (1, 1_000)]).0, 5), (0, 0));
}

#[test]
fn the_fewest_coins_are_taken_where_the_smallest_sum_costs_too_much() {
    let bag = bag((0..10).map(|power| (1 << power, 1_000)));
    let amounts = |fee_at_most| {
        let chosen = take(&bag, Need::Spend { amount: 400, fee_at_most }).unwrap();
        chosen.iter().map(|candidate| candidate.amount).collect::<BTreeSet<_>>()
    };
    assert_eq!(amounts(9), BTreeSet::from([256, 128, 16, 4]));
    assert_eq!(amounts(3), BTreeSet::from([512]));
    assert_eq!(amounts(0), BTreeSet::from([512]));
}

proptest! {
    #[test]
    fn powers_of_two_without_fees_give_the_least_sum(powers in prop::collection::vec(0..8_u32, 0..11), amount in 1..600_u64) {
        let bag = bag(powers.into_iter().map(|power| (1 << power, 0)));
        let chosen = take(&bag, Need::Spend { amount, fee_at_most: u64::MAX });
        prop_assert_eq!(chosen.as_deref().map(sum), least(&bag.0, amount));
        if let Some(chosen) = chosen {
            sound(&chosen);
        }
        let exact = take(&bag, Need::Exact { amount });
        prop_assert_eq!(exact.is_some(), least(&bag.0, amount) == Some(u128::from(amount)));
        prop_assert!(exact.is_none_or(|candidates| sum(&candidates) == u128::from(amount)));
    }

    #[test]
    fn any_coins_cover_whenever_any_choice_does(
        candidates in prop::collection::vec((1..300_u64, prop::sample::select(vec![0, 100, 1000])), 0..11),
        amount in 1..1200_u64,
    ) {
        let bag = bag(candidates);
        let chosen = take(&bag, Need::Spend { amount, fee_at_most: u64::MAX });
        prop_assert_eq!(chosen.is_some(), least(&bag.0, amount).is_some());
        if let Some(chosen) = chosen {
            sound(&chosen);
            prop_assert!(covers(&chosen, amount));
            // No proof in it is superfluous.
            for at in 0..chosen.len() {
                let rest: Vec<_> = chosen.iter().enumerate().filter(|(one, _)| *one != at).map(|(_, candidate)| *candidate).collect();
                prop_assert!(!covers(&rest, amount));
            }
        }
    }
}
