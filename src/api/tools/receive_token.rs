//! `receive_token`: a token redeemed.

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::ReceiveToken;
use crate::api::view::{OutcomeView, ReceiveView, TokenView};

pub(super) fn tool() -> Tool {
    Tool {
        name: "receive_token",
        title: "Receive an ecash token",
        description: "Receive an ecash token by swapping it at its mint, so that its sender can no longer spend it. Costs any mint \
              fee; cannot be undone. A token from a mint the owner does not trust fails with mint_not_trusted and stays valid. \
              To receive over Lightning, use deposit; for your own unclaimed token, reclaim_token. After a timeout, repeat \
              with the same token (never redeemed twice) or call get_payment.",
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
