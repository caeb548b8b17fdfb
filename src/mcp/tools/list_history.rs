//! `list_history`: what happened.

use super::{Answer, Hints, Tool, schema};
use crate::wallet::request::ListHistory;
use crate::wallet::view::HistoryView;

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
                let view = job.wallet().await?.list_history(job.caller, request).await?;
                Ok(Answer::of(&view))
            })
        },
    }
}
