//! Validates a mint's answers: keysets, states of proofs, signatures.
//!
//! * A keyset id that another of our mints has, or that shares its 31-bit derivation number
//!   (NUT-13, version 0), would let a mint collect signatures on another mint's secrets: refused. A
//!   keyset whose id changes its meaning is refused too.
//! * NUT-07 answers must contain the proofs asked about, in order, in one of three states.
//! * Signatures must be for the outputs asked for, with a DLEQ (NUT-12) if the mint advertises
//!   DLEQs. The DLEQ is verified where the signature becomes a proof. One wrong signature rejects
//!   the answer.
//! * NUT-09 answers must contain each output at most once and none that was not asked about;
//!   outputs with an amount are all contained, or none is.

use std::collections::{HashMap, HashSet};

use cdk::nuts::{
    BlindSignature, BlindedMessage, CheckStateRequest, CheckStateResponse, Id, KeySetInfo,
    PublicKey, RestoreRequest, RestoreResponse, State,
};
use cdk_common::nut02::KeySetVersion;

use super::error::MintError;

/// Maximum number of keysets of one mint.
const MAX_KEYSETS: usize = 500;

/// Checks a mint's keysets against those it listed before and those of all other known mints.
pub(crate) fn keysets(
    listed: &[KeySetInfo],
    before: &[KeySetInfo],
    of_others: &[Id],
) -> Result<(), MintError> {
    if listed.is_empty() {
        return Err(wrong("the mint lists no keysets"));
    }
    if listed.len() > MAX_KEYSETS {
        return Err(wrong("too many keysets"));
    }
    let others: HashSet<u32> = of_others.iter().map(|id| u32::from(*id)).collect();
    let mut own: HashMap<u32, &Id> =
        before.iter().map(|keyset| (u32::from(keyset.id), &keyset.id)).collect();
    for keyset in listed {
        let number = u32::from(keyset.id);
        if others.contains(&number) {
            return Err(wrong("a keyset of this mint collides with another mint's"));
        }
        if own.insert(number, &keyset.id).is_some_and(|earlier| *earlier != keyset.id) {
            return Err(wrong("two keysets of this mint collide"));
        }
        if before.iter().any(|known| known.id == keyset.id && !is_same(known, keyset)) {
            return Err(wrong("a keyset has changed"));
        }
    }
    Ok(())
}

/// Returns whether the keyset is unchanged. Its unit never changes; its fee may only with a version
/// 0 id.
fn is_same(known: &KeySetInfo, listed: &KeySetInfo) -> bool {
    let fee_is_free = known.id.get_version() == KeySetVersion::Version00;
    known.unit == listed.unit && (fee_is_free || known.input_fee_ppk == listed.input_fee_ppk)
}

/// Checks a NUT-07 answer against its request.
pub(crate) fn states(
    asked: &CheckStateRequest,
    told: &CheckStateResponse,
) -> Result<(), MintError> {
    let same_proofs = asked.ys.len() == told.states.len()
        && asked.ys.iter().zip(&told.states).all(|(y, state)| *y == state.y);
    if !same_proofs {
        return Err(wrong("the states do not match the proofs asked about"));
    }
    let known = told
        .states
        .iter()
        .all(|one| matches!(one.state, State::Unspent | State::Pending | State::Spent));
    if known { Ok(()) } else { Err(wrong("a state is not one of NUT-07")) }
}

/// Checks that there is one signature per output, in order. `proves`: the mint advertises DLEQs
/// (NUT-12).
pub(crate) fn signatures(
    asked: &[BlindedMessage],
    told: &[BlindSignature],
    proves: bool,
) -> Result<(), MintError> {
    if asked.len() != told.len() {
        return Err(wrong("not one signature per output"));
    }
    change(asked, told, proves)
}

/// Checks the change of a melt (NUT-08): signatures of the first outputs, as many as the mint
/// needs.
pub(crate) fn change(
    asked: &[BlindedMessage],
    told: &[BlindSignature],
    proves: bool,
) -> Result<(), MintError> {
    let points: HashSet<PublicKey> = told.iter().map(|signature| signature.c).collect();
    if told.len() > asked.len() || points.len() != told.len() {
        return Err(wrong("more signatures than outputs, or a repeated one"));
    }
    let fit = asked.iter().zip(told).all(|(output, signature)| fits(output, signature, proves));
    if fit { Ok(()) } else { Err(wrong("a signature is not for the output asked for")) }
}

/// Checks a NUT-09 answer against its request.
pub(crate) fn restored(
    asked: &RestoreRequest,
    told: &RestoreResponse,
    proves: bool,
) -> Result<(), MintError> {
    let partial = || Err(wrong("the restored signatures do not match the outputs asked about"));
    if told.outputs.len() != told.signatures.len() {
        return partial();
    }
    let mut open: HashMap<PublicKey, &BlindedMessage> =
        asked.outputs.iter().map(|output| (output.blinded_secret, output)).collect();
    for (named, signature) in told.outputs.iter().zip(&told.signatures) {
        match open.remove(&named.blinded_secret) {
            Some(output) if fits(output, signature, proves) => {}
            _ => return partial(),
        }
    }
    let left_out = open.values().any(|output| !is_blank(output));
    if left_out && !told.outputs.is_empty() { partial() } else { Ok(()) }
}

fn fits(output: &BlindedMessage, signature: &BlindSignature, proves: bool) -> bool {
    let amount = is_blank(output) || output.amount == signature.amount;
    amount && output.keyset_id == signature.keyset_id && (signature.dleq.is_some() || !proves)
}

/// Returns `true` for an output without an amount: for change, or for a restore.
fn is_blank(output: &BlindedMessage) -> bool {
    output.amount.to_u64() == 0
}

fn wrong(why: &str) -> MintError {
    MintError::Wrong(why.to_owned())
}
