//! What happened: entries and sums. Never holds a token, a preimage or a whole invoice.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::deposit::Deposit;
use crate::model::history_line::{Direction, EntryKind, HistoryLine, HistorySums};
use crate::model::ledger::DAY_SECONDS;
use crate::model::mint::{MintAddress, MoneyKind};
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::model::receive::Receive;
use crate::model::text;
pub use crate::store::Cursor;
use crate::store::{HistoryFilter, HistoryRow, Tally};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::Failure;
use crate::wallet::reports::Reports;

/// How many records one look at the store reads.
const PAGE: usize = 500;
/// The longest a change of the rules is shown, in characters: many mints may change at once.
const MAX_POLICY: usize = 2_000;

/// What is asked for. Times are Unix seconds.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// From when. `None`: from the beginning.
    pub since: Option<u64>,
    /// Until before when. `None`: until now.
    pub until: Option<u64>,
    /// Only this kind.
    pub kind: Option<EntryKind>,
    /// Only this direction.
    pub direction: Option<Direction>,
    /// Sums by this, instead of entries.
    pub grouping: Option<Grouping>,
    /// At most so many entries; those of one record stay together.
    pub limit: usize,
    /// The page after this one.
    pub cursor: Option<Cursor>,
}

/// What sums are kept apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// UTC day.
    Day,
    /// Kind of entry.
    Kind,
    /// Mint.
    Mint,
    /// Payee.
    Payee,
    /// Agent.
    Agent,
}

/// What a sum is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A UTC day, counted from 1970.
    Day(u64),
    /// A kind of entry.
    Kind(EntryKind),
    /// A mint, a payee or an agent. `None`: an entry has none.
    Named(Option<String>),
}

/// What happened.
#[derive(Clone, Debug)]
pub struct History {
    /// The kind of money.
    pub money: MoneyKind,
    /// Newest first. Empty where sums were asked for.
    pub entries: Vec<Entry>,
    /// The sums that were asked for. `None`: entries were.
    pub groups: Option<BTreeMap<Group, HistorySums>>,
    /// Over everything asked for, not only this page.
    pub totals: HistorySums,
    /// Where the next page begins. `None`: this is the last.
    pub next: Option<Cursor>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its numbers, time and kind.
    pub line: HistoryLine,
    /// Its payment_id, deposit_id or receive_id, or the time of a policy change.
    pub id: String,
    /// The mint.
    pub mint: Option<MintAddress>,
    /// The payee as the caller gave it.
    pub payee: Option<String>,
    /// The payee as it calls itself.
    pub untrusted_payee: Option<String>,
    /// A nutzap's coins name its sender themselves.
    pub sender_proven: Option<bool>,
    /// Words, cleaned.
    pub note: Option<HistoryNote>,
    /// What the mint said when it failed, cleaned.
    pub untrusted_reason: Option<String>,
    /// The payment it belongs to.
    pub payment_id: Option<String>,
    /// Somebody has claimed the token.
    pub claimed: Option<bool>,
    /// The agent that caused it. `None`: the owner did.
    pub agent: Option<String>,
}

/// Words of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryNote {
    /// Our own.
    Own(String),
    /// A stranger's.
    Untrusted(String),
}

impl Reports<'_> {
    /// Lists or sums what happened, newest first.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn history(self, _caller: &Caller, query: HistoryQuery) -> Result<History, Failure> {
        let core = self.0;
        let setup = core.setup().await?;
        let (mut totals, mut groups, mut days) =
            (HistorySums::default(), BTreeMap::<Group, HistorySums>::new(), BTreeSet::new());
        for (tally, sums) in core.store.history_sums(query.since, query.until).await? {
            if tally.money.is_some_and(|money| money != setup.money)
                || !query.wants(tally.kind, tally.direction)
            {
                continue;
            }
            totals = totals.and(sums);
            if let Some(group) = query.grouping.and_then(|by| group_of_tally(&tally, by)) {
                add(&mut groups, group, sums);
            }
            days.insert(tally.day);
        }
        let (mut entries, mut next, mut last) = (Vec::new(), None, None);
        match query.grouping {
            None => {
                let limit = query.limit;
                let show = |place: Cursor, found: Vec<Entry>| {
                    // A record's entries are on one page.
                    if !entries.is_empty() && entries.len().saturating_add(found.len()) > limit {
                        next.clone_from(&last);
                        return false;
                    }
                    entries.extend(found);
                    last = Some(place);
                    true
                };
                let page = PAGE.min(limit.saturating_add(1));
                each_record(core, &setup, &query, &days, page, show).await?;
            }
            Some(by @ (Grouping::Payee | Grouping::Agent)) => {
                let group = |_, found: Vec<Entry>| {
                    for entry in found {
                        let sums = entry.line.sums();
                        add(&mut groups, group_of_entry(entry, by), sums);
                    }
                    true
                };
                let all = HistoryQuery { cursor: None, ..query.clone() };
                each_record(core, &setup, &all, &days, PAGE, group).await?;
            }
            Some(Grouping::Day | Grouping::Kind | Grouping::Mint) => {}
        }
        Ok(History {
            money: setup.money,
            entries,
            groups: query.grouping.map(|_| groups),
            totals,
            next,
        })
    }
}

