//! `get_payment`: what became of a payment, a token handed out, or a received token.

use super::{Answer, Hints, Tool, schema};
use crate::wallet::Error;
use crate::wallet::request::GetPayment;
use crate::wallet::view::PaymentView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "get_payment",
        title: "Look up a payment",
        description: "Look up one payment, token handed out, or token received: state, cost, proof, and whether that is final. Free, moves \
              nothing; may ask the mint. Give exactly one of payment_id, payment_hash, idempotency_key. Call it after every timeout, \
              pending or outcome_unknown before paying anything for the same purpose. For incoming invoices use get_deposit instead, \
              for several entries list_history.",
        hints: Hints::READS_OUTSIDE,
        input_schema: schema::input::<GetPayment>(),
        output_schema: schema::output::<PaymentView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<GetPayment>()?;
                exactly_one(&request)?;
                let view = job.wallet().await?.get_payment(job.caller, request).await?;
                Ok(Answer::of(&view))
            })
        },
    }
}

fn exactly_one(request: &GetPayment) -> Result<(), Error> {
    let given = [&request.payment_id, &request.payment_hash, &request.idempotency_key];
    if given.iter().filter(|one| one.is_some()).count() == 1 {
        return Ok(());
    }
    Err(Error::invalid(
        "payment_id",
        "Give exactly one of payment_id, payment_hash, idempotency_key.",
    ))
}
