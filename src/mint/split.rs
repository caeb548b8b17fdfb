//! How an amount is split into coins of a keyset.

use cdk::amount::FeeAndAmounts;
use cdk::nuts::KeySet;

use super::error::{MintError, nut};

/// The most coins one swap makes at each side.
const MAX_OUTPUTS: u64 = 1_000;

/// The amounts that a keyset signs, and its fee.
pub(super) fn fee_and_amounts(keyset: &KeySet) -> FeeAndAmounts {
    let amounts: Vec<u64> = keyset.keys.iter().map(|(amount, _)| amount.to_u64()).collect();
    (keyset.input_fee_ppk, amounts).into()
}

/// Refuses an amount that could only be split into far more coins than one swap takes: a forged token may name any amount.
pub(super) fn refuse_a_flood(sats: u64, amounts: &FeeAndAmounts) -> Result<(), MintError> {
    let (mut left, mut count) = (sats, 0_u64);
    for amount in amounts.amounts().iter().rev() {
        count = count.saturating_add(left.checked_div(*amount).unwrap_or(0));
        left = left.checked_rem(*amount).unwrap_or(left);
    }
    if count <= MAX_OUTPUTS {
        return Ok(());
    }
    Err(MintError::Refused { code: nut::OUT_OF_RANGE, reason: "too many coins for one swap".to_owned() })
}
