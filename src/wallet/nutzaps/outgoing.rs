//! Delivery of our own nutzaps (NIP-61): the event with the proofs, and its delivery status.
//!
//! The event is queued in the transaction that stores the proofs; success is never reported before.

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

/// How long a call waits for a relay to store the event; publishing then continues.
const PUBLISHING: std::time::Duration = std::time::Duration::from_secs(8);
/// Time that the process keeps running for an undelivered nutzap, in seconds; the next process
/// sends it again.
const WAITED_FOR_SECONDS: u64 = 86_400;

/// Delivery status of a nutzap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Number of the recipient's relays that have it.
    pub relays: u64,
    /// Number of the recipient's relays it goes to.
    pub of: u64,
    /// `true` if none of them stored it in time and it is no longer sent.
    pub is_given_up: bool,
}

/// Creates the event for locked proofs just issued, and stores its id in the payment. `None`: no
/// event is made.
pub(crate) fn nutzap_event(
    core: &Core,
    payment: &mut Payment,
    coins: &Proofs,
) -> Result<Option<Change>, Failure> {
    // If Nostr is off by now, the stored token can be sent another way.
    let Some(link) = &core.nostr else { return Ok(None) };
    let Some(zap) = payment.zap_mut() else { return Ok(None) };
    let Rail::Nutzap { mint_as_listed, event: id, signer: kept } = &mut zap.rail else {
        return Ok(None);
    };
    let Some(recipient) = &zap.recipient else { return Ok(None) };
    // The proofs name the signer, so the same key must sign the event.
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
        // The proofs exist, and the token is stored with the payment: it can be sent another way.
        tracing::error!("a nutzap's coins do not fit into an event");
        return Ok(None);
    };
    (*id, *kept) = (Some(event.id().to_owned()), None);
    let mut outgoing = OutboxEvent::new(event.id(), event.kind(), event.json(), class::ZAP, now);
    outgoing.beside.clone_from(&zap.relays);
    outgoing.anonymous = zap.anonymous;
    Ok(Some(Change::Publish(Box::new(outgoing))))
}

/// Publishes a settled nutzap at once, while the caller waits a little.
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

/// Returns whether a recent nutzap has not been delivered yet.
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

/// Returns a payment's delivery status. `None`: not a nutzap.
pub(crate) async fn delivered(
    core: &Core,
    payment: &Payment,
) -> Result<Option<Delivered>, Failure> {
    let Some(zap) = payment.zap() else { return Ok(None) };
    let Some(id) = zap.nutzap() else { return Ok(None) };
    let relays = core.store.delivered(id).await?.unwrap_or(0);
    // An undelivered event leaves the queue only by being given up.
    let is_given_up = relays == 0
        && !core.store.queued_in(class::ZAP).await?.iter().any(|one| one.event.id == id);
    let of = (zap.relays.len() as u64).min(MOST_RELAYS as u64);
    Ok(Some(Delivered { relays, of, is_given_up }))
}

/// Returns the signing key: the wallet's, or a random one if anonymous.
pub(crate) fn signer(link: &Link, anonymous: bool) -> Result<Identity, Failure> {
    if !anonymous {
        return Ok(link.parts.identity.clone());
    }
    Ok(Identity::random().map_err(|_| Cause::Internal(Mistake::NoRandomness))?)
}
