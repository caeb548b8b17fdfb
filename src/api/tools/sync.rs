//! `sync`: publishes this wallet's changes to its relays and reads those of its other devices.

use super::{Answer, Hints, Tool, schema};
use crate::api::request::Sync;
use crate::api::view::SyncView;

pub(super) fn tool() -> Tool {
    Tool {
        name: "sync",
        title: "Sync with Nostr",
        description: "Publish this wallet's changes to its Nostr relays and read what its other devices did. Runs automatically every \
              few minutes; call it before get_balance when another device has just paid or received. Free, apart from mint \
              fees on coins it claims; sends no money to anyone, but the balance can change. State partial or offline: relays \
              did not answer (the wallet works without them); off: none are set. After a timeout, call it again.",
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
