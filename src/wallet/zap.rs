//! Zaps: money for a person or an event on Nostr, over Lightning (NIP-57) or as locked coins
//! (NIP-61).
//!
//! ```text
//!  known? -> who? -> legs -> each: deny? -> which rail? -> plan -> the one door -> published, or receipt
//! ```
//! The rail is decided before money moves and never changes after. A zap that is shared among
//! several is one payment each; called again, it touches none that is settled or under way. Each
//! leg leaves through the one door like any payment.

mod lightning;
mod locked;
mod share;
mod whom;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Wallet;
use super::code::Code;
use super::deadline::Deadline;
use super::error::Error;
use super::gate::Name;
use super::known::{Known, digest};
use super::nostr::Link;
use super::nostr::find::Person;
use super::pay::{outgoing, read_repeat, silent};
use super::request::{Caller, Via, Zap};
use super::rules::{Setup, first_mint};
use super::show::Replay;
use super::spend::Order;
use super::view::PaymentView;
use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentKind, PaymentState, Rail, Receipt, ZapOf};
use crate::nostr::Identity;
use crate::nostr::zap::Zapped;
use crate::store::Change;
use whom::{Whom, zapped};

/// How much sooner a part that waits for coins gives up than the call it belongs to.
const EARLIER: Duration = Duration::from_millis(500);
pub(super) use share::{describe, group};

/// One call.
#[derive(Clone, Debug)]
struct Call {
    until: Deadline,
    /// The name of the zap if it is shared among several.
    group: PaymentId,
    /// The name of the payment if it is not.
    id: PaymentId,
    /// Its time is up, and nothing was begun.
    left: Arc<AtomicBool>,
}

/// One leg to be paid.
#[derive(Clone, Debug)]
struct Leg {
    whom: Whom,
    sats: u64,
    event: Option<Zapped>,
    /// The key that a repeat is known by.
    key: Option<String>,
}

impl Wallet {
    /// Zaps a person or an event. At most 45 s in all; what is undecided then is answered
    /// `pending`.
    ///
    /// # Errors
    /// `nostr_off`, `invalid_input`, `text_refused`, `recipient_unknown`, `recipient_refuses`,
    /// `payee_unsupported`, `server_unreachable`, `address_refused`, and those of `pay`: nothing
    /// moved.
    ///
    /// # Cancel safety
    /// Safe to drop: the payment goes on to its end.
    pub async fn zap(&self, caller: &Caller, request: Zap) -> Result<PaymentView, Error> {
        if self.nostr.is_none() {
            return Err(Error::new(Code::NostrOff, "Zaps need Nostr, and no relays are set."));
        }
        outgoing("comment", request.comment.as_deref())?;
        let _announced = self
            .gates
            .announce(&caller.agent, &[request.idempotency_key.as_deref().map(Name::Key)]);
        let group = group(caller, request.idempotency_key.as_deref());
        let call =
            Call { until: self.deadline(), group, id: PaymentId::random(), left: Arc::default() };
        let (tell, told) = oneshot::channel();
        let (wallet, of, this) = (self.clone(), caller.clone(), call.clone());
        let asked = request.clone();
        self.running.spawn(async move {
            let done = wallet.zap_to_its_end(&of, &asked, &this).await;
            if tell.send(done).is_err() {
                // Nobody heard of it: whoever asked may ask again.
                wallet.doubt_caller(&of, &this).await;
            }
        });
        if let Some(Ok(done)) = call.until.wait(told).await {
            return done;
        }
        // No part that has not begun begins any more.
        call.left.store(true, Ordering::Release);
        self.store.barrier().await?;
        let setup = self.setup().await?;
        if let Some(payment) = self.store.payment(&call.id).await? {
            return self.show_payment(&setup, caller, payment, Replay::No).await;
        }
        // One that failed before goes on under its first id.
        if let Known::Recorded(payment) = self
            .known_by_key(caller, request.idempotency_key.as_deref(), &self.zap_digest(&request))
            .await?
        {
            return self.show_payment(&setup, caller, *payment, Replay::No).await;
        }
        let shown = self.shown_group(&setup, caller, &call.group).await?;
        shown.ok_or_else(|| silent().keyed(request.idempotency_key.as_deref()))
    }

