//! `get_deposit`: what became of a deposit.

use super::{Answer, Hints, Tool, schema};
use crate::wallet::request::GetDeposit;
use crate::wallet::view::DepositView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "get_deposit",
        title: "Check a deposit",
        description: "Check a deposit: whether its invoice was paid and the money has arrived (state received). Free; asks the mint. If it \
              is still unpaid, call again later. For money sent from this wallet use get_payment instead. Repeat it after a timeout.",
        hints: Hints::READS_OUTSIDE,
        input_schema: schema::input::<GetDeposit>(),
        output_schema: schema::output::<DepositView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<GetDeposit>()?;
                let view = job.wallet().await?.get_deposit(job.caller, request).await?;
                Ok(Answer::of(&view))
            })
        },
    }
}
