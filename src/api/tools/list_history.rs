//! `list_history`: entries, sums or CSV.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::{Format, ListHistory, SummaryBy};
use crate::api::view::HistoryView;
use crate::api::words::{Direction, EntryKind};
use crate::api::{period, read};
use crate::model::history_line;
use crate::wallet::{Grouping, HistoryQuery};

/// The default number of entries per page.
const PAGE: usize = 20;
/// The default number of entries per page of CSV.
const CSV_PAGE: usize = 10_000;

pub(super) fn tool() -> Tool {
    Tool {
        name: "list_history",
        title: "List history",
        description: "List what happened in this wallet, newest first: deposits, payments, tokens, zaps, rule changes. Page with \
              cursor; or get sums (summary_by) or CSV (format). totals cover every match. Free; reads local records only. \
              Never contains tokens, preimages or whole invoices. For one payment, use get_payment; for what is left, \
              get_balance. After a timeout, repeat it.",
        hints: Hints::READS_LOCAL,
        input_schema: schema::input::<ListHistory>(),
        output_schema: schema::output::<HistoryView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<ListHistory>()?;
                let wallet = job.wallet().await?;
                let now = wallet.now();
                let as_csv = request.format == Some(Format::Csv);
                let page = if as_csv { CSV_PAGE } else { PAGE };
                let query = HistoryQuery {
                    since: period::since(request.since.as_deref().unwrap_or("all"), now)?,
                    until: period::until(request.until.as_deref().unwrap_or("all"))?,
                    kind: request.kind.map(Into::into),
                    direction: request.direction.map(Into::into),
                    grouping: request.summary_by.and_then(grouping),
                    limit: request
                        .limit
                        .map_or(page, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
                    cursor: request.cursor.as_deref().map(read::cursor).transpose()?,
                };
                let history = wallet.reports().history(job.caller, query).await?;
                Ok(Answer::of(&HistoryView::new(history, as_csv)?))
            })
        },
    }
}

fn grouping(by: SummaryBy) -> Option<Grouping> {
    match by {
        SummaryBy::None => None,
        SummaryBy::Day => Some(Grouping::Day),
        SummaryBy::Kind => Some(Grouping::Kind),
        SummaryBy::Mint => Some(Grouping::Mint),
        SummaryBy::Payee => Some(Grouping::Payee),
        SummaryBy::Agent => Some(Grouping::Agent),
    }
}

impl From<EntryKind> for history_line::EntryKind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Deposit => Self::Deposit,
            EntryKind::Payment => Self::Payment,
            EntryKind::TokenSent => Self::TokenSent,
            EntryKind::TokenReceived => Self::TokenReceived,
            EntryKind::TokenReclaimed => Self::TokenReclaimed,
            EntryKind::Zap => Self::Zap,
            EntryKind::NutzapReceived => Self::NutzapReceived,
            EntryKind::Policy => Self::Policy,
        }
    }
}

impl From<Direction> for history_line::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::In => Self::In,
            Direction::Out => Self::Out,
            Direction::None => Self::None,
        }
    }
}
