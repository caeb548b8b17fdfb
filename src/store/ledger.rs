//! The ledger that limits are checked against: computed from the open payments and the outflows of
//! the last 24 hours, read from an index.
//!
//! Keeps no separate counter and never scans all payments. A time ahead of the clock is not
//! trusted: the store notes when it first saw it, and ignores that outflow a day later.

use std::cmp::Reverse;
use std::collections::HashSet;

use redb::{ReadableTable, Table, WriteTransaction};

use super::Store;
use super::error::StoreError;
use super::meta::{self, KEY, Meta};
use super::tables::{META, OUTFLOWS, Outflow, Reads};
use super::{payments, row};
use crate::model::id::PaymentId;
use crate::model::ledger::{Ahead, DAY_SECONDS, Ledger, Lookalike, REPEAT_SECONDS, leaves};
use crate::model::mint::MoneyKind;
use crate::model::payment::{KindName, Payment};

/// The payment to look for: kind, payee and amount in sats.
pub(super) type Probe = (KindName, String, u64);

/// Notes to store about times ahead of the clock: of an outflow, by its key, or, for `None`, of the
/// day in which the limit counts as used up.
type ClockNotes = Vec<(Option<(u64, String)>, Ahead)>;

/// Folds the ledger of `agent` at `now`, with the payments that look like `probe`, newest first.
pub(super) fn fold(
    tx: &impl Reads,
    agent: &str,
    probe: Option<&Probe>,
    now: u64,
) -> Result<(Ledger, ClockNotes), StoreError> {
    let (mut ledger, mut news) = (Ledger::default(), ClockNotes::new());
    let meta = meta::get(tx)?;
    let real = meta.real;
    if let Some((at, seen_ahead)) = window(&meta) {
        ledger.full_until = Some(leaves(at, seen_ahead, now)).filter(|until| *until > now);
        news.extend(Ahead::of(at, seen_ahead, now).map(|word| (None, word)));
    }
    let mut alike: Vec<(u64, Lookalike)> = Vec::new();
    let mut repeated: HashSet<PaymentId> = HashSet::new();
    // Play money that left before the wallet became real does not count against a real limit.
    let counts = |is_play: bool| !(real && is_play);
    let mut compare = |payment: &Payment| {
        if probe.is_some_and(|probe| repeats(probe, payment, now)) {
            alike.push((payment.created_at, lookalike(payment, now)));
            repeated.extend(payment.repeat_of.clone());
        }
    };
    for payment in
        payments::open(tx)?.iter().filter(|payment| counts(payment.money == MoneyKind::Play))
    {
        if let Some((_, sats)) = payment.outflow() {
            ledger.hold(sats, payment.agent == agent);
        }
        compare(payment);
    }
    for entry in tx.table(OUTFLOWS)?.range((now.saturating_sub(DAY_SECONDS), "")..)? {
        let (key, row) = entry?;
        let ((at, id), (seen_ahead, sats, amount_sats, is_play, of)) = (key.value(), row.value());
        if counts(is_play) {
            ledger.spend((at, sats), of == agent, seen_ahead, now);
            if probe.is_some_and(|(_, _, amount)| *amount == amount_sats) {
                compare(&payments::get(tx, id)?.ok_or(StoreError::Missing("payment of an index"))?);
            }
        }
        news.extend(Ahead::of(at, seen_ahead, now).map(|word| (Some((at, id.to_owned())), word)));
    }
    // Within one second, a repeat is newer than the payment it repeats.
    alike.sort_by_key(|(created_at, one)| (Reverse(*created_at), repeated.contains(&one.id)));
    ledger.lookalikes = alike.into_iter().map(|(_, lookalike)| lookalike).collect();
    Ok((ledger, news))
}

/// Returns the start of the day in which the limit counts as used up, and the time at which that
/// start was first seen ahead of the clock.
fn window(meta: &Meta) -> Option<(u64, Option<u64>)> {
    meta.window_full_until.map(|until| (until.saturating_sub(DAY_SECONDS), meta.window_seen_ahead))
}

/// Stores which times are ahead of the clock, since when, and which no longer are.
fn note(tx: &WriteTransaction, news: ClockNotes) -> Result<(), StoreError> {
    let mut outflows = tx.open_table(OUTFLOWS)?;
    for (of, word) in news {
        match (of, word) {
            (Some((at, id)), Ahead::Since(when)) => see(&mut outflows, (at, &id), Some(when))?,
            (Some((at, id)), Ahead::NoMore) => see(&mut outflows, (at, &id), None)?,
            (Some((at, id)), Ahead::ForADay) => drop(outflows.remove((at, id.as_str()))?),
            (None, word) => {
                let mut meta = meta::get(tx)?;
                meta.window_seen_ahead =
                    if let Ahead::Since(when) = word { Some(when) } else { None };
                meta.window_full_until = meta.window_full_until.filter(|_| word != Ahead::ForADay);
                row::put(tx, META, KEY, &meta)?;
            }
        }
    }
    Ok(())
}

/// Records when an outflow's time was first seen to be ahead of the clock.
fn see(
    outflows: &mut Table<'_, (u64, &'static str), Outflow>,
    key: (u64, &str),
    seen_ahead: Option<u64>,
) -> Result<(), StoreError> {
    let row = outflows.get(key)?.map(|row| {
        let (_, sats, amount_sats, is_play, agent) = row.value();
        (sats, amount_sats, is_play, agent.to_owned())
    });
    if let Some((sats, amount_sats, is_play, agent)) = row {
        outflows.insert(key, (seen_ahead, sats, amount_sats, is_play, agent.as_str()))?;
    }
    Ok(())
}

fn repeats((kind, payee, amount): &Probe, payment: &Payment, now: u64) -> bool {
    let same =
        payment.kind.name() == *kind && payment.payee == *payee && payment.amount_sats == *amount;
    let window = if payment.outcome_undelivered { DAY_SECONDS } else { REPEAT_SECONDS };
    same && (payment.is_open()
        || payment.outflow().is_some_and(|(at, _)| at.saturating_add(window) > now))
}

fn lookalike(payment: &Payment, now: u64) -> Lookalike {
    Lookalike {
        id: payment.id.clone(),
        state: (&payment.state).into(),
        age_seconds: now.saturating_sub(payment.left_at()),
        outcome_undelivered: payment.outcome_undelivered,
    }
}

impl Store {
    /// Computes an agent's ledger at `now`, with the payments that look like `probe`. Writes only
    /// if a time is newly ahead of the clock, or no longer is.
    ///
    /// # Errors
    /// If the file cannot be read, or such a note cannot be written.
    pub async fn ledger(
        &self,
        agent: &str,
        probe: Option<Probe>,
        now: u64,
    ) -> Result<Ledger, StoreError> {
        let (name, asked) = (agent.to_owned(), probe.clone());
        let (ledger, news) = self.read(move |tx| fold(tx, &name, asked.as_ref(), now)).await?;
        if news.is_empty() {
            return Ok(ledger);
        }
        let agent = agent.to_owned();
        self.write_durable(move |tx| {
            note(tx, fold(tx, &agent, None, now)?.1)?;
            Ok(fold(tx, &agent, probe.as_ref(), now)?.0)
        })
        .await
    }
}
