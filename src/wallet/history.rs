//! What happened: entries, sums, CSV. Never holds a token, a preimage or a whole invoice.

use std::collections::BTreeMap;

use super::Wallet;
use super::clock::rfc3339;
use super::error::Error;
use super::period;
use super::request::{Caller, Direction, EntryKind, Format, ListHistory, SummaryBy};
use super::view::{Entry, Group, HistoryView, Totals};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::ledger::state_word;
use crate::model::mint::MoneyKind;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::model::receive::{Receive, ReceiveState};
use crate::model::text;
use crate::store::{Cursor, HistoryQuery, HistoryRow};

const DEFAULT_LIMIT: u64 = 20;
/// How many records one look at the store reads.
const PAGE: usize = 500;
/// The longest a change of the rules is shown, in characters: many mints may change at once.
const MAX_POLICY: usize = 2_000;
/// The most entries of one CSV.
const MAX_CSV: usize = 10_000;

impl Wallet {
    /// Lists or sums what happened, newest first. Totals are over everything asked for, not only this page.
    ///
    /// # Errors
    /// `invalid_input`, `storage_failed`, `wallet_damaged`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn list_history(&self, _caller: &Caller, request: ListHistory) -> Result<HistoryView, Error> {
        let setup = self.setup().await?;
        let now = (self.clock)();
        let since = request.since.as_deref().map(|text| period::since(text, now)).transpose()?.flatten();
        let until = request.until.as_deref().map(period::until).transpose()?.flatten();
        let cursor = request.cursor.as_deref().map(read_cursor).transpose()?;
        let csv = request.format == Some(Format::Csv);
        let limit = if csv { MAX_CSV } else { usize::try_from(request.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX) };
        let summary = request.summary_by.filter(|by| *by != SummaryBy::None);
        let mut groups: BTreeMap<String, Totals> = BTreeMap::new();
        let mut totals = nothing();
        let (mut entries, mut next, mut before) = (Vec::new(), None, None);
        loop {
            let query = HistoryQuery { since, until, limit: PAGE, before: before.clone(), agent: None };
            let rows = self.store.history(query).await?;
            let full = rows.len() == PAGE;
            for row in &rows {
                let place = row.cursor();
                before = Some(place.clone());
                if money_of(row).is_some_and(|money| money != setup.money) {
                    continue;
                }
                for entry in entries_of(row) {
                    if !wanted(&entry, &request) {
                        continue;
                    }
                    count(&mut totals, &entry);
                    if let Some(by) = summary {
                        count(groups.entry(group_key(&entry, by)).or_insert_with(nothing), &entry);
                    }
                    let after_cursor = cursor.as_ref().is_none_or(|cursor| comes_after(&place, cursor));
                    if after_cursor && entries.len() < limit {
                        entries.push((place.clone(), entry));
                    } else if after_cursor && next.is_none() {
                        next = entries.last().map(|(place, _)| write_cursor(place));
                    }
                }
            }
            if !full {
                break;
            }
        }
        let entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        let groups: Option<Vec<Group>> = summary.map(|_| groups.into_iter().map(to_group).collect());
        let csv = if csv { Some(write_csv(groups.as_deref(), &entries)?) } else { None };
        let (show_entries, next) = if summary.is_some() || csv.is_some() { (None, None) } else { (Some(entries), next) };
        Ok(HistoryView {
            money: setup.money.into(),
            entries: show_entries,
            groups: groups.filter(|_| csv.is_none()),
            csv,
            totals,
            next_cursor: next,
        })
    }
}

fn nothing() -> Totals {
    Totals { in_sats: 0, out_sats: 0, fee_sats: 0, count: 0 }
}

fn to_group((key, sums): (String, Totals)) -> Group {
    Group { key, in_sats: sums.in_sats, out_sats: sums.out_sats, fee_sats: sums.fee_sats, count: sums.count }
}

/// What failed or is not yet ours counts as an entry, and adds nothing.
fn count(totals: &mut Totals, entry: &Entry) {
    totals.count = totals.count.saturating_add(1);
    if matches!(entry.state, "failed" | "unpaid" | "expired" | "paid") || (entry.direction == "in" && entry.state == "pending") {
        return;
    }
    match entry.direction {
        "in" => totals.in_sats = totals.in_sats.saturating_add(entry.amount_sats),
        "out" => totals.out_sats = totals.out_sats.saturating_add(entry.amount_sats),
        _ => {}
    }
    totals.fee_sats = totals.fee_sats.saturating_add(entry.fee_sats);
}

