//! `send_token`: a new ecash token.

use super::{Answer, Hints, Tool, qr, schema};
use crate::api::read;
use crate::api::request::SendToken;
use crate::api::view::{OutcomeView, TokenView};
use crate::wallet::TokenIntent;

pub(super) fn tool() -> Tool {
    Tool {
        name: "send_token",
        title: "Create an ecash token",
        description: "Create an ecash token worth amount_sats: cash as text, for whoever holds it. Spends that plus any mint fee, \
              within the owner's limits. Give the token only to its recipient. Until it is claimed, reclaim_token can take it \
              back (not with lock_to); after that it cannot be undone. To pay an invoice, use pay. After a timeout, call \
              get_payment or repeat with the same idempotency_key; without one, you may get a second token.",
        hints: Hints::SPENDS,
        input_schema: schema::input::<SendToken>(),
        output_schema: schema::output::<TokenView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<SendToken>()?;
                let wallet = job.wallet().await?;
                let wanted = request.qr == Some(true);
                let intent = TokenIntent {
                    amount: read::sats("amount_sats", request.amount_sats)?,
                    mint: read::mint(request.mint.as_deref())?,
                    memo: request.memo,
                    lock_to: read::lock_key(request.lock_to.as_deref())?,
                    key: request.idempotency_key,
                    repeat_of: read::repeat_of(request.repeat_of.as_deref())?,
                };
                let record = wallet.tokens().send(job.caller, intent).await?;
                let mut view = OutcomeView::from(record);
                let mut png = None;
                if let OutcomeView::Token(view) = &mut view {
                    let drawn = view.token.as_deref().filter(|_| wanted).and_then(qr::token);
                    let (text, picture) = drawn.map(|drawn| (drawn.text, drawn.png)).unzip();
                    (view.qr_text, png) = (text, picture.flatten());
                }
                Ok(Answer { png, ..Answer::of(&view) })
            })
        },
    }
}
