//! Spent proofs, found by Y: whole for 90 days, then only the Y and the time of archiving.
//!
//! A whole proof contains what a mint needs to accept it, but no DLEQ (NUT-12), because a mint can
//! check its own signature. Only a revive brings a proof back: as unspent after the mint reports it
//! so (NUT-07), or held by an operation that the owner takes up again. A proof of which only the Y
//! is left also needs its data from a restore (NUT-09).

use std::collections::BTreeSet;
use std::ops::Bound;
use std::str::FromStr;

use cdk_common::Amount;
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::{CurrencyUnit, Id, Proof, PublicKey, State};
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use redb::{Durability, ReadableTable, Table, WriteTransaction};
use uuid::Uuid;

use super::error::StoreError;
use super::proofs::{ProofTables, StoredProof};
use super::row::{decode, encode};
use super::tables::{ARCHIVE, ArchivedProof, Reads, Y};
use super::{Store, TxDecision};

type Archive<'t> = Table<'t, &'static Y, (u64, Option<ArchivedProof>)>;

/// Returns the secret of an ordinary proof (NUT-13, or random): 32 bytes, written in lower-case
/// hex.
fn raw_secret(secret: &Secret) -> Option<Vec<u8>> {
    let text = secret.to_string();
    hex::decode(&text).ok().filter(|bytes| bytes.len() == 32 && hex::encode(bytes) == text)
}

/// Writes a spent proof. An ordinary one takes a quarter of its row.
pub(super) fn put(archive: &mut Archive<'_>, now: u64, info: ProofInfo) -> Result<(), StoreError> {
    let (y, proof) = (info.y.to_bytes(), &info.proof);
    let (mint, unit) = (info.mint_url.to_string(), info.unit.to_string());
    let is_plain =
        proof.witness.is_none() && proof.p2pk_e.is_none() && info.spending_condition.is_none();
    let Some(secret) = raw_secret(&proof.secret).filter(|_| is_plain) else {
        let row = encode(&ProofInfo { used_by_operation: None, ..info })?;
        archive.insert(
            &y,
            (
                now,
                Some((
                    mint.as_str(),
                    unit.as_str(),
                    [].as_slice(),
                    0,
                    [].as_slice(),
                    [].as_slice(),
                    row.as_slice(),
                )),
            ),
        )?;
        return Ok(());
    };
    let (keyset, amount, signature) =
        (proof.keyset_id.to_bytes(), proof.amount.to_u64(), proof.c.to_bytes());
    let archived = (
        mint.as_str(),
        unit.as_str(),
        keyset.as_slice(),
        amount,
        secret.as_slice(),
        signature.as_slice(),
        [].as_slice(),
    );
    archive.insert(&y, (now, Some(archived)))?;
    Ok(())
}

/// Returns a spent proof, while it is kept whole.
pub(super) fn archived(
    archive: &impl ReadableTable<&'static Y, (u64, Option<ArchivedProof>)>,
    y: &Y,
) -> Result<Option<ProofInfo>, StoreError> {
    let Some(row) = archive.get(y)? else { return Ok(None) };
    let Some((mint, unit, keyset, amount, secret, signature, row)) = row.value().1 else {
        return Ok(None);
    };
    if !row.is_empty() {
        return decode("archive", row).map(Some);
    }
    read(y, (mint, unit, keyset, amount), secret, signature)
        .map(Some)
        .ok_or_else(|| StoreError::undecodable("archive", "not a proof"))
}

fn read(
    y: &Y,
    (mint, unit, keyset, amount): (&str, &str, &[u8], u64),
    secret: &[u8],
    signature: &[u8],
) -> Option<ProofInfo> {
    let proof = Proof {
        amount: Amount::from(amount),
        keyset_id: Id::from_bytes(keyset).ok()?,
        secret: Secret::new(hex::encode(secret)),
        c: PublicKey::from_slice(signature).ok()?,
        witness: None,
        dleq: None,
        p2pk_e: None,
    };
    Some(ProofInfo {
        proof,
        y: PublicKey::from_slice(y).ok()?,
        mint_url: MintUrl::from_str(mint).ok()?,
        state: State::Spent,
        spending_condition: None,
        unit: CurrencyUnit::from_str(unit).ok()?,
        derivation_index: None,
        used_by_operation: None,
        created_by_operation: None,
    })
}

