//! `send_token`: a token handed out.

use super::{Answer, Hints, Tool, qr, schema};
use crate::wallet::request::SendToken;
use crate::wallet::view::PaymentView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "send_token",
        title: "Create an ecash token",
        description: "Create an ecash token worth amount_sats from this wallet: cash as text, for whoever holds it. Spends within the \
              owner's limits, plus the mint's fee, if any. Give the token only to its receiver. Until it is claimed reclaim_token \
              can take it back (not with lock_to); after that it cannot be undone. To pay a Lightning invoice use pay instead. After \
              a timeout call get_payment or repeat it with the same idempotency_key; without one it could be another token.",
        hints: Hints::SPENDS,
        input_schema: schema::input::<SendToken>(),
        output_schema: schema::output::<PaymentView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<SendToken>()?;
                let wanted = request.qr == Some(true);
                let mut view = job.wallet().await?.send_token(job.caller, request).await?;
                let drawn = view.token.as_deref().filter(|_| wanted).and_then(qr::token);
                let (text, png) = drawn.map(|drawn| (drawn.text, drawn.png)).unzip();
                view.qr_text = text;
                Ok(Answer { png: png.flatten(), ..Answer::of(&view) })
            })
        },
    }
}