fn wanted(entry: &Entry, request: &ListHistory) -> bool {
    let kind = request.kind.is_none_or(|kind| entry.kind == kind_word(kind));
    let direction = request.direction.is_none_or(|direction| entry.direction == direction_word(direction));
    kind && direction
}

fn kind_word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Deposit => "deposit",
        EntryKind::Payment => "payment",
        EntryKind::TokenSent => "token_sent",
        EntryKind::TokenReceived => "token_received",
        EntryKind::TokenReclaimed => "token_reclaimed",
        EntryKind::Zap => "zap",
        EntryKind::NutzapReceived => "nutzap_received",
        EntryKind::Policy => "policy",
    }
}

fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
        Direction::None => "none",
    }
}

fn group_key(entry: &Entry, by: SummaryBy) -> String {
    let none = || "-".to_owned();
    match by {
        SummaryBy::Day => entry.time.get(..10).map_or_else(none, str::to_owned),
        SummaryBy::Kind => entry.kind.to_owned(),
        SummaryBy::Mint => entry.mint.clone().unwrap_or_else(none),
        SummaryBy::Payee => entry.payee.clone().or_else(|| entry.untrusted_payee.clone()).unwrap_or_else(none),
        SummaryBy::Agent => entry.agent.clone(),
        SummaryBy::None => none(),
    }
}

/// What kind of money a row is about, if any.
fn money_of(row: &HistoryRow) -> Option<MoneyKind> {
    match row {
        HistoryRow::Payment(payment) => Some(payment.money),
        HistoryRow::Deposit(deposit) => Some(deposit.money),
        HistoryRow::Receive(receive) => Some(receive.money),
        HistoryRow::Policy { .. } => None,
    }
}

fn entries_of(row: &HistoryRow) -> Vec<Entry> {
    match row {
        HistoryRow::Payment(payment) => of_payment(payment),
        HistoryRow::Deposit(deposit) => vec![of_deposit(deposit)],
        HistoryRow::Receive(receive) => vec![of_receive(receive)],
        HistoryRow::Policy { id, change } => {
            let mut entry = blank(id.clone(), change.at, "none", "policy", "settled", "-".to_owned());
            entry.note = Some(text::clean_to(&change.text, MAX_POLICY));
            vec![entry]
        }
    }
}

fn of_payment(payment: &Payment) -> Vec<Entry> {
    let id = payment.id.to_string();
    let mut entry = blank(id.clone(), payment.created_at, "out", payment.kind.word(), state_word(&payment.state), payment.agent.clone());
    entry.amount_sats = payment.amount_sats;
    entry.mint = Some(payment.mint.to_string());
    entry.payee.clone_from(&payment.shown_payee);
    if payment.kind == PaymentKind::Payment && payment.shown_payee.is_none() {
        entry.untrusted_payee = Some(payment.payee.clone());
    }
    if payment.note_is_untrusted {
        entry.untrusted_note = payment.note.as_deref().map(text::clean);
    } else {
        entry.note = payment.note.as_deref().map(own_words);
    }
    entry.payment_id = Some(id);
    let mut entries = Vec::new();
    match &payment.state {
        PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => {
            entry.fee_sats = payment.reserved_sats.saturating_sub(payment.amount_sats);
        }
        PaymentState::Settled { fee_sats, claimed, .. } => {
            entry.fee_sats = *fee_sats;
            entry.claimed = payment.is_of_coins().then_some(*claimed);
        }
        PaymentState::Failed { failure, .. } => {
            entry.untrusted_note = failure.untrusted_reason.as_deref().map(text::clean).or(entry.untrusted_note);
        }
        PaymentState::Returned { at, reclaimed_sats, fee_sats } => {
            let mut back = blank(payment.id.to_string(), *at, "in", "token_reclaimed", "returned", payment.agent.clone());
            back.amount_sats = *reclaimed_sats;
            back.fee_sats = 0;
            back.mint.clone_from(&entry.mint);
            back.payment_id.clone_from(&entry.payment_id);
            entry.fee_sats = *fee_sats;
            entry.claimed = Some(false);
            entries.push(back);
        }
    }
    entries.push(entry);
    entries
}

fn of_deposit(deposit: &Deposit) -> Entry {
    let (state, amount) = match deposit.state {
        DepositState::Unpaid => ("unpaid", deposit.amount_sats),
        DepositState::Paid => ("paid", deposit.amount_sats),
        DepositState::Received { received_sats, .. } => ("received", received_sats),
        DepositState::Expired => ("expired", deposit.amount_sats),
    };
    let mut entry = blank(deposit.id.to_string(), deposit.created_at, "in", "deposit", state, deposit.agent.clone());
    entry.amount_sats = amount;
    entry.mint = Some(deposit.mint.to_string());
    entry.note = deposit.description.as_deref().map(own_words);
    entry
}

