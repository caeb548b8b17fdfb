//! A nutzap (NIP-61): coins locked to the recipient's key, in a public event.
//!
//! The event is queued in the transaction that makes the coins; no success is told before. Only a
//! mint that both list is used, and only a key that the recipient has published for nutzaps: never
//! their Nostr key.

use super::super::Wallet;
use super::super::code::Code;
use super::super::error::Error;
use super::super::nostr::find::Person;
use super::super::nostr::mirror::class;
use super::super::nostr::{MOST_RELAYS, plain_url};
use super::super::request::Zap;
use super::super::rules::Setup;
use super::super::spend::{Act, Order};
use super::super::view::DeliveredView;
use crate::mint::Coins;
use crate::mint::swap::Lock;
use crate::model::mint::MintAddress;
use crate::model::payment::{Payment, PaymentState, Rail, Receipt};
use crate::nostr::relay_list::usable;
use crate::nostr::zap::Zapped;
use crate::nostr::{Identity, nutzap};
use crate::store::{Change, Outgoing, Queued};

/// How long the call waits for a relay to take the event; afterwards it goes on in the background.
const PUBLISHING: std::time::Duration = std::time::Duration::from_secs(8);
/// What to do when there is to be no nutzap.
const ELSE: &str = "Call zap again with via auto or lightning.";
/// The process stays for a nutzap that its recipient cannot see for so long at most, in seconds; it
/// is sent again by the next one.
const WAITED_FOR_SECONDS: u64 = 86_400;
/// What is kept beside the amount for the fee of making the coins, in sats.
const FEE_ROOM: u64 = 2;

impl Wallet {
    pub(super) async fn plan_locked(
        &self,
        setup: &Setup,
        request: &Zap,
        payment: &Payment,
        person: &Person,
    ) -> Result<Order, Error> {
        let refuses = |message: &str| Error::new(Code::RecipientRefuses, message).next(ELSE);
        if person.silent {
            let message = "None of the recipient's own relays answers, so it is not known whether their key for nutzaps still holds.";
            return Err(Error::new(Code::RelayUnreachable, format!("{message} Nothing was paid."))
                .next(ELSE));
        }
        let info = person
            .nutzaps
            .as_ref()
            .ok_or_else(|| refuses("The recipient does not say that they take nutzaps."))?;
        let key = info.pubkey.as_ref().filter(|key| **key != person.pubkey);
        let key = key
            .ok_or_else(|| refuses("The recipient has published no key for nutzaps of its own."))?;
        let mut best: Option<(u64, MintAddress, String)> = None;
        let (mut shared, mut open) = (false, false);
        for (listed, units) in &info.mints {
            let Ok(address) = listed.parse::<MintAddress>() else { continue };
            let in_sats = units.is_empty() || units.iter().any(|unit| unit == "sat");
            if !in_sats || setup.mint(&address).is_none() {
                continue;
            }
            shared = true;
            let held = self.spendable_at(&address).await?;
            let enough = held >= payment.amount_sats.saturating_add(FEE_ROOM);
            if enough && best.as_ref().is_none_or(|(most, ..)| held > *most) {
                // Everybody can read the coins in the event: the lock alone keeps others from
                // spending them (NUT-11), and the DLEQ alone shows the recipient that they are good
                // (NUT-12).
                if !self.mints.at(&address)?.keeps_locks().await? {
                    open = true;
                    continue;
                }
                best = Some((held, address, listed.clone()));
            }
        }
        if !shared {
            return Err(refuses("The recipient takes nutzaps from none of this wallet's mints."));
        }
        let Some((_, address, listed)) = best else {
            if open {
                return Err(refuses(
                    "The mint that both use does not say that it keeps coins locked and proves its signatures (NUT-11, NUT-12).",
                ));
            }
            return Err(refuses(
                "This wallet does not hold enough at a mint that the recipient takes nutzaps from.",
            ));
        };
        // Where they look for nutzaps (NIP-61), else where they read at all, else where their list
        // was found: some programs name no relay.
        let listed_relays = usable(&info.relays);
        let own = self.nostr.iter().flat_map(|link| &link.parts.urls);
        let theirs: Vec<&String> = match (listed_relays.is_empty(), person.reads.is_empty()) {
            (false, _) => listed_relays.iter().collect(),
            (true, false) => person.reads.iter().collect(),
            (true, true) => own.collect(),
        };
        let relays: Vec<String> = theirs.into_iter().map(|url| plain_url(url)).collect();
        let mut payment = payment.clone();
        let mut tags = Vec::new();
        if let (Some(of), Some(link)) = (payment.zap.as_mut(), &self.nostr) {
            let signer = self.signer(link, of.anonymous)?;
            tags = nutzap::lock_tags(&signer.public_key(), of.event.as_deref());
            (of.rail, of.relays, of.mint_as_listed, of.receipt) =
                (Rail::Nutzap, relays, Some(listed), Receipt::None);
            of.signer = of.anonymous.then(|| signer.secret_hex());
        }
        payment.mint = address.clone();
        let lock_to = Some(Lock { key: format!("02{key}"), tags });
        let act = Act::Token { lock_to, memo: None };
        Ok(Order {
            payment,
            mint: self.mints.at(&address)?,
            act,
            max_fee_sats: request.max_fee_sats,
            pass: None,
        })
    }

