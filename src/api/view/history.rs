//! What happened: entries, sums, or one CSV text.

use schemars::JsonSchema;
use serde::Serialize;

use super::{MoneyWord, rfc3339};
use crate::api::csv::write_csv;
use crate::api::error::Error;
use crate::api::{read, words};
use crate::model::history_line::HistorySums;
use crate::model::ledger::DAY_SECONDS;
use crate::wallet::{self, History, HistoryNote};

view!(
    /// One thing that happened.
    Entry {
        /// Its payment_id, deposit_id or receive_id, or the time of a policy change.
        id: String,
        /// RFC 3339, UTC.
        time: String,
        /// in, out or none.
        direction: &'static str,
        /// What kind of thing.
        kind: &'static str,
        /// As the verb that made it says.
        state: &'static str,
        /// Sats.
        amount_sats: u64,
        /// Sats.
        fee_sats: u64,
        /// The mint.
        #[serde(skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// The payee as the caller gave it.
        #[serde(skip_serializing_if = "Option::is_none")]
        payee: Option<String>,
        /// The payee as it calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_payee: Option<String>,
        /// A nutzap that came in: its coins themselves name the sender. If false, anybody may have
        /// published it.
        #[serde(skip_serializing_if = "Option::is_none")]
        sender_proven: Option<bool>,
        /// Our own words.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// A stranger's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_note: Option<String>,
        /// The payment it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// A token: somebody has claimed it.
        #[serde(skip_serializing_if = "Option::is_none")]
        claimed: Option<bool>,
        /// The agent that caused it.
        agent: String,
    }
);

view!(
    /// Sums of one group.
    Group {
        /// The day, kind, mint, payee or agent.
        key: String,
        /// Came in.
        in_sats: u64,
        /// Left, fees apart.
        out_sats: u64,
        /// Fees.
        fee_sats: u64,
        /// How many entries.
        count: u64,
    }
);

view!(
    /// Sums of all that was asked for.
    Totals {
        /// Came in.
        in_sats: u64,
        /// Left, fees apart.
        out_sats: u64,
        /// Fees.
        fee_sats: u64,
        /// How many entries.
        count: u64,
    }
);

view!(
    /// What happened.
    HistoryView {
        /// Kind of money.
        money: MoneyWord,
        /// Newest first.
        #[serde(skip_serializing_if = "Option::is_none")]
        entries: Option<Vec<Entry>>,
        /// With summary_by.
        #[serde(skip_serializing_if = "Option::is_none")]
        groups: Option<Vec<Group>>,
        /// With format csv.
        #[serde(skip_serializing_if = "Option::is_none")]
        csv: Option<String>,
        /// Sums over everything asked for, not only this page.
        totals: Totals,
        /// Give it as cursor for the next page.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_cursor: Option<String>,
    }
);

impl HistoryView {
    /// The history as entries, as sums where these were asked for, or as CSV.
    ///
    /// # Errors
    /// `internal`, if the CSV could not be written.
    pub fn new(history: History, as_csv: bool) -> Result<Self, Error> {
        let next_cursor = history.next.as_ref().map(read::write_cursor);
        let entries: Vec<Entry> = history.entries.into_iter().map(Entry::from).collect();
        let groups = history.groups.map(|groups| {
            let mut groups: Vec<Group> = groups.into_iter().map(to_group).collect();
            groups.sort_by(|one, other| one.key.cmp(&other.key));
            groups
        });
        let csv = if as_csv { Some(write_csv(groups.as_deref(), &entries)?) } else { None };
        let of_entries = groups.is_none() && csv.is_none();
        Ok(Self {
            money: history.money.into(),
            entries: of_entries.then_some(entries),
            groups: groups.filter(|_| csv.is_none()),
            csv,
            totals: to_totals(history.totals),
            next_cursor: next_cursor.filter(|_| of_entries),
        })
    }
}

impl From<wallet::Entry> for Entry {
    fn from(entry: wallet::Entry) -> Self {
        let (note, untrusted_note) = match entry.note {
            Some(HistoryNote::Own(words)) => (Some(words), None),
            Some(HistoryNote::Untrusted(words)) => (None, Some(words)),
            None => (None, None),
        };
        Self {
            id: entry.id,
            time: rfc3339(entry.line.at).unwrap_or_default(),
            direction: words::direction(entry.line.direction),
            kind: words::entry_kind(entry.line.kind),
            state: words::entry_state(entry.line.state),
            amount_sats: entry.line.amount_sats,
            fee_sats: entry.line.fee_sats,
            mint: entry.mint.map(|mint| mint.to_string()),
            payee: entry.payee,
            untrusted_payee: entry.untrusted_payee,
            sender_proven: entry.sender_proven,
            note,
            untrusted_note: entry.untrusted_reason.or(untrusted_note),
            payment_id: entry.payment_id,
            claimed: entry.claimed,
            agent: entry.agent.unwrap_or_else(|| NONE.to_owned()),
        }
    }
}

/// What stands where there is no name.
const NONE: &str = "-";

fn sats(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

fn to_totals(sums: HistorySums) -> Totals {
    Totals {
        in_sats: sats(sums.in_sats),
        out_sats: sats(sums.out_sats),
        fee_sats: sats(sums.fee_sats),
        count: sums.count,
    }
}

fn to_group((of, sums): (wallet::Group, HistorySums)) -> Group {
    let key = match of {
        wallet::Group::Day(day) => rfc3339(day.saturating_mul(DAY_SECONDS))
            .and_then(|time| time.get(..10).map(str::to_owned)),
        wallet::Group::Kind(kind) => Some(words::entry_kind(kind).to_owned()),
        wallet::Group::Named(name) => name,
    };
    let Totals { in_sats, out_sats, fee_sats, count } = to_totals(sums);
    Group { key: key.unwrap_or_else(|| NONE.to_owned()), in_sats, out_sats, fee_sats, count }
}
