//! `zap`: money for a person or an event on Nostr.

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::{Via, Zap};
use crate::api::view::{OutcomeView, ZapView};
use crate::wallet::{self, ZapIntent};

pub(super) fn tool() -> Tool {
    Tool {
        name: "zap",
        title: "Zap on Nostr",
        description: "Send sats publicly to a person or for an event on Nostr, by nutzap or Lightning. Spends the amount plus a fee, \
              within the owner's limits; cannot be undone. `to` is the person or the event; set event only if `to` is its \
              author. Off Nostr, use pay. After a timeout, pending or outcome_unknown, call get_payment, or repeat the call \
              with the same idempotency_key: nothing is paid twice. If state is partial, the same call retries only the failed \
              parts.",
        hints: Hints::SPENDS,
        input_schema: schema::input::<Zap>(),
        output_schema: schema::output::<ZapView>(),
        aliases: &[("recipient", "to")],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<Zap>()?;
                let wallet = job.wallet().await?;
                let event = request.event.as_deref();
                let intent = ZapIntent {
                    to: read::recipient("to", &request.to)?,
                    amount: read::sats("amount_sats", request.amount_sats)?,
                    event: event.map(|text| read::recipient("event", text)).transpose()?,
                    comment: request.comment,
                    via: request.via.map_or(wallet::Via::Auto, wallet::Via::from),
                    anonymous: request.anonymous.unwrap_or(false),
                    max_fee_sats: request.max_fee_sats,
                    key: request.idempotency_key,
                    repeat_of: read::repeat_of(request.repeat_of.as_deref())?,
                };
                let outcome = wallet.zaps().send(job.caller, intent).await?;
                Ok(Answer::of(&OutcomeView::new(outcome)?))
            })
        },
    }
}

impl From<Via> for wallet::Via {
    fn from(via: Via) -> Self {
        match via {
            Via::Auto => Self::Auto,
            Via::Lightning => Self::Lightning,
            Via::Nutzap => Self::Nutzap,
        }
    }
}