/// Lists the Y of every spent proof.
pub(super) fn ys(tx: &impl Reads) -> Result<Vec<Y>, StoreError> {
    let mut ys = Vec::new();
    for entry in tx.table(ARCHIVE)?.iter()? {
        ys.push(*entry?.0.value());
    }
    Ok(ys)
}

/// Revives archived proofs in this state, held by `operation`; others stay unchanged.
pub(super) fn revive(
    tx: &WriteTransaction,
    now: u64,
    ys: &[PublicKey],
    to: State,
    operation: Option<Uuid>,
) -> Result<(), StoreError> {
    let mut tables = ProofTables::open(tx, now)?;
    for y in ys.iter().map(PublicKey::to_bytes) {
        let before = tables.find(&y)?.ok_or(StoreError::ProofNotFound)?;
        if matches!(before, StoredProof::Spent) {
            let info = tables.whole(&y)?.ok_or(StoreError::SpentIsFinal)?;
            tables.put(
                Some(&before),
                ProofInfo { state: to, used_by_operation: operation, ..info },
            )?;
        }
    }
    Ok(())
}

impl Store {
    /// Revives archived proofs as unspent, durably, with the given data: a mint has signed them
    /// again (NUT-09) and reports them as unspent (NUT-07). Proofs outside the archive stay
    /// unchanged. Returns the number revived.
    ///
    /// # Errors
    /// [`StoreError::ProofNotFound`] for an unknown Y; then nothing has changed.
    pub async fn revive(&self, proofs: Vec<ProofInfo>) -> Result<usize, StoreError> {
        let now = self.now();
        self.write_durable(move |tx| {
            let (mut tables, mut revived) = (ProofTables::open(tx, now)?, 0_usize);
            for proof in proofs {
                let before = tables.find(&proof.y.to_bytes())?.ok_or(StoreError::ProofNotFound)?;
                if matches!(before, StoredProof::Spent) {
                    tables.put(
                        Some(&before),
                        ProofInfo { state: State::Unspent, used_by_operation: None, ..proof },
                    )?;
                    revived = revived.saturating_add(1);
                }
            }
            Ok(revived)
        })
        .await
    }

    /// Reduces old proofs to their Y, in a part of the archive: `rows` rows after `from`. A proof
    /// is old if it was archived before `before` (Unix seconds), and not in `keep`. Returns where
    /// the next part begins; `None` after the last. Not durable: lost work is repeated.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub async fn shrink_archive(
        &self,
        from: Option<Y>,
        rows: usize,
        before: u64,
        keep: BTreeSet<PublicKey>,
    ) -> Result<Option<Y>, StoreError> {
        let (due, next) = self.read(move |tx| due(tx, from, rows, before)).await?;
        if due.is_empty() {
            return Ok(next);
        }
        self.transact(Durability::None, move |tx, _| {
            let mut archive = tx.open_table(ARCHIVE)?;
            let keep: BTreeSet<Y> = keep.iter().map(PublicKey::to_bytes).collect();
            for y in due.iter().filter(|y| !keep.contains(*y)) {
                // It may have been revived, or spent again, in between.
                let at = archive.get(y)?.map(|row| row.value().0).filter(|at| *at < before);
                if let Some(at) = at {
                    archive.insert(y, (at, None))?;
                }
            }
            Ok(TxDecision::Commit(()))
        })
        .await?;
        Ok(next)
    }
}

/// Returns the proofs in one part of the archive that are whole and were archived before `before`,
/// and where the next part begins.
fn due(
    tx: &impl Reads,
    from: Option<Y>,
    rows: usize,
    before: u64,
) -> Result<(Vec<Y>, Option<Y>), StoreError> {
    let archive = tx.table(ARCHIVE)?;
    let start = from.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let (mut due, mut last, mut seen) = (Vec::new(), None, 0_usize);
    for entry in archive.range::<&Y>((start, Bound::Unbounded))?.take(rows) {
        let (y, row) = entry?;
        let (at, archived) = row.value();
        if at < before && archived.is_some() {
            due.push(*y.value());
        }
        (last, seen) = (Some(*y.value()), seen.saturating_add(1));
    }
    Ok((due, last.filter(|_| seen == rows)))
}
