//! `list_history`: what happened.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::{Direction, EntryKind, Format, ListHistory, SummaryBy};
use crate::api::view::HistoryView;
use crate::api::{period, read};
use crate::model::history_line;
use crate::wallet::{Grouping, HistoryQuery};

const DEFAULT_LIMIT: u64 = 20;
/// The most entries of one CSV.
const MAX_CSV: usize = 10_000;

pub(super) fn tool() -> Tool {
    Tool {
        name: "list_history",
        title: "List history",
        description: "List what happened in this wallet, newest first: deposits, payments, tokens, changes of the owner's rules; or sums \
              (summary_by), or CSV. Free, changes nothing. Never holds tokens, preimages or whole invoices. For one payment use \
              get_payment instead, for what is left to spend get_balance. Repeat it after a timeout.",
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
                let limit = usize::try_from(request.limit.unwrap_or(DEFAULT_LIMIT));
                let query = HistoryQuery {
                    since: period::since(request.since.as_deref().unwrap_or("all"), now)?,
                    until: period::until(request.until.as_deref().unwrap_or("all"))?,
                    kind: request.kind.map(Into::into),
                    direction: request.direction.map(Into::into),
                    grouping: request.summary_by.and_then(grouping),
                    limit: if as_csv { MAX_CSV } else { limit.unwrap_or(usize::MAX) },
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
