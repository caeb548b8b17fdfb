//! History as entries or sums. Never contains a token, a preimage or a whole invoice.

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

/// Number of records per read of the store.
const PAGE: usize = 500;
/// Length limit of a policy change's text, in characters: many mints may change at once.
const MAX_POLICY: usize = 2_000;

/// History request. Times are Unix seconds.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// Start of the period. `None`: the beginning.
    pub since: Option<u64>,
    /// End of the period, exclusive. `None`: now.
    pub until: Option<u64>,
    /// Kind of entries. `None`: all kinds.
    pub kind: Option<EntryKind>,
    /// Direction of entries. `None`: all entries.
    pub direction: Option<Direction>,
    /// Grouping of sums. `None`: entries instead of sums.
    pub grouping: Option<Grouping>,
    /// Maximum number of entries per page. A record's entries stay together, so one record may
    /// exceed it.
    pub limit: usize,
    /// Cursor from the previous page. `None`: the first page.
    pub cursor: Option<Cursor>,
}

/// Property by which sums are grouped.
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

/// Key of a sum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// UTC day, counted from 1970.
    Day(u64),
    /// Kind of entry.
    Kind(EntryKind),
    /// A mint, payee or agent. `None`: entries without one.
    Named(Option<String>),
}

/// Answer to a history request.
#[derive(Clone, Debug)]
pub struct History {
    /// Kind of money.
    pub money: MoneyKind,
    /// Entries, newest first; empty if sums were requested.
    pub entries: Vec<Entry>,
    /// Requested sums. `None`: entries were requested.
    pub groups: Option<BTreeMap<Group, HistorySums>>,
    /// Totals over the whole request, not only this page.
    pub totals: HistorySums,
    /// Cursor of the next page. `None`: this is the last.
    pub next: Option<Cursor>,
}

/// One history entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Amounts, time and kind.
    pub line: HistoryLine,
    /// The payment_id, deposit_id or receive_id, or the time of a policy change.
    pub id: String,
    /// The mint.
    pub mint: Option<MintAddress>,
    /// The payee as given by the caller.
    pub payee: Option<String>,
    /// The payee's own name for itself.
    pub untrusted_payee: Option<String>,
    /// `true` if a nutzap's proofs name its sender.
    pub sender_proven: Option<bool>,
    /// Note, cleaned.
    pub note: Option<HistoryNote>,
    /// The mint's reason for a failure, cleaned.
    pub untrusted_reason: Option<String>,
    /// Id of the payment it belongs to.
    pub payment_id: Option<String>,
    /// `true` if someone has claimed the token.
    pub claimed: Option<bool>,
    /// The agent that caused it. `None`: the owner did.
    pub agent: Option<String>,
}

/// Note of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryNote {
    /// Text of our own.
    Own(String),
    /// Text from a stranger.
    Untrusted(String),
}

impl Reports<'_> {
    /// Lists or sums the history, newest first.
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
                    // All entries of a record are on one page.
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

/// Passes the requested entries to `show`, record by record, newest first, from after the query's
/// cursor until `show` returns `false`. `days` are the days with matching entries.
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

/// Returns the group of a stored sum. `None`: stored sums are not kept by this grouping.
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

/// Returns a record's entries, one per history line.
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

/// Cleans an agent's note; others may have dictated it to the agent.
fn own_words(words: &str) -> String {
    text::clean_to(words, text::MAX_OUTGOING)
}
