//! `list_mints`: the trusted mints.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::ListMints;
use crate::api::view::MintsView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "list_mints",
        title: "List mints",
        description: "List the mints the owner trusts: balance, fee, limits, whether each answers now (reachable) and holds play money \
              (test). Free; contacts only mints already used, so others have no reachable. Use it to choose a mint for \
              deposit, pay or send_token; for totals, get_balance. Only the owner can add or remove mints. After a timeout, \
              call it again.",
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
