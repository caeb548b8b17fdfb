//! `get_balance`: what the wallet holds and what may still be spent.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::GetBalance;
use crate::api::view::Balance;

pub(super) fn tool() -> Tool {
    Tool {
        name: "get_balance",
        title: "Get wallet balance",
        description: "Get this wallet's balance, the owner's limits and what is left of them, and whether its money is play or real. Free, \
              changes nothing. Look here before planning: max_payment_sats is the largest payment that would be admitted now. For \
              single payments use get_payment instead, for a mint's fees list_mints. Repeat it after a timeout.",
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
