//! `pay`: a Lightning invoice or address paid.

use super::{Answer, Hints, Tool, schema};
use crate::wallet::request::Pay;
use crate::wallet::view::PaymentView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "pay",
        title: "Pay over Lightning",
        description: "Pay a Lightning invoice, address or LNURL from this wallet. Spends the amount plus a fee, within the owner's limits; cannot \
              be undone. To hand over cash as text use send_token; for the price alone estimate. After a timeout, pending or \
              outcome_unknown call get_payment, or repeat the call with the same idempotency_key: no invoice and no key is paid twice. \
              Pay nothing else for the same purpose until the first is final.",
        hints: Hints::SPENDS,
        input_schema: schema::input::<Pay>(),
        output_schema: schema::output::<PaymentView>(),
        aliases: &[("bolt11", "to")],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<Pay>()?;
                let view = job.wallet().await?.pay(job.caller, request).await?;
                Ok(Answer::of(&view))
            })
        },
    }
}
