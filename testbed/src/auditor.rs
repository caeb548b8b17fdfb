//! What a mint owes and what it paid, read from its SQLite database beside the mint. It never
//! writes, and never asks the mint.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;

/// What a mint signed and took back, in sat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByState {
    /// The blind signatures it gave.
    pub signed: u64,
    /// The proofs it took back for good.
    pub spent: u64,
    /// The proofs it holds for a payment on its way; it owes them still.
    pub pending: u64,
}

/// A payment that a wallet asked a mint for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Melt {
    /// The quote's id.
    pub quote_id: String,
    /// The invoice's payment hash, in hexadecimal.
    pub payment_hash: String,
    /// The invoice.
    pub request: String,
    /// What the payee gets.
    pub amount_sats: u64,
    /// What it cost the wallet on top: inputs less change less amount, so routing and input fees;
    /// 0 unless it is paid.
    pub fee_sats: u64,
    /// The proofs that the mint holds or took for it.
    pub inputs_sats: u64,
    /// The change it signed.
    pub change_sats: u64,
    /// The state as the mint writes it: `UNPAID`, `PENDING`, `PAID`, `FAILED`, `UNKNOWN`.
    pub state: String,
    /// The preimage; a paid melt without one was an invoice of the mint itself.
    pub preimage: Option<String>,
    /// When it was paid, in Unix seconds.
    pub paid_at: Option<u64>,
}

/// Reads a mint's database.
#[derive(Debug, Clone)]
pub struct Auditor {
    database: PathBuf,
}

impl Auditor {
    /// An auditor of the cdk mint whose SQLite database is at `database`.
    #[must_use]
    pub fn new(database: &Path) -> Self {
        Self { database: database.to_owned() }
    }

    /// What wallets hold: signed less spent, in sat.
    pub fn outstanding(&self) -> Result<u64> {
        let ByState { signed, spent, .. } = self.by_state()?;
        signed.checked_sub(spent).context("the mint took back more than it signed")
    }

    /// The sums behind [`outstanding`](Self::outstanding).
    pub fn by_state(&self) -> Result<ByState> {
        let sums = "SELECT
            (SELECT coalesce(sum(amount), 0) FROM blind_signature WHERE c IS NOT NULL),
            (SELECT coalesce(sum(amount), 0) FROM proof WHERE state = 'SPENT'),
            (SELECT coalesce(sum(amount), 0) FROM proof WHERE state = 'PENDING')";
        let read = |row: &Row<'_>| {
            Ok(ByState { signed: row.get(0)?, spent: row.get(1)?, pending: row.get(2)? })
        };
        Ok(self.open()?.query_row(sums, [], read)?)
    }

    /// What was paid in and not yet claimed as ecash, in sat.
    pub fn unclaimed(&self) -> Result<u64> {
        let sum = "SELECT coalesce(sum(amount_paid - amount_issued), 0) FROM mint_quote";
        Ok(self.open()?.query_row(sum, [], |row| row.get(0))?)
    }

    /// The public names of all coins that were spent, hex.
    pub fn spent(&self) -> Result<std::collections::BTreeSet<String>> {
        let database = self.open()?;
        let mut statement =
            database.prepare("SELECT lower(hex(y)) FROM proof WHERE state = 'SPENT'")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>().context("a spent coin cannot be read")
    }

    /// Every coin that it was shown: its secret, and its signature in hex.
    pub fn spent_coins(&self) -> Result<Vec<(String, String)>> {
        let connection = self.open()?;
        let mut statement = connection.prepare("SELECT secret, lower(hex(c)) FROM proof")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>().context("a coin cannot be read")
    }

    /// The ids of every deposit's quote.
    pub fn deposits(&self) -> Result<Vec<String>> {
        let connection = self.open()?;
        let mut statement = connection.prepare("SELECT id FROM mint_quote")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>().context("a quote cannot be read")
    }

    /// Every payment that the mint made, in order.
    pub fn paid(&self) -> Result<Vec<Melt>> {
        Ok(self.melts()?.into_iter().filter(|melt| melt.state == "PAID").collect())
    }

    /// Every payment that was asked for, in order.
    pub fn melts(&self) -> Result<Vec<Melt>> {
        let melts =
            "SELECT id, request_lookup_id, request, amount, state, payment_proof, paid_time,
            (SELECT coalesce(sum(amount), 0) FROM proof WHERE quote_id = melt_quote.id),
            (SELECT coalesce(sum(amount), 0) FROM blind_signature
                WHERE quote_id = melt_quote.id AND c IS NOT NULL)
            FROM melt_quote ORDER BY created_time, rowid";
        let database = self.open()?;
        let mut statement = database.prepare(melts)?;
        let rows = statement.query_map([], melt)?;
        rows.collect::<Result<_, _>>().context("a melt quote cannot be read")
    }

    fn open(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&self.database, flags).context("the mint's database")
    }
}

fn melt(row: &Row<'_>) -> rusqlite::Result<Melt> {
    let (amount_sats, inputs_sats, change_sats): (u64, u64, u64) =
        (row.get(3)?, row.get(7)?, row.get(8)?);
    let state: String = row.get(4)?;
    let fee_sats = match state.as_str() {
        "PAID" => inputs_sats.saturating_sub(change_sats + amount_sats),
        _ => 0,
    };
    Ok(Melt {
        quote_id: row.get(0)?,
        payment_hash: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
        request: invoice(row.get(2)?),
        amount_sats,
        fee_sats,
        inputs_sats,
        change_sats,
        state,
        preimage: row.get(5)?,
        paid_at: row.get(6)?,
    })
}

/// cdk writes the request as JSON: `{"Bolt11":{"bolt11":"lnbc..."}}`.
fn invoice(request: String) -> String {
    let parsed: Option<Value> = serde_json::from_str(&request).ok();
    let bolt11 = parsed.as_ref().and_then(|value| value.pointer("/Bolt11/bolt11"));
    match bolt11.and_then(Value::as_str) {
        Some(bolt11) => bolt11.to_owned(),
        None => request,
    }
}