/// Shows the entries that are asked for, record by record, newest first, from after the
/// query's cursor on, until `show` says that it is enough. `days` are those on which there is
/// something.
async fn each_record(
    core: &Core,
    setup: &Setup,
    query: &HistoryQuery,
    days: &BTreeSet<u64>,
    page: usize,
    mut show: impl FnMut(Cursor, Vec<Entry>) -> bool,
) -> Result<(), Failure> {
    let newest = query.cursor.as_ref().map_or(u64::MAX, |cursor| cursor.at / DAY_SECONDS);
    let mut before = query.cursor.clone();
    for day in days.range(..=newest).rev() {
        let begin = day.saturating_mul(DAY_SECONDS);
        let since = query.since.unwrap_or(0).max(begin);
        let until = query.until.unwrap_or(u64::MAX).min(begin.saturating_add(DAY_SECONDS));
        loop {
            let look = HistoryFilter {
                since: Some(since),
                until: Some(until),
                limit: page,
                before: before.clone(),
            };
            let rows = core.store.history(look).await?;
            let is_last = rows.len() < page;
            for (place, row) in rows {
                before = Some(place.clone());
                let mut found = entries_of(&row);
                found.retain(|entry| query.wants(entry.line.kind, entry.line.direction));
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

impl HistoryQuery {
    fn wants(&self, kind: EntryKind, direction: Direction) -> bool {
        self.kind.is_none_or(|wanted| kind == wanted)
            && self.direction.is_none_or(|wanted| direction == wanted)
    }
}

fn add(groups: &mut BTreeMap<Group, HistorySums>, group: Group, sums: HistorySums) {
    let sum = groups.entry(group).or_default();
    *sum = sum.and(sums);
}

/// The group of a sum. `None`: its lines are of several, or of none that sums know.
fn group_of_tally(tally: &Tally, by: Grouping) -> Option<Group> {
    match by {
        Grouping::Day => Some(Group::Day(tally.shown_day)),
        Grouping::Kind => Some(Group::Kind(tally.kind)),
        Grouping::Mint => {
            Some(Group::Named(Some(tally.mint.clone()).filter(|mint| !mint.is_empty())))
        }
        Grouping::Payee | Grouping::Agent => None,
    }
}

fn group_of_entry(entry: Entry, by: Grouping) -> Group {
    let payee = entry.payee.or(entry.untrusted_payee);
    Group::Named(if by == Grouping::Agent { entry.agent } else { payee })
}

/// The entries of a record, as its lines.
fn entries_of(row: &HistoryRow) -> Vec<Entry> {
    let write = |line: HistoryLine| match row {
        HistoryRow::Payment(payment) => of_payment(payment, line),
        HistoryRow::Deposit(deposit) => of_deposit(deposit, line),
        HistoryRow::Receive(receive) => of_receive(receive, line),
        HistoryRow::Policy { id, change } => {
            let note = Some(HistoryNote::Own(text::clean_to(&change.text, MAX_POLICY)));
            Entry { note, ..blank(id.clone(), line, None) }
        }
    };
    row.lines().into_iter().map(write).collect()
}

fn of_payment(payment: &Payment, line: HistoryLine) -> Entry {
    let id = payment.id.to_string();
    let mut entry = blank(id.clone(), line, Some(&payment.agent));
    (entry.mint, entry.payment_id) = (Some(payment.mint.clone()), Some(id));
    if line.direction == Direction::In {
        return entry;
    }
    entry.payee.clone_from(&payment.shown_payee);
    if matches!(payment.kind, PaymentKind::Lightning(_)) && payment.shown_payee.is_none() {
        entry.untrusted_payee = Some(payment.payee.clone());
    }
    entry.note = payment.note.as_deref().map(|note| {
        if payment.note_is_untrusted {
            HistoryNote::Untrusted(text::clean(note))
        } else {
            HistoryNote::Own(own_words(note))
        }
    });
    match &payment.state {
        PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => {}
        PaymentState::Settled { claimed, .. } => {
            entry.claimed = payment.is_ecash().then_some(*claimed)
        }
        PaymentState::Failed { failure, .. } => {
            let reason = failure.untrusted_reason.as_deref();
            entry.untrusted_reason = reason.map(text::clean);
        }
        PaymentState::Returned { .. } => entry.claimed = Some(false),
    }
    entry
}

fn of_deposit(deposit: &Deposit, line: HistoryLine) -> Entry {
    let mut entry = blank(deposit.id.to_string(), line, Some(&deposit.agent));
    entry.mint = Some(deposit.mint.clone());
    entry.note = deposit.description.as_deref().map(|words| HistoryNote::Own(own_words(words)));
    entry
}

fn of_receive(receive: &Receive, line: HistoryLine) -> Entry {
    let mut entry = blank(receive.id.to_string(), line, Some(&receive.agent));
    entry.untrusted_payee =
        receive.nutzap.as_ref().and_then(|from| crate::nostr::npub(&from.sender));
    entry.sender_proven = receive.nutzap.as_ref().map(|from| from.sender_proven);
    entry.mint = Some(receive.mint.clone());
    entry.note = receive.untrusted_memo.clone().map(HistoryNote::Untrusted);
    entry
}

fn blank(id: String, line: HistoryLine, agent: Option<&str>) -> Entry {
    Entry {
        line,
        id,
        mint: None,
        payee: None,
        untrusted_payee: None,
        sender_proven: None,
        note: None,
        untrusted_reason: None,
        payment_id: None,
        claimed: None,
        agent: agent.map(str::to_owned),
    }
}

/// What an agent wrote, which may have been told what to write.
fn own_words(words: &str) -> String {
    text::clean_to(words, text::MAX_OUTGOING)
}
