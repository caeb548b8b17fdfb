//! `get_balance`: balance and limits.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::GetBalance;
use crate::api::view::Balance;

pub(super) fn tool() -> Tool {
    Tool {
        name: "get_balance",
        title: "Get wallet balance",
        description: "Get this wallet's balance, the owner's limits and what is left of them, and whether its money is play or real. \
              Free; reads local records only. Call it before planning: max_payment_sats is the largest payment allowed now; \
              pending, unclaimed and incoming money is not spendable. For one payment, use get_payment; for a mint's fees, \
              list_mints. After a timeout, call it again.",
        hints: Hints::READS_LOCAL,
        input_schema: schema::input::<GetBalance>(),
        output_schema: schema::output::<Balance>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                job.read::<GetBalance>()?;
                let holdings = job.wallet().await?.reports().balance(job.caller).await?;
                Ok(Answer::of(&Balance::new(holdings, job.caller)))
            })
        },
    }
}
