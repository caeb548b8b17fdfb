//! `reclaim_token`: a sent token taken back.

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::ReclaimToken;
use crate::api::view::{OutcomeView, TokenView};

pub(super) fn tool() -> Tool {
    Tool {
        name: "reclaim_token",
        title: "Take back a token",
        description: "Take back a token nobody has claimed, by its payment_id from send_token. Costs any mint fee; cannot be undone; \
              the amount still counts toward the 24-hour limit. Fails for lock_to tokens. If someone claimed it first, state \
              is settled and claimed is true. For other people's tokens, use receive_token. After a timeout, repeat it or call \
              get_payment.",
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