    /// The event for locked coins that were just made, and the payment that names it. `None`: not a
    /// nutzap.
    pub(in super::super) fn nutzap_event(
        &self,
        payment: &mut Payment,
        coins: &Coins,
    ) -> Result<Option<Change>, Error> {
        let Some(of) = payment.zap.as_mut().filter(|of| of.rail == Rail::Nutzap) else {
            return Ok(None);
        };
        let Some(recipient) = &of.recipient else { return Ok(None) };
        // Relays may have been taken away since: the token is with the payment, and can be handed
        // over otherwise.
        let Some(link) = &self.nostr else { return Ok(None) };
        // The coins name the one who signs.
        let made = of.signer.as_ref().and_then(|secret| Identity::from_nsec(secret).ok());
        let identity = made.map_or_else(|| self.signer(link, of.anonymous), Ok)?;
        let now = (self.clock)();
        let zapped = of.event.as_ref().map(|id| {
            let (relay, kind, coordinate) = of.zapped.clone().unwrap_or_default();
            Zapped { event_id: id.clone(), relay, kind, coordinate }
        });
        let mint = of.mint_as_listed.clone().unwrap_or_else(|| payment.mint.to_string());
        let event = nutzap::write(
            &identity,
            recipient,
            &mint,
            "sat",
            coins,
            &of.comment,
            zapped.as_ref(),
            now,
        );
        let Ok(event) = event else {
            // The coins are made, and the token is with the payment: it can be handed over
            // otherwise.
            tracing::error!("a nutzap's coins do not fit into an event");
            return Ok(None);
        };
        (of.nutzap, of.signer) = (Some(event.id().to_owned()), None);
        let mut outgoing = Outgoing::new(event.id(), event.kind(), event.json(), class::ZAP, now);
        outgoing.beside.clone_from(&of.relays);
        outgoing.anonymous = of.anonymous;
        Ok(Some(Change::Publish(Box::new(outgoing))))
    }

    /// What follows a zap that is made: its event goes out at once, while the caller waits a
    /// little.
    pub(super) async fn after_zap(&self, payment: Payment) -> Result<Payment, Error> {
        let Some(id) = payment.zap.as_ref().and_then(|of| of.nutzap.clone()) else {
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
    ) -> Result<Option<DeliveredView>, Error> {
        let Some(of) = payment.zap.as_ref() else { return Ok(None) };
        let Some(id) = &of.nutzap else { return Ok(None) };
        let relays = self.store.delivered(id).await?.unwrap_or(0);
        // What nobody has taken leaves the queue by being given up alone.
        let given_up = relays == 0
            && !self.store.queued_in(class::ZAP).await?.iter().any(|one| one.event.id == *id);
        let of = (of.relays.len() as u64).min(MOST_RELAYS as u64);
        Ok(Some(DeliveredView { relays, of, given_up: given_up.then_some(true) }))
    }
}