    /// What a call has begun, its caller may not know of.
    async fn doubt_caller(&self, caller: &Caller, call: &Call) {
        let mut begun = self.legs(caller, &call.group).await.unwrap_or_default();
        begun.extend(self.store.payment(&call.id).await.ok().flatten());
        let doubt = |mut payment: Payment| {
            payment.caller_in_doubt = true;
            Change::Payment(payment)
        };
        let begun = begun
            .into_iter()
            .filter(|payment| !matches!(payment.state, PaymentState::Failed { .. }));
        if let Err(error) = self.store.commit(begun.map(doubt).collect()).await {
            tracing::error!(%error, "a zap's caller is not noted as in doubt");
        }
    }

    async fn zap_to_its_end(
        &self,
        caller: &Caller,
        request: &Zap,
        call: &Call,
    ) -> Result<PaymentView, Error> {
        let Some(link) = &self.nostr else {
            return Err(Error::new(Code::NostrOff, "Zaps need Nostr."));
        };
        let setup = self.setup().await?;
        let words = self.zap_digest(request);
        let key = request.idempotency_key.as_deref();
        if let Some(shown) = self.known_zap(&setup, caller, key, &words).await? {
            return Ok(shown);
        }
        let found = call.until.wait(self.whom(link, request)).await;
        let (whom, event) = match found.unwrap_or_else(|| Err(silent())) {
            Ok(found) => found,
            // Parts may have been paid by an earlier call: that is what there is to tell.
            Err(error) => {
                return self
                    .shown_group(&setup, caller, &call.group)
                    .await?
                    .ok_or_else(|| error.keyed(key));
            }
        };
        let shares = match &event {
            Some(event) => share::of(event, request.amount_sats)?,
            None => Vec::new(),
        };
        let zapped = event.as_ref().map(|event| zapped(event, &whom));
        let id = zapped.as_ref().map(|event| &event.event_id);
        let legs = self.legs(caller, &call.group).await?;
        if legs
            .iter()
            .any(|leg| shares.is_empty() || leg.zap.as_ref().and_then(|of| of.event.as_ref()) != id)
        {
            return Err(Error::new(
                Code::KeyConflict,
                "The event was changed since the first call with this key; nothing was sent by this one.",
            )
            .next("Look at the first call with get_payment; zap the new version under a new key only if the user wants that.")
            .keyed(key));
        }
        if shares.is_empty() {
            let leg = Leg {
                whom,
                sats: request.amount_sats,
                event: zapped,
                key: request.idempotency_key.clone(),
            };
            let payment = self.zap_leg(link, &setup, caller, request, &words, leg, call).await?;
            let payment = self.await_receipt(link, payment, call.until).await?;
            return self.show_payment(&setup, caller, payment, Replay::No).await;
        }
        self.zap_shares(link, &setup, caller, request, &words, shares, zapped, call).await
    }

    fn zap_digest(&self, request: &Zap) -> String {
        let via = request.via.unwrap_or(Via::Auto);
        let (event, comment) =
            (request.event.as_deref().unwrap_or(""), request.comment.as_deref().unwrap_or(""));
        let anonymous = request.anonymous.unwrap_or(false);
        digest(&[
            "zap",
            request.to.trim(),
            &request.amount_sats.to_string(),
            event,
            comment,
            &format!("{via:?} {anonymous}"),
        ])
    }

