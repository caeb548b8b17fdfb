//! Splits amounts into the denominations of a keyset.

use std::collections::BTreeMap;

use cdk::amount::{Amount, FeeAndAmounts};
use cdk::nuts::KeySet;

use super::error::{MintError, nut};

/// Maximum number of outputs on each side of a swap: enough for any amount with one key per power
/// of two.
const MAX_OUTPUTS: u64 = 64;

/// Largest total input fee accepted for exact proofs, in sats: 16 per proof on average.
const MAX_FEE: u64 = 16 * MAX_OUTPUTS;

/// Number of proofs of each amount that the wallet aims to hold, so that payments run in parallel
/// and tokens need no swap.
const TARGET_COUNT: usize = 3;

/// Returns the amounts that a keyset signs, and its fee.
pub(super) fn fee_and_amounts(keyset: &KeySet) -> FeeAndAmounts {
    let amounts: Vec<u64> = keyset.keys.iter().map(|(amount, _)| amount.to_u64()).collect();
    (keyset.input_fee_ppk, amounts).into()
}

/// Splits an amount into the fewest proofs.
///
/// # Errors
/// [`MintError::Refused`] if they exceed [`MAX_OUTPUTS`]: a forged token may have any amount.
pub(super) fn split_amount(sats: u64, amounts: &FeeAndAmounts) -> Result<Vec<u64>, MintError> {
    let (mut left, mut count) = (sats, 0_u64);
    for amount in amounts.amounts().iter().rev() {
        count = count.saturating_add(left.checked_div(*amount).unwrap_or(0));
        left = left.checked_rem(*amount).unwrap_or(left);
    }
    if count > MAX_OUTPUTS {
        return Err(MintError::Refused {
            code: nut::OUT_OF_RANGE,
            reason: "too many proofs for one swap".to_owned(),
        });
    }
    let split = Amount::from(sats).split(amounts).map_err(super::outputs::wrong)?;
    Ok(split.into_iter().map(|amount| amount.to_u64()).collect())
}

/// Returns the smallest total of proofs that leaves `sats` after their own input fee, split into
/// the fewest proofs.
///
/// # Errors
/// Those of [`split_amount`], and if the fee is disproportionate.
pub(super) fn amount_with_fee(sats: u64, amounts: &FeeAndAmounts) -> Result<u64, MintError> {
    for worth in sats..=sats.saturating_add(MAX_FEE) {
        let count = u64::try_from(split_amount(worth, amounts)?.len()).unwrap_or(u64::MAX);
        if worth.saturating_sub(count.saturating_mul(amounts.fee()).div_ceil(1000)) >= sats {
            return Ok(worth);
        }
    }
    Err(MintError::Refused {
        code: nut::UNBALANCED,
        reason: "the fee is disproportionate".to_owned(),
    })
}

/// Splits an amount into proofs, small ones first as far as the wallet lacks them. `held` is the
/// number it has of each amount.
///
/// # Errors
/// Those of [`split_amount`].
pub(super) fn spread(
    sats: u64,
    held: &BTreeMap<u64, usize>,
    amounts: &FeeAndAmounts,
) -> Result<Vec<u64>, MintError> {
    let (mut parts, mut left) = (Vec::new(), sats);
    for amount in amounts.amounts() {
        let lacking = TARGET_COUNT.saturating_sub(held.get(amount).copied().unwrap_or(0));
        for _ in 0..lacking {
            let Some(rest) = left.checked_sub(*amount).filter(|_| *amount > 0) else { break };
            left = rest;
            parts.push(*amount);
        }
    }
    parts.extend(split_amount(left, amounts)?);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyset() -> FeeAndAmounts {
        (0, (0..20).map(|power| 1_u64 << power).collect::<Vec<u64>>()).into()
    }

    #[test]
    fn small_coins_come_first_and_only_as_far_as_they_are_lacking() -> Result<(), MintError> {
        assert_eq!(spread(10, &BTreeMap::new(), &keyset())?, [1, 1, 1, 2, 2, 2, 1]);
        assert_eq!(spread(10, &BTreeMap::from([(1, 3), (2, 2)]), &keyset())?, [2, 4, 4]);
        for sats in [1, 100, 1_000, 123_456] {
            assert_eq!(spread(sats, &BTreeMap::new(), &keyset())?.iter().sum::<u64>(), sats);
        }
        Ok(())
    }

    #[test]
    fn exact_coins_leave_what_is_needed_after_their_own_fee() -> Result<(), MintError> {
        for ppk in [0, 100, 250, 1_000, 5_000] {
            let amounts: FeeAndAmounts =
                (ppk, (0..20).map(|power| 1_u64 << power).collect::<Vec<u64>>()).into();
            let left = |worth: u64| {
                let fee = (split_amount(worth, &amounts)?.len() as u64 * ppk).div_ceil(1000);
                Ok::<u64, MintError>(worth.saturating_sub(fee))
            };
            for sats in (1..600).chain([4_095, 4_096, 100_000]) {
                let worth = amount_with_fee(sats, &amounts)?;
                assert!(left(worth)? >= sats, "{sats} at {ppk} ppk");
                assert!(
                    worth == sats
                        || (sats..worth).all(|less| left(less).is_ok_and(|left| left < sats)),
                    "{sats} at {ppk} ppk: {worth}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn an_amount_that_would_take_too_many_coins_is_refused() {
        assert!(split_amount(900 << 19, &keyset()).is_err());
        assert!(split_amount((64 << 19) + (1 << 19) - 1, &keyset()).is_err());
    }
}
