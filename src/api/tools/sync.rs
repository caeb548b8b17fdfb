//! `sync`: relays and wallet brought together.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::Sync;
use crate::api::view::SyncView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "sync",
        title: "Sync with Nostr",
        description: "Bring this wallet and its copy on Nostr relays together: publish what changed here, take in what other devices of \
              the same wallet did. Happens by itself every few minutes; call it when another device has just paid or received, \
              before get_balance. Free, moves no money. state partial or offline: relays did not answer; the wallet works without \
              them. Repeat it after a timeout.",
        hints: Hints::WRITES_ONCE,
        input_schema: schema::input::<Sync>(),
        output_schema: schema::output::<SyncView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                job.read::<Sync>()?;
                let report = job.wallet().await?.relays().sync(job.caller).await?;
                Ok(Answer::of(&SyncView::from(report)))
            })
        },
    }
}