    /// Pays one leg: steps 1 to 7 of the one door, on the rail that is decided here.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the call")]
    async fn zap_leg(
        &self,
        link: &Link,
        setup: &Setup,
        caller: &Caller,
        request: &Zap,
        words: &str,
        leg: Leg,
        call: &Call,
    ) -> Result<Payment, Error> {
        let key = leg.key.as_deref();
        let gate = format!("{words} {}", leg.whom.name());
        let _one_planner =
            call.until.wait(self.gates.pass(&gate)).await.ok_or_else(|| silent().keyed(key))?;
        let earlier = match self.known_by_key(caller, key, words).await? {
            Known::Recorded(payment) => return Ok(*payment),
            Known::Again(payment) => Some(payment),
            Known::New => None,
        };
        let mut payment =
            self.zap_payment(setup, caller, request, words, &leg, earlier.as_deref())?;
        let shared = leg
            .key
            .as_deref()
            .is_some_and(|key| key.starts_with(call.group.as_str()) && key.contains('.'));
        if earlier.is_none() && !shared {
            payment.id = call.id.clone();
        }
        self.deny(setup, &payment).await.map_err(|error| error.keyed(key))?;
        let planned = async {
            let person = match leg.whom.pubkey() {
                Some(pubkey) => {
                    self.person(link, pubkey, leg.whom.hints(), request.via != Some(Via::Lightning))
                        .await?
                }
                None => Person::default(),
            };
            self.plan_zap(link, setup, request, payment, &leg, person).await
        };
        let order = call
            .until
            .wait(planned)
            .await
            .unwrap_or_else(|| Err(silent()))
            .map_err(|error| error.keyed(key))?;
        // It gives up before the caller does: what the caller then finds recorded is all there will
        // be.
        let until = call.until.sooner(EARLIER);
        if call.left.load(Ordering::Acquire) || until.is_past() {
            return Err(silent().keyed(key));
        }
        let payment = self.spend(order, until).await?;
        self.after_zap(payment).await
    }

    fn zap_payment(
        &self,
        setup: &Setup,
        caller: &Caller,
        request: &Zap,
        words: &str,
        leg: &Leg,
        earlier: Option<&Payment>,
    ) -> Result<Payment, Error> {
        let event = leg.event.as_ref();
        let name = leg.whom.name();
        Ok(Payment {
            id: earlier.map_or_else(PaymentId::random, |payment| payment.id.clone()),
            agent: caller.agent.clone(),
            kind: PaymentKind::Zap,
            key: leg.key.clone(),
            request_digest: words.to_owned(),
            payment_hash: None,
            payee: digest(&["zap", &name, event.map_or("", |event| &event.event_id)]),
            shown_payee: Some(leg.whom.shown()),
            note: request.comment.clone(),
            note_is_untrusted: false,
            mint: first_mint(setup)?.address.clone(),
            money: setup.money,
            quote_id: None,
            amount_sats: leg.sats,
            reserved_sats: leg.sats,
            created_at: earlier.map_or((self.clock)(), |payment| payment.created_at),
            attempt: earlier.map_or(1, |payment| payment.attempt.saturating_add(1)),
            fetched: None,
            zap: Some(Box::new(ZapOf {
                recipient: leg.whom.pubkey().map(str::to_owned),
                event: event.map(|event| event.event_id.clone()),
                zapped: event
                    .map(|event| (event.relay.clone(), event.kind, event.coordinate.clone())),
                rail: Rail::Lightning,
                comment: request.comment.clone().unwrap_or_default(),
                anonymous: request.anonymous.unwrap_or(false),
                relays: Vec::new(),
                mint_as_listed: None,
                request: None,
                receipt_key: None,
                receipt: Receipt::None,
                nutzap: None,
                signer: None,
            })),
            repeat_of: read_repeat(request.repeat_of.as_deref())?,
            caller_in_doubt: false,
            state: PaymentState::Reserved,
        })
    }

    /// Step 3: which rail, and from where.
    async fn plan_zap(
        &self,
        link: &Link,
        setup: &Setup,
        request: &Zap,
        payment: Payment,
        leg: &Leg,
        person: Person,
    ) -> Result<Order, Error> {
        let via = request.via.unwrap_or(Via::Auto);
        if via != Via::Lightning {
            match self.plan_locked(setup, request, &payment, &person).await {
                Ok(order) => return Ok(order),
                Err(error) if via == Via::Nutzap => return Err(error),
                Err(_) => {}
            }
        }
        self.plan_lightning(link, setup, request, payment, leg, &person).await
    }

    /// The key that signs: the wallet's, or one that nobody knows.
    fn signer(&self, link: &Link, anonymous: bool) -> Result<Identity, Error> {
        if !anonymous {
            return Ok(link.parts.identity.clone());
        }
        Identity::random().map_err(|_| Error::new(Code::Internal, "The system gave no randomness."))
    }
}
