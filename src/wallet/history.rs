//! What happened: entries, sums, CSV. Never holds a token, a preimage or a whole invoice.

use std::collections::{BTreeMap, BTreeSet};

use super::Wallet;
use super::clock::rfc3339;
use super::csv::write_csv;
use super::error::Error;
use super::period;
use super::request::{Caller, Direction, EntryKind, Format, ListHistory, SummaryBy};
use super::rules::Setup;
use super::view::{Entry, Group, HistoryView, Totals};
use crate::model::deposit::Deposit;
use crate::model::ledger::DAY_SECONDS;
use crate::model::line::{Line, Sums};
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::model::receive::Receive;
use crate::model::text;
use crate::store::{Cursor, HistoryQuery, HistoryRow, Tally};

const DEFAULT_LIMIT: u64 = 20;
/// How many records one look at the store reads.
const PAGE: usize = 500;
/// The longest a change of the rules is shown, in characters: many mints may change at once.
const MAX_POLICY: usize = 2_000;
/// The most entries of one CSV.
const MAX_CSV: usize = 10_000;

impl Wallet {
    /// Lists or sums what happened, newest first. Totals are over everything asked for, not only
    /// this page.
    ///
    /// # Errors
    /// `invalid_input`, `storage_failed`, `wallet_damaged`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn list_history(
        &self,
        _caller: &Caller,
        request: ListHistory,
    ) -> Result<HistoryView, Error> {
        let setup = self.setup().await?;
        let now = (self.clock)();
        let since =
            request.since.as_deref().map(|text| period::since(text, now)).transpose()?.flatten();
        let until = request.until.as_deref().map(period::until).transpose()?.flatten();
        let cursor = request.cursor.as_deref().map(read_cursor).transpose()?;
        let csv = request.format == Some(Format::Csv);
        let limit = if csv {
            MAX_CSV
        } else {
            usize::try_from(request.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX)
        };
        let by = request.summary_by.filter(|by| *by != SummaryBy::None);
        let (mut totals, mut groups, mut days) =
            (Sums::default(), BTreeMap::<String, Sums>::new(), BTreeSet::new());
        for (tally, sums) in self.store.history_sums(since, until).await? {
            if tally.money.is_some_and(|money| money != setup.money)
                || !wanted(&tally.kind, &tally.direction, &request)
            {
                continue;
            }
            totals = totals.and(sums);
            if let Some(key) = by.and_then(|by| key_of_tally(&tally, by)) {
                add(&mut groups, key, sums);
            }
            days.insert(tally.day);
        }
        let span = Span { since: since.unwrap_or(0), until: until.unwrap_or(u64::MAX), days };
        let (mut entries, mut next, mut last) = (Vec::new(), None, None);
        match by {
            None => {
                let page = PAGE.min(limit.saturating_add(1));
                let show = |place: Cursor, found: Vec<(Line, Entry)>| {
                    // A record's entries are on one page.
                    if !entries.is_empty() && entries.len().saturating_add(found.len()) > limit {
                        next = last.as_ref().map(write_cursor);
                        return false;
                    }
                    entries.extend(found.into_iter().map(|(_, entry)| entry));
                    last = Some(place);
                    true
                };
                self.each_record(&setup, &request, &span, cursor, page, show).await?;
            }
            Some(by @ (SummaryBy::Payee | SummaryBy::Agent)) => {
                let group = |_, found: Vec<(Line, Entry)>| {
                    found.into_iter().for_each(|(line, entry)| {
                        add(&mut groups, key_of_entry(&entry, by), line.sums())
                    });
                    true
                };
                self.each_record(&setup, &request, &span, None, PAGE, group).await?;
            }
            Some(_) => {}
        }
        let groups: Option<Vec<Group>> = by.map(|_| groups.into_iter().map(to_group).collect());
        let csv = if csv { Some(write_csv(groups.as_deref(), &entries)?) } else { None };
        let (show_entries, next) =
            if by.is_some() || csv.is_some() { (None, None) } else { (Some(entries), next) };
        Ok(HistoryView {
            money: setup.money.into(),
            entries: show_entries,
            groups: groups.filter(|_| csv.is_none()),
            csv,
            totals: to_totals(totals),
            next_cursor: next,
        })
    }

    /// Shows the entries that are asked for, record by record, newest first, from after `cursor`
    /// on, until `show` says that it is enough.
    async fn each_record(
        &self,
        setup: &Setup,
        request: &ListHistory,
        span: &Span,
        cursor: Option<Cursor>,
        page: usize,
        mut show: impl FnMut(Cursor, Vec<(Line, Entry)>) -> bool,
    ) -> Result<(), Error> {
        let newest = cursor.as_ref().map_or(u64::MAX, |cursor| cursor.at / DAY_SECONDS);
        let mut before = cursor;
        for day in span.days.range(..=newest).rev() {
            let begin = day.saturating_mul(DAY_SECONDS);
            let (since, until) =
                (span.since.max(begin), span.until.min(begin.saturating_add(DAY_SECONDS)));
            loop {
                let query = HistoryQuery {
                    since: Some(since),
                    until: Some(until),
                    limit: page,
                    before: before.clone(),
                };
                let rows = self.store.history(query).await?;
                let is_last = rows.len() < page;
                for (place, row) in rows {
                    before = Some(place.clone());
                    let mut found = entries_of(&row);
                    found.retain(|(_, entry)| wanted(entry.kind, entry.direction, request));
                    let is_ours = row.money().is_none_or(|money| money == setup.money);
                    if is_ours && !found.is_empty() && !show(place, found) {
                        return Ok(());
                    }
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// What is asked for: from when, until when, and the days on which there is something.
struct Span {
    since: u64,
    until: u64,
    days: BTreeSet<u64>,
}

fn add(groups: &mut BTreeMap<String, Sums>, key: String, sums: Sums) {
    let group = groups.entry(key).or_default();
    *group = group.and(sums);
}

fn sats(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

fn to_totals(sums: Sums) -> Totals {
    Totals {
        in_sats: sats(sums.in_sats),
        out_sats: sats(sums.out_sats),
        fee_sats: sats(sums.fee_sats),
        count: sums.count,
    }
}

fn to_group((key, sums): (String, Sums)) -> Group {
    Group {
        key,
        in_sats: sats(sums.in_sats),
        out_sats: sats(sums.out_sats),
        fee_sats: sats(sums.fee_sats),
        count: sums.count,
    }
}

fn wanted(kind: &str, direction: &str, request: &ListHistory) -> bool {
    request.kind.is_none_or(|wanted| kind == kind_word(wanted))
        && request.direction.is_none_or(|wanted| direction == direction_word(wanted))
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

/// The group of a sum. `None`: its lines are of several, or of none that sums know.
fn key_of_tally(tally: &Tally, by: SummaryBy) -> Option<String> {
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    match by {
        SummaryBy::Day => Some(or_none(
            rfc3339(tally.shown_day.saturating_mul(DAY_SECONDS))
                .unwrap_or_default()
                .get(..10)
                .unwrap_or_default(),
        )),
        SummaryBy::Kind => Some(tally.kind.clone()),
        SummaryBy::Mint => Some(or_none(&tally.mint)),
        SummaryBy::Payee | SummaryBy::Agent | SummaryBy::None => None,
    }
}

fn key_of_entry(entry: &Entry, by: SummaryBy) -> String {
    let payee = || entry.payee.as_ref().or(entry.untrusted_payee.as_ref());
    if by == SummaryBy::Agent {
        entry.agent.clone()
    } else {
        payee().map_or_else(|| "-".to_owned(), Clone::clone)
    }
}

/// The entries of a record, as its lines.
fn entries_of(row: &HistoryRow) -> Vec<(Line, Entry)> {
    let write = |line: Line| {
        let entry = match row {
            HistoryRow::Payment(payment) => of_payment(payment, &line),
            HistoryRow::Deposit(deposit) => of_deposit(deposit, &line),
            HistoryRow::Receive(receive) => of_receive(receive, &line),
            HistoryRow::Policy { id, change } => {
                let note = Some(text::clean_to(&change.text, MAX_POLICY));
                Entry { note, ..blank(id.clone(), &line, "-".to_owned()) }
            }
        };
        (line, entry)
    };
    row.lines().into_iter().map(write).collect()
}

fn of_payment(payment: &Payment, line: &Line) -> Entry {
    let id = payment.id.to_string();
    let mut entry = blank(id.clone(), line, payment.agent.clone());
    (entry.mint, entry.payment_id) = (Some(payment.mint.to_string()), Some(id));
    if line.direction == "in" {
        return entry;
    }
    entry.payee.clone_from(&payment.shown_payee);
    if payment.kind == PaymentKind::Payment && payment.shown_payee.is_none() {
        entry.untrusted_payee = Some(payment.payee.clone());
    }
    if payment.note_is_untrusted {
        entry.untrusted_note = payment.note.as_deref().map(text::clean);
    } else {
        entry.note = payment.note.as_deref().map(own_words);
    }
    match &payment.state {
        PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => {}
        PaymentState::Settled { claimed, .. } => {
            entry.claimed = payment.is_of_coins().then_some(*claimed)
        }
        PaymentState::Failed { failure, .. } => {
            entry.untrusted_note =
                failure.untrusted_reason.as_deref().map(text::clean).or(entry.untrusted_note);
        }
        PaymentState::Returned { .. } => entry.claimed = Some(false),
    }
    entry
}

fn of_deposit(deposit: &Deposit, line: &Line) -> Entry {
    let mut entry = blank(deposit.id.to_string(), line, deposit.agent.clone());
    entry.mint = Some(deposit.mint.to_string());
    entry.note = deposit.description.as_deref().map(own_words);
    entry
}

fn of_receive(receive: &Receive, line: &Line) -> Entry {
    let mut entry = blank(receive.id.to_string(), line, receive.agent.clone());
    entry.untrusted_payee =
        receive.nutzap.as_ref().and_then(|from| crate::nostr::npub(&from.sender));
    entry.sender_proven = receive.nutzap.as_ref().map(|from| from.sender_proven);
    entry.mint = Some(receive.mint.to_string());
    entry.untrusted_note.clone_from(&receive.untrusted_memo);
    entry
}

fn blank(id: String, line: &Line, agent: String) -> Entry {
    Entry {
        id,
        time: rfc3339(line.at).unwrap_or_default(),
        direction: line.direction,
        kind: line.kind,
        state: line.state,
        amount_sats: line.amount_sats,
        fee_sats: line.fee_sats,
        mint: None,
        payee: None,
        untrusted_payee: None,
        sender_proven: None,
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
