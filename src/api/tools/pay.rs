//! `pay`: a Lightning payment.

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::Pay;
use crate::api::view::{OutcomeView, PaymentView};
use crate::wallet::PaymentIntent;

pub(super) fn tool() -> Tool {
    Tool {
        name: "pay",
        title: "Pay over Lightning",
        description: "Pay a Lightning invoice, Lightning address or LNURL. Spends the amount plus a fee, within the owner's limits; \
              cannot be undone. To send ecash as text, use send_token; on Nostr, zap; for the price only, estimate. After a \
              timeout, pending or outcome_unknown, call get_payment, or repeat the call with the same idempotency_key: nothing \
              is paid twice. Do not pay for the same thing another way before it is final.",
        hints: Hints::SPENDS,
        input_schema: schema::input::<Pay>(),
        output_schema: schema::output::<PaymentView>(),
        aliases: &[("bolt11", "to")],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<Pay>()?;
                let wallet = job.wallet().await?;
                let intent = PaymentIntent {
                    destination: read::destination(&request.to)?,
                    amount: read::some_sats("amount_sats", request.amount_sats)?,
                    mint: read::mint(request.mint.as_deref())?,
                    max_fee_sats: request.max_fee_sats,
                    comment: request.comment,
                    key: request.idempotency_key,
                    repeat_of: read::repeat_of(request.repeat_of.as_deref())?,
                };
                let record = wallet.payments().pay(job.caller, intent).await?;
                Ok(Answer::of(&OutcomeView::from(record)))
            })
        },
    }
}
