//! Our own nutzap on its way (NIP-61): the event with the coins, and how far it has come.
//!
//! The event is queued in the transaction that makes the coins; no success is told before.

use crate::mint::Proofs;
use crate::model::payment::{Payment, PaymentState, Rail};
use crate::nostr::zap::ZapTarget;
use crate::nostr::{Identity, nutzap};
use crate::store::{Change, OutboxEvent, QueuedEvent};
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, Mistake};
use crate::wallet::core::relays::{Link, MOST_RELAYS};
use crate::wallet::outbox::publish::publish_one;
use crate::wallet::outbox::queue::class;

/// How long the call waits for a relay to take the event; afterwards it goes on in the background.
const PUBLISHING: std::time::Duration = std::time::Duration::from_secs(8);
/// The process stays for a nutzap that its recipient cannot see for so long at most, in seconds; it
/// is sent again by the next one.
const WAITED_FOR_SECONDS: u64 = 86_400;

/// How far a nutzap has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Relays of the recipient that have it.
    pub relays: u64,
    /// Relays of the recipient that it goes to.
    pub of: u64,
    /// None of them took it in time: it is not sent any more.
    pub is_given_up: bool,
}

/// The event for locked coins that were just made, and the payment that names it. `None`: not a
/// nutzap.
pub(crate) fn nutzap_event(
    core: &Core,
    payment: &mut Payment,
    coins: &Proofs,
) -> Result<Option<Change>, Failure> {
    // Relays may have been taken away since: the token is with the payment, and can be handed
    // over otherwise.
    let Some(link) = &core.nostr else { return Ok(None) };
    let Some(zap) = payment.zap_mut() else { return Ok(None) };
    let Rail::Nutzap { mint_as_listed, event: id, signer: kept } = &mut zap.rail else {
        return Ok(None);
    };
    let Some(recipient) = &zap.recipient else { return Ok(None) };
    // The coins name the one who signs.
    let made = kept.as_ref().and_then(|secret| Identity::from_nsec(secret).ok());
    let identity = made.map_or_else(|| signer(link, zap.anonymous), Ok)?;
    let now = (core.clock)();
    let zapped = zap.event.clone().map(|event| ZapTarget {
        event_id: event.id,
        relay: event.relay,
        kind: event.kind,
        coordinate: event.coordinate,
    });
    let event = nutzap::write(
        &identity,
        recipient,
        mint_as_listed,
        "sat",
        coins,
        &zap.comment,
        zapped.as_ref(),
        now,
    );
    let Ok(event) = event else {
        // The coins are made, and the token is with the payment: it can be handed over
        // otherwise.
        tracing::error!("a nutzap's coins do not fit into an event");
        return Ok(None);
    };
    (*id, *kept) = (Some(event.id().to_owned()), None);
    let mut outgoing = OutboxEvent::new(event.id(), event.kind(), event.json(), class::ZAP, now);
    outgoing.beside.clone_from(&zap.relays);
    outgoing.anonymous = zap.anonymous;
    Ok(Some(Change::Publish(Box::new(outgoing))))
}

/// What follows a zap that is made: its event goes out at once, while the caller waits a
/// little.
pub(crate) async fn after_zap(core: &Core, payment: Payment) -> Result<Payment, Failure> {
    let Some(id) = payment.zap().and_then(|zap| zap.nutzap().map(str::to_owned)) else {
        return Ok(payment);
    };
    if matches!(payment.state, PaymentState::Settled { .. }) {
        let owned = core.clone();
        let _published =
            core.run_to_end(PUBLISHING, async move { publish_one(&owned, &id).await }).await;
    }
    Ok(payment)
}

/// A nutzap is on its way that its recipient cannot see, and was made not long ago.
pub(crate) async fn has_unsent_zap(core: &Core) -> bool {
    let zaps = if core.nostr.is_some() {
        core.store.queued_in(class::ZAP).await.unwrap_or_default()
    } else {
        Vec::new()
    };
    let lately =
        |one: &QueuedEvent| (core.clock)() < one.event.made_at.saturating_add(WAITED_FOR_SECONDS);
    zaps.iter().any(|one| one.event.delivered() == 0 && lately(one))
}

/// How many of the recipient's relays have the event of this payment. `None`: it is no nutzap.
pub(crate) async fn delivered(
    core: &Core,
    payment: &Payment,
) -> Result<Option<Delivered>, Failure> {
    let Some(zap) = payment.zap() else { return Ok(None) };
    let Some(id) = zap.nutzap() else { return Ok(None) };
    let relays = core.store.delivered(id).await?.unwrap_or(0);
    // What nobody has taken leaves the queue by being given up alone.
    let is_given_up = relays == 0
        && !core.store.queued_in(class::ZAP).await?.iter().any(|one| one.event.id == id);
    let of = (zap.relays.len() as u64).min(MOST_RELAYS as u64);
    Ok(Some(Delivered { relays, of, is_given_up }))
}

/// The key that signs: the wallet's, or one that nobody knows.
pub(crate) fn signer(link: &Link, anonymous: bool) -> Result<Identity, Failure> {
    if !anonymous {
        return Ok(link.parts.identity.clone());
    }
    Ok(Identity::random().map_err(|_| Cause::Internal(Mistake::NoRandomness))?)
}
