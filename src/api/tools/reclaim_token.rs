//! `reclaim_token`: a token of ours taken back.

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::ReclaimToken;
use crate::api::view::{OutcomeView, TokenView};

pub(super) fn tool() -> Tool {
    Tool {
        name: "reclaim_token",
        title: "Take back a token",
        description: "Take back a token made with send_token that nobody has claimed. Costs the mint's fee, if any; cannot be undone; the \
              day's limit stays used. If somebody was faster the state is settled and claimed is true. Not for Lightning payments; \
              for tokens of others use receive_token. After a timeout repeat it or call get_payment.",
        hints: Hints::WRITES_ONCE,
        input_schema: schema::input::<ReclaimToken>(),
        output_schema: schema::output::<TokenView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<ReclaimToken>()?;
                let wallet = job.wallet().await?;
                let id = read::payment_id(&request.payment_id)?;
                let record = wallet.tokens().reclaim(job.caller, &id).await?;
                Ok(Answer::of(&OutcomeView::from(record)))
            })
        },
    }
}
