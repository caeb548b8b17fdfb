//! `zap`: money for a person or an event on Nostr.

use super::{Answer, Hints, Tool, schema};
use crate::wallet::request::Zap;
use crate::wallet::view::PaymentView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "zap",
        title: "Zap on Nostr",
        description: "Send sats to a person or for an event on Nostr, publicly. Spends the amount plus a fee, within the owner's limits; \
              cannot be undone. Uses a nutzap or Lightning, whichever suits the recipient. For a plain invoice or address use pay. \
              After a timeout, pending or outcome_unknown call get_payment, or repeat the call with the same idempotency_key: nothing \
              is paid twice. state partial: some parts failed and did not move; the same call tries only those.",
        hints: Hints::SPENDS,
        input_schema: schema::input::<Zap>(),
        output_schema: schema::output::<PaymentView>(),
        aliases: &[("recipient", "to")],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<Zap>()?;
                let view = job.wallet().await?.zap(job.caller, request).await?;
                Ok(Answer::of(&view))
            })
        },
    }
}
