//! `estimate`: what a payment would cost, without making it.

use super::{Answer, Hints, Tool, schema};
use crate::wallet::request::Estimate;
use crate::wallet::view::EstimateView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "estimate",
        title: "Estimate a payment",
        description: "Estimate a payment without making it: its kind and amount, the most it can cost, and whether pay would \
              be allowed. Free, moves nothing; may ask a mint or the payee's server. Not needed before pay: use it when the user wants the \
              price first. Repeat it after a timeout.",
        hints: Hints::READS_OUTSIDE,
        input_schema: schema::input::<Estimate>(),
        output_schema: schema::output::<EstimateView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<Estimate>()?;
                let view = job.wallet().await?.estimate(job.caller, request).await?;
                Ok(Answer::of(&view))
            })
        },
    }
}
