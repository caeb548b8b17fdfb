//! `get_deposit`: the state of a deposit.

use std::time::Duration;

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::GetDeposit;
use crate::api::view::DepositView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "get_deposit",
        title: "Check a deposit",
        description: "Check whether the invoice from deposit was paid and its money has arrived (state received). Free; asks the mint; \
              paid deposits are claimed automatically. Without deposit_id, checks the newest; set wait_seconds to wait. For \
              money you sent, use get_payment. While unpaid or paid, or after a timeout, call it again; after expired, make a \
              new deposit.",
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
