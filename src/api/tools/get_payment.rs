//! `get_payment`: the state of a payment, a zap, a sent token or a received token.

use std::time::Duration;

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::GetPayment;
use crate::api::view::{OutcomeView, PaymentView, ReceiveView, TokenView, ZapView};

pub(super) fn tool() -> Tool {
    Tool {
        name: "get_payment",
        title: "Look up a payment",
        description: "Look up one payment, zap, sent token or received token: state, cost, proof, and whether it is final. Free; moves \
              no money; may ask the mint. Give exactly one of payment_id, payment_hash and idempotency_key; if you have none, \
              use list_history. Call it after a timeout, pending or outcome_unknown, before paying again; set wait_seconds to \
              wait. For deposits, use get_deposit.",
        hints: Hints::READS_OUTSIDE,
        input_schema: schema::input::<GetPayment>(),
        output_schema: schema::either(&[
            schema::output::<PaymentView>(),
            schema::output::<TokenView>(),
            schema::output::<ZapView>(),
            schema::output::<ReceiveView>(),
        ]),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<GetPayment>()?;
                let name = read::one_name(
                    request.payment_id.as_deref(),
                    request.payment_hash.as_deref(),
                    request.idempotency_key.as_deref(),
                )?;
                let wallet = job.wallet().await?;
                let lookup = read::lookup(&name)?;
                let wait = Duration::from_secs(request.wait_seconds.unwrap_or(0));
                let outcome = wallet.payments().get(job.caller, &lookup, wait).await?;
                Ok(Answer::of(&OutcomeView::new(outcome)?))
            })
        },
    }
}
