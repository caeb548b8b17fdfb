//! Checks the owner's cap at a mint against what is held there and promised to come in, in the
//! transaction that promises more.

use cdk_common::nuts::State;
use redb::{Durability, ReadableTable};

use super::error::StoreError;
use super::nostr::incoming_nutzap_sats;
use super::proofs::state_code;
use super::tables::{RECEIVES_OPEN, Reads, SUMS};
use super::{Store, TxDecision, deposits, receives};
use crate::model::deposit::Deposit;
use crate::model::mint::MintAddress;
use crate::model::receive::Receive;

/// Seconds after its expiry for which an unpaid invoice still counts: it may be paid at the last
/// moment.
const GRACE_SECONDS: u64 = 600;

/// Outcome of recording something that brings money in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capped {
    /// It was written.
    Written,
    /// Nothing was written, because it would exceed the cap. Contains the sats already held or
    /// promised.
    Over(u64),
}

impl Store {
    /// Writes a new deposit, unless it would exceed the cap at its mint.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub async fn open_deposit(
        &self,
        deposit: Deposit,
        cap: Option<u64>,
        now: u64,
    ) -> Result<Capped, StoreError> {
        self.transact(Durability::Immediate, move |tx, _| {
            if let Some(held) = over(tx, &deposit.mint, None, deposit.amount_sats, cap, now)? {
                return Ok(TxDecision::Abort(Capped::Over(held)));
            }
            deposits::put(tx, &deposit, now)?;
            Ok(TxDecision::Commit(Capped::Written))
        })
        .await
    }

    /// Writes a token that is about to be redeemed, unless it would exceed the cap at its mint.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub async fn open_receive(
        &self,
        receive: Receive,
        cap: Option<u64>,
        now: u64,
    ) -> Result<Capped, StoreError> {
        self.transact(Durability::Immediate, move |tx, _| {
            if let Some(held) =
                over(tx, &receive.mint, Some(receive.id.as_str()), receive.amount_sats, cap, now)?
            {
                return Ok(TxDecision::Abort(Capped::Over(held)));
            }
            receives::put(tx, &receive)?;
            Ok(TxDecision::Commit(Capped::Written))
        })
        .await
    }
}

/// Refuses the transaction if `more` sats would exceed the mint's cap.
pub(super) fn check(
    tx: &impl Reads,
    mint: &MintAddress,
    more: u64,
    cap: u64,
    now: u64,
) -> Result<(), StoreError> {
    if over(tx, mint, None, more, Some(cap), now)?.is_some() {
        Err(StoreError::OverCap)
    } else {
        Ok(())
    }
}

/// Returns the sats held and promised at a mint, if `more` would exceed the cap. The received token
/// `but` does not count.
fn over(
    tx: &impl Reads,
    mint: &MintAddress,
    but: Option<&str>,
    more: u64,
    cap: Option<u64>,
    now: u64,
) -> Result<Option<u64>, StoreError> {
    let Some(cap) = cap else { return Ok(None) };
    let mut held = 0_u64;
    let sums = tx.table(SUMS)?;
    for state in [State::Unspent, State::Reserved, State::Pending] {
        let sum =
            sums.get((mint.as_str(), "sat", state_code(state)))?.map_or(0, |sum| sum.value().0);
        held = held.saturating_add(u64::try_from(sum).unwrap_or(u64::MAX));
    }
    let payable = now.saturating_add(1).saturating_sub(GRACE_SECONDS);
    held = held.saturating_add(deposits::promised(tx, mint.as_str(), payable)?);
    for entry in tx.table(RECEIVES_OPEN)?.iter()? {
        let receive = receives::get(tx, entry?.0.value())?
            .ok_or(StoreError::Missing("receive of an index"))?;
        if receive.mint == *mint && but != Some(receive.id.as_str()) {
            held = held.saturating_add(receive.amount_sats);
        }
    }
    held = held.saturating_add(incoming_nutzap_sats(tx, mint)?);
    Ok((held.saturating_add(more) > cap).then_some(held))
}