fn of_receive(receive: &Receive) -> Entry {
    let (state, amount, fee) = match &receive.state {
        ReceiveState::Open | ReceiveState::GivenUp { .. } => ("pending", receive.amount_sats, 0),
        ReceiveState::Received { received_sats, fee_sats, .. } => ("received", *received_sats, *fee_sats),
        ReceiveState::Refused { .. } => ("failed", receive.amount_sats, 0),
    };
    let kind = super::show::receive_kind(receive);
    let mut entry = blank(receive.id.to_string(), receive.created_at, "in", kind, state, receive.agent.clone());
    entry.untrusted_payee = receive.nutzap.as_ref().and_then(|from| crate::nostr::npub(&from.sender));
    entry.amount_sats = amount;
    entry.fee_sats = fee;
    entry.mint = Some(receive.mint.to_string());
    entry.untrusted_note.clone_from(&receive.untrusted_memo);
    entry
}

fn blank(id: String, at: u64, direction: &'static str, kind: &'static str, state: &'static str, agent: String) -> Entry {
    Entry {
        id,
        time: rfc3339(at).unwrap_or_default(),
        direction,
        kind,
        state,
        amount_sats: 0,
        fee_sats: 0,
        mint: None,
        payee: None,
        untrusted_payee: None,
        note: None,
        untrusted_note: None,
        payment_id: None,
        claimed: None,
        agent,
    }
}

/// What an agent wrote, which may have been told what to write.
fn own_words(words: &str) -> String {
    text::clean_to(words, text::MAX_OUTGOING)
}

fn write_cursor(place: &Cursor) -> String {
    format!("{}.{}", place.at, place.id)
}

fn read_cursor(text: &str) -> Result<Cursor, Error> {
    let invalid = || Error::invalid("cursor", "cursor is not a next_cursor of list_history.");
    let (at, id) = text.split_once('.').ok_or_else(invalid)?;
    if id.is_empty() || id.len() > 64 {
        return Err(invalid());
    }
    Ok(Cursor { at: at.parse().map_err(|_| invalid())?, id: id.to_owned() })
}

/// Newest first: what comes after a place is older.
fn comes_after(place: &Cursor, cursor: &Cursor) -> bool {
    (place.at, place.id.as_str()) < (cursor.at, cursor.id.as_str())
}

fn write_csv(groups: Option<&[Group]>, entries: &[Entry]) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |_| Error::new(super::code::Code::Internal, "The CSV could not be written.");
    if let Some(groups) = groups {
        writer.write_record(["key", "in_sats", "out_sats", "fee_sats", "count"]).map_err(failed)?;
        for group in groups {
            let cells = [
                text::csv_cell(&group.key),
                group.in_sats.to_string(),
                group.out_sats.to_string(),
                group.fee_sats.to_string(),
                group.count.to_string(),
            ];
            writer.write_record(cells).map_err(failed)?;
        }
    } else {
        let heads = [
            "id",
            "time",
            "direction",
            "kind",
            "state",
            "amount_sats",
            "fee_sats",
            "mint",
            "payee",
            "untrusted_payee",
            "note",
            "untrusted_note",
            "payment_id",
            "claimed",
            "agent",
        ];
        writer.write_record(heads).map_err(failed)?;
        let cell = |words: &Option<String>| text::csv_cell(words.as_deref().unwrap_or(""));
        for entry in entries {
            let cells = [
                entry.id.clone(),
                entry.time.clone(),
                entry.direction.to_owned(),
                entry.kind.to_owned(),
                entry.state.to_owned(),
                entry.amount_sats.to_string(),
                entry.fee_sats.to_string(),
                cell(&entry.mint),
                cell(&entry.payee),
                cell(&entry.untrusted_payee),
                cell(&entry.note),
                cell(&entry.untrusted_note),
                cell(&entry.payment_id),
                entry.claimed.map(|claimed| claimed.to_string()).unwrap_or_default(),
                text::csv_cell(&entry.agent),
            ];
            writer.write_record(cells).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(|_| Error::new(super::code::Code::Internal, "The CSV could not be written."))?;
    String::from_utf8(bytes).map_err(|_| Error::new(super::code::Code::Internal, "The CSV could not be written."))
}
