//! Changes of proofs' states: what cdk asks for, and what our own commits ask for.
//!
//! Spent is final here. Never frees the proofs of an undecided melt, and never hands them to another operation.

use cdk_common::database;
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use redb::WriteTransaction;
use uuid::Uuid;

use super::Inner;
use super::doubt;
use super::error::StoreError;
use super::proofs::{Kept, Purse, Removed};

/// The doubt about operations, each asked once.
struct Guard<'a> {
    tx: &'a WriteTransaction,
    inner: &'a Inner,
    passed: Option<Uuid>,
}

impl<'a> Guard<'a> {
    fn new(tx: &'a WriteTransaction, inner: &'a Inner) -> Self {
        Self { tx, inner, passed: None }
    }

    /// Refuses a change that takes `before` away from an undecided melt.
    fn check(&mut self, before: &ProofInfo, to: State, user: Option<Uuid>) -> Result<(), StoreError> {
        let operation = before.used_by_operation;
        let leaves = doubt::gives_up(before.state, to) || (before.state != State::Unspent && to != State::Spent && user != operation);
        if leaves && operation.is_some() && operation != self.passed {
            doubt::check(self.tx, self.inner, operation)?;
            self.passed = operation;
        }
        Ok(())
    }
}

/// cdk's `update_proofs`.
pub(super) fn update(tx: &WriteTransaction, inner: &Inner, added: Vec<ProofInfo>, removed: &[PublicKey]) -> Result<(), StoreError> {
    let mut purse = Purse::open(tx, (inner.clock)())?;
    let mut guard = Guard::new(tx, inner);
    for info in added {
        match purse.find(&info.y.to_bytes())? {
            None => purse.put(None, info, false)?,
            Some(before) => upsert(&mut purse, &mut guard, &before, info)?,
        }
    }
    for y in removed {
        let Some(before) = purse.find(&y.to_bytes())? else { continue };
        if before.archived.is_some() {
            continue;
        }
        guard.check(&before.info, State::Spent, before.info.used_by_operation)?;
        let mut info = before.info.clone();
        info.state = State::Spent;
        purse.put(Some(&before), info, true)?;
    }
    Ok(())
}

fn upsert(purse: &mut Purse<'_>, guard: &mut Guard<'_>, before: &Kept, mut info: ProofInfo) -> Result<(), StoreError> {
    match (before.archived, info.state) {
        // Spent stays as it is; so does what only a restore would free.
        (Some(_), State::Spent) => return Ok(()),
        (Some(_), State::Unspent) => {
            tracing::warn!("an archived proof was reported as unspent; it stays archived");
            return Ok(());
        }
        (Some(Removed(false)), _) => return Err(database::Error::AttemptUpdateSpentProof.into()),
        (None, State::Unspent) if before.info.state == State::PendingSpent => {
            tracing::warn!("a proof of an unclaimed token was reported as unspent; it stays in the token");
            return Ok(());
        }
        _ => {}
    }
    guard.check(&before.info, info.state, info.used_by_operation)?;
    info.derivation_index = info.derivation_index.or(before.info.derivation_index);
    info.created_by_operation = info.created_by_operation.or(before.info.created_by_operation);
    if info.state == State::Spent {
        info.used_by_operation = info.used_by_operation.or(before.info.used_by_operation);
    }
    purse.put(Some(before), info, false)
}

/// cdk's `update_proofs_state`. Keeps the operation.
pub(super) fn set_state(tx: &WriteTransaction, inner: &Inner, ys: &[PublicKey], state: State) -> Result<(), StoreError> {
    let mut purse = Purse::open(tx, (inner.clock)())?;
    let mut guard = Guard::new(tx, inner);
    for y in ys {
        let before = purse.find(&y.to_bytes())?.ok_or(StoreError::ProofNotFound)?;
        if before.archived.is_some() {
            if state != State::Spent {
                tracing::warn!("a spent proof was to become {state}; it stays spent");
            }
            continue;
        }
        guard.check(&before.info, state, before.info.used_by_operation)?;
        let mut info = before.info.clone();
        info.state = state;
        purse.put(Some(&before), info, false)?;
    }
    Ok(())
}

/// cdk's `reserve_proofs`: all or none.
pub(super) fn reserve(tx: &WriteTransaction, inner: &Inner, ys: &[PublicKey], operation: Uuid) -> Result<(), StoreError> {
    change(tx, inner, ys, Some(&[State::Unspent]), State::Reserved, Some(operation)).map_err(|error| match error {
        StoreError::ProofNotFound => StoreError::ProofNotUnspent,
        other => other,
    })
}

/// cdk's `release_proofs`: Reserved and Pending become Unspent, all else stays.
pub(super) fn release(tx: &WriteTransaction, inner: &Inner, operation: Uuid) -> Result<(), StoreError> {
    let mut purse = Purse::open(tx, (inner.clock)())?;
    let held = purse.of_operation(operation)?;
    let held: Vec<Kept> = held.into_iter().filter(|kept| matches!(kept.info.state, State::Reserved | State::Pending)).collect();
    if held.is_empty() {
        return Ok(());
    }
    doubt::check(tx, inner, Some(operation))?;
    for before in held {
        let mut info = before.info.clone();
        info.state = State::Unspent;
        info.used_by_operation = None;
        purse.put(Some(&before), info, false)?;
    }
    Ok(())
}

/// cdk's `update_mint_url`, for the proofs.
pub(super) fn rename_mint(tx: &WriteTransaction, inner: &Inner, old: &MintUrl, new: &MintUrl) -> Result<(), StoreError> {
    let mut purse = Purse::open(tx, (inner.clock)())?;
    for before in purse.of_mint(old)? {
        let mut info = before.info.clone();
        info.mint_url = new.clone();
        let removed = before.archived == Some(Removed(true));
        purse.put(Some(&before), info, removed)?;
    }
    Ok(())
}

/// Our own addition: a proof that is already there, live or archived, stays as it is.
pub(super) fn add(tx: &WriteTransaction, inner: &Inner, infos: Vec<ProofInfo>) -> Result<(), StoreError> {
    let mut purse = Purse::open(tx, (inner.clock)())?;
    for info in infos {
        if purse.find(&info.y.to_bytes())?.is_none() {
            purse.put(None, info, false)?;
        }
    }
    Ok(())
}

/// Our own change: every proof must be in one of the `expect`ed states. Unspent forgets the operation; else `operation`
/// replaces it when given.
pub(super) fn change(
    tx: &WriteTransaction,
    inner: &Inner,
    ys: &[PublicKey],
    expect: Option<&[State]>,
    to: State,
    operation: Option<Uuid>,
) -> Result<(), StoreError> {
    let mut purse = Purse::open(tx, (inner.clock)())?;
    let mut guard = Guard::new(tx, inner);
    for y in ys {
        let before = purse.find(&y.to_bytes())?.ok_or(StoreError::ProofNotFound)?;
        if expect.is_some_and(|states| !states.contains(&before.info.state)) {
            return Err(StoreError::ProofNotUnspent);
        }
        if before.archived.is_some() {
            if to == State::Spent {
                continue;
            }
            return Err(database::Error::AttemptUpdateSpentProof.into());
        }
        let user = if to == State::Unspent { None } else { operation.or(before.info.used_by_operation) };
        guard.check(&before.info, to, user)?;
        let mut info = before.info.clone();
        info.state = to;
        info.used_by_operation = user;
        purse.put(Some(&before), info, false)?;
    }
    Ok(())
}
