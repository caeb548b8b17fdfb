//! Our own nutzap on its way (NIP-61): the event with the coins, and how far it has come.
//!
//! The event is queued in the transaction that makes the coins; no success is told before.

use super::super::Wallet;
use super::super::failure::{Cause, Failure};
use super::super::record::Delivered;
use super::mirror::class;
use super::{Link, MOST_RELAYS};
use crate::mint::Coins;
use crate::model::payment::{Payment, PaymentState, Rail};
use crate::nostr::zap::Zapped;
use crate::nostr::{Identity, nutzap};
use crate::store::{Change, Outgoing, Queued};

/// How long the call waits for a relay to take the event; afterwards it goes on in the background.
const PUBLISHING: std::time::Duration = std::time::Duration::from_secs(8);
/// The process stays for a nutzap that its recipient cannot see for so long at most, in seconds; it
/// is sent again by the next one.
const WAITED_FOR_SECONDS: u64 = 86_400;

impl Wallet {
    /// The event for locked coins that were just made, and the payment that names it. `None`: not a
    /// nutzap.
    pub(in super::super) fn nutzap_event(
        &self,
        payment: &mut Payment,
        coins: &Coins,
    ) -> Result<Option<Change>, Failure> {
        // Relays may have been taken away since: the token is with the payment, and can be handed
        // over otherwise.
        let Some(link) = &self.nostr else { return Ok(None) };
        let Some(zap) = payment.zap_mut() else { return Ok(None) };
        let Rail::Nutzap { mint_as_listed, event: id, signer: kept } = &mut zap.rail else {
            return Ok(None);
        };
        let Some(recipient) = &zap.recipient else { return Ok(None) };
        // The coins name the one who signs.
        let made = kept.as_ref().and_then(|secret| Identity::from_nsec(secret).ok());
        let identity = made.map_or_else(|| signer(link, zap.anonymous), Ok)?;
        let now = (self.clock)();
        let zapped = zap.event.clone().map(|event| Zapped {
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
        let mut outgoing = Outgoing::new(event.id(), event.kind(), event.json(), class::ZAP, now);
        outgoing.beside.clone_from(&zap.relays);
        outgoing.anonymous = zap.anonymous;
        Ok(Some(Change::Publish(Box::new(outgoing))))
    }

    /// What follows a zap that is made: its event goes out at once, while the caller waits a
    /// little.
    pub(in super::super) async fn after_zap(&self, payment: Payment) -> Result<Payment, Failure> {
        let Some(id) = payment.zap().and_then(|zap| zap.nutzap().map(str::to_owned)) else {
            return Ok(payment);
        };
        if matches!(payment.state, PaymentState::Settled { .. }) {
            let wallet = self.clone();
            let _published =
                self.run_to_end(PUBLISHING, async move { wallet.publish_one(&id).await }).await;
        }
        Ok(payment)
    }

    /// A nutzap is on its way that its recipient cannot see, and was made not long ago.
    pub(in super::super) async fn has_unsent_zap(&self) -> bool {
        let zaps = if self.nostr.is_some() {
            self.store.queued_in(class::ZAP).await.unwrap_or_default()
        } else {
            Vec::new()
        };
        let lately =
            |one: &Queued| (self.clock)() < one.event.made_at.saturating_add(WAITED_FOR_SECONDS);
        zaps.iter().any(|one| one.event.delivered() == 0 && lately(one))
    }

    /// How many of the recipient's relays have the event of this payment. `None`: it is no nutzap.
    pub(in super::super) async fn delivered(
        &self,
        payment: &Payment,
    ) -> Result<Option<Delivered>, Failure> {
        let Some(zap) = payment.zap() else { return Ok(None) };
        let Some(id) = zap.nutzap() else { return Ok(None) };
        let relays = self.store.delivered(id).await?.unwrap_or(0);
        // What nobody has taken leaves the queue by being given up alone.
        let is_given_up = relays == 0
            && !self.store.queued_in(class::ZAP).await?.iter().any(|one| one.event.id == id);
        let of = (zap.relays.len() as u64).min(MOST_RELAYS as u64);
        Ok(Some(Delivered { relays, of, is_given_up }))
    }
}

/// The key that signs: the wallet's, or one that nobody knows.
pub(in super::super) fn signer(link: &Link, anonymous: bool) -> Result<Identity, Failure> {
    if !anonymous {
        return Ok(link.parts.identity.clone());
    }
    Ok(Identity::random().map_err(|_| Cause::Internal("the system gave no randomness"))?)
}
