//! The history: entries, sums, or one CSV text.

use schemars::JsonSchema;
use serde::Serialize;

use super::rfc3339;
use crate::api::csv::write_csv;
use crate::api::error::Error;
use crate::api::{read, words};
use crate::model::history_line::HistorySums;
use crate::model::ledger::DAY_SECONDS;
use crate::wallet::{self, History, HistoryNote};

view!(
    /// One entry.
    Entry {
        /// payment_id, deposit_id or receive_id, or the time of a rule change.
        #[schemars(extend("shown" = true))]
        id: String,
        /// The time, RFC 3339, UTC.
        time: String,
        /// The direction of the money.
        direction: words::Direction,
        /// The kind of entry.
        kind: words::EntryKind,
        /// The state, as the tool that made it reports it.
        state: words::EntryState,
        /// The amount, in sats.
        amount_sats: u64,
        /// The fees, in sats.
        fee_sats: u64,
        /// The mint's URL.
        #[serde(skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// The payee as the caller gave it.
        #[serde(skip_serializing_if = "Option::is_none")]
        payee: Option<String>,
        /// The payee's key, or the sender of a nutzap.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_payee: Option<String>,
        /// True if a nutzap's coins prove its sender; if false, anyone may have sent it.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        sender_proven: Option<bool>,
        /// Your own comment, memo or description, or the rule change.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Text from a stranger: memo, description or reason.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_note: Option<String>,
        /// The id of the payment that the entry belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// True if someone has claimed the token or nutzap.
        #[serde(skip_serializing_if = "Option::is_none")]
        claimed: Option<bool>,
        /// The agent that caused it; - if the owner did.
        #[schemars(extend("shown" = true))]
        agent: String,
    }
);

view!(
    /// The sums of one group.
    Group {
        /// The day, kind, mint, payee or agent.
        key: String,
        /// The sats that came in.
        in_sats: u64,
        /// Sats that left, without fees.
        #[schemars(extend("shown" = true))]
        out_sats: u64,
        /// The fees, in sats.
        fee_sats: u64,
        /// The number of entries.
        count: u64,
    }
);

view!(
    /// The sums of every match.
    Totals {
        /// The sats that came in.
        in_sats: u64,
        /// Sats that left, without fees.
        #[schemars(extend("shown" = true))]
        out_sats: u64,
        /// The fees, in sats.
        fee_sats: u64,
        /// The number of entries.
        count: u64,
    }
);

view!(
    /// The history.
    HistoryView {
        /// The kind of money.
        money: words::Money,
        /// The entries, newest first.
        #[serde(skip_serializing_if = "Option::is_none")]
        entries: Option<Vec<Entry>>,
        /// The sums, with summary_by.
        #[serde(skip_serializing_if = "Option::is_none")]
        groups: Option<Vec<Group>>,
        /// The CSV text, with format csv.
        #[serde(skip_serializing_if = "Option::is_none")]
        csv: Option<String>,
        /// Sums over every match, not only this page.
        #[schemars(extend("shown" = true))]
        totals: Totals,
        /// The cursor of the next page; absent on the last.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        next_cursor: Option<String>,
    }
);

impl HistoryView {
    /// Creates the view: entries, sums if requested, or CSV.
    ///
    /// # Errors
    /// `internal`, if the CSV could not be written.
    pub fn new(history: History, as_csv: bool) -> Result<Self, Error> {
        // Sums have no pages.
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
            next_cursor,
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
            direction: entry.line.direction.into(),
            kind: entry.line.kind.into(),
            state: entry.line.state.into(),
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

/// The text for a missing name.
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
