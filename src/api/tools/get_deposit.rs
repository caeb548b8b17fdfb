//! `get_deposit`: what became of a deposit.

use std::time::Duration;

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::GetDeposit;
use crate::api::view::DepositView;

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
                let wallet = job.wallet().await?;
                let id = request.deposit_id.as_deref().map(read::deposit_id).transpose()?;
                let wait = Duration::from_secs(request.wait_seconds.unwrap_or(0));
                let deposit = wallet.deposits().get(job.caller, id.as_ref(), wait).await?;
                Ok(Answer::of(&DepositView::from(&deposit)))
            })
        },
    }
}
