//! `receive_token`: a token taken in.

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::ReceiveToken;
use crate::api::view::{OutcomeView, ReceiveView, TokenView};

pub(super) fn tool() -> Tool {
    Tool {
        name: "receive_token",
        title: "Receive an ecash token",
        description: "Receive an ecash token into this wallet by swapping it at its mint: its sender can no longer use it. Costs the mint's \
              fee, if any; cannot be undone. Only mints the owner trusts are asked; otherwise mint_not_trusted, and the token stays \
              good. For money over Lightning use deposit instead; for your own unclaimed token reclaim_token. After a timeout repeat \
              it with the same token, which is never taken twice, or call get_payment.",
        hints: Hints::WRITES_ONCE,
        input_schema: schema::input::<ReceiveToken>(),
        output_schema: schema::either(&[
            schema::output::<ReceiveView>(),
            schema::output::<TokenView>(),
        ]),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<ReceiveToken>()?;
                let wallet = job.wallet().await?;
                let token = read::token(&request.token)?;
                let outcome = wallet.tokens().receive(job.caller, token).await?;
                Ok(Answer::of(&OutcomeView::new(outcome)?))
            })
        },
    }
}
