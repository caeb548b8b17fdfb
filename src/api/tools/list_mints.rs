//! `list_mints`: the mints.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::ListMints;
use crate::api::view::MintsView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "list_mints",
        title: "List mints",
        description: "List the mints the owner trusts with money: balance, fee, limits, what they lack, whether they answer (reachable; \
              absent for a mint never used: it is not contacted before), and whether their money is play (test). Free, changes nothing; \
              asks the mints in use. Helps to choose a mint for deposit or pay; for totals use get_balance instead. \
              Only the owner can add or remove mints. Repeat it after a timeout.",
        hints: Hints::READS_OUTSIDE,
        input_schema: schema::input::<ListMints>(),
        output_schema: schema::output::<MintsView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                job.read::<ListMints>()?;
                let (money, mints) = job.wallet().await?.reports().mints(job.caller).await?;
                Ok(Answer::of(&MintsView::new(money, mints)))
            })
        },
    }
}
