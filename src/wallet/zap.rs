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

use super::deadline::Deadline;
use super::digest::digest;
use super::draft::{Draft, Planned};
use super::failure::{Cause, Failure, Late, ZapRefusal};
use super::gate::Name;
use super::known::Known;
use super::nostr::Link;
use super::nostr::find::Person;
use super::outgoing_text::outgoing;
use super::record::{Outcome, Replay};
use super::rules::{Setup, first_mint};
use super::{Caller, Wallet};
use crate::model::id::PaymentId;
use crate::model::money::Sats;
use crate::model::payment::{self as model, KindName, Payment, PaymentState, Rail, ZappedEvent};
use crate::nostr::recipient::Recipient;
use crate::nostr::zap::Zapped;
use crate::store::Change;
use whom::{Whom, zapped};

pub(super) use share::group;

/// How a zap shall go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Whichever suits the recipient.
    Auto,
    /// An invoice (NIP-57).
    Lightning,
    /// Locked coins (NIP-61).
    Nutzap,
}

/// A zap that is to be made.
#[derive(Clone, Debug)]
pub struct ZapIntent {
    /// A person, a name, or an event.
    pub to: Recipient,
    /// For the recipient, or in all for an event that shares its zaps.
    pub amount: Sats,
    /// The event, where `to` is its author.
    pub event: Option<Recipient>,
    /// Public words.
    pub comment: Option<String>,
    /// How it shall go.
    pub via: Via,
    /// Not signed with the wallet's Nostr key.
    pub anonymous: bool,
    /// The most that all fees of one part together may be, in sats.
    pub max_fee_sats: Option<u64>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// The payment that is repeated on purpose.
    pub repeat_of: Option<PaymentId>,
}

/// How much sooner a part that waits for coins gives up than the call it belongs to.
const EARLIER: Duration = Duration::from_millis(500);

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

impl Leg {
    /// What it is as a zap, on this rail; its relays are not known yet.
    fn zap(&self, intent: &ZapIntent, rail: Rail) -> model::Zap {
        let event = self.event.clone().map(|event| ZappedEvent {
            id: event.event_id,
            relay: event.relay,
            kind: event.kind,
            coordinate: event.coordinate,
        });
        model::Zap {
            recipient: self.whom.pubkey().map(str::to_owned),
            event,
            comment: intent.comment.clone().unwrap_or_default(),
            anonymous: intent.anonymous,
            relays: Vec::new(),
            rail,
        }
    }
}

impl Wallet {
    /// Zaps a person or an event. At most 45 s in all; what is undecided then is answered
    /// `pending`.
    ///
    /// # Errors
    /// [`Cause::Zap`], [`Cause::NameServer`], [`Cause::RelaysSilent`], [`Cause::Nutzap`], and those
    /// of [`Wallet::pay`]: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: the payment goes on to its end.
    pub async fn zap(&self, caller: &Caller, intent: ZapIntent) -> Result<Outcome, Failure> {
        if self.nostr.is_none() {
            return Err(Cause::Zap(ZapRefusal::NostrOff).into());
        }
        outgoing("comment", intent.comment.as_deref())?;
        let key = intent.key.as_deref();
        let _announced = self.gates.announce(&caller.agent, &[key.map(Name::Key)]);
        let group = group(caller, key);
        let call =
            Call { until: self.deadline(), group, id: PaymentId::random(), left: Arc::default() };
        let (tell, told) = oneshot::channel();
        let (wallet, of, this) = (self.clone(), caller.clone(), call.clone());
        let asked = intent.clone();
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
            return Ok(self.describe(&setup, caller, payment, Replay::No).await?.into());
        }
        // One that failed before goes on under its first id.
        if let Known::Recorded(payment) =
            self.known_by_key(caller, key, &zap_digest(&intent)).await?
        {
            return Ok(self.describe(&setup, caller, *payment, Replay::No).await?.into());
        }
        let shared = self.shared_zap(&setup, caller, &call.group).await?;
        shared.map(Outcome::Shared).ok_or_else(|| Cause::Late(Late::Mint).into())
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
        intent: &ZapIntent,
        call: &Call,
    ) -> Result<Outcome, Failure> {
        let link = self.nostr.as_ref().ok_or(Cause::Zap(ZapRefusal::NostrOff))?;
        let setup = self.setup().await?;
        let digest = zap_digest(intent);
        if let Some(known) = self.known_zap(&setup, caller, intent.key.as_deref(), &digest).await? {
            return Ok(known);
        }
        let found = call.until.wait(self.whom(link, intent)).await;
        let (whom, event) = match found.unwrap_or_else(|| Err(Cause::Late(Late::Mint).into())) {
            Ok(found) => found,
            // Parts may have been paid by an earlier call: that is what there is to tell.
            Err(failure) => {
                let shared = self.shared_zap(&setup, caller, &call.group).await?;
                return shared.map(Outcome::Shared).ok_or(failure);
            }
        };
        let shares = match &event {
            Some(event) => share::of(event, intent.amount.get())?,
            None => Vec::new(),
        };
        let zapped = event.as_ref().map(|event| zapped(event, &whom));
        let id = zapped.as_ref().map(|event| &event.event_id);
        let legs = self.legs(caller, &call.group).await?;
        let is_of = |leg: &Payment| {
            leg.zap().and_then(|zap| zap.event.as_ref()).map(|event| &event.id) == id
        };
        if legs.iter().any(|leg| shares.is_empty() || !is_of(leg)) {
            return Err(Cause::Zap(ZapRefusal::EventChanged).into());
        }
        if shares.is_empty() {
            let leg =
                Leg { whom, sats: intent.amount.get(), event: zapped, key: intent.key.clone() };
            let payment = self.zap_leg(link, &setup, caller, intent, &digest, leg, call).await?;
            let payment = self.await_receipt(link, payment, call.until).await?;
            return Ok(self.describe(&setup, caller, payment, Replay::No).await?.into());
        }
        let shared =
            self.zap_shares(link, &setup, caller, intent, &digest, shares, zapped, call).await?;
        Ok(Outcome::Shared(shared))
    }

    /// Pays one leg: steps 1 to 7 of the one door, on the rail that is decided here.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the call")]
    async fn zap_leg(
        &self,
        link: &Link,
        setup: &Setup,
        caller: &Caller,
        intent: &ZapIntent,
        digest: &str,
        leg: Leg,
        call: &Call,
    ) -> Result<Payment, Failure> {
        let late = || Failure::new(Cause::Late(Late::Mint));
        let gate = format!("{digest} {}", leg.whom.name());
        let _one_planner = call.until.wait(self.gates.pass(&gate)).await.ok_or_else(late)?;
        let known = self.known_by_key(caller, leg.key.as_deref(), digest).await?;
        if let Known::Recorded(payment) = known {
            return Ok(*payment);
        }
        let mut draft = self.draft_zap(setup, caller, intent, digest, &leg, known.earlier())?;
        let shared = leg
            .key
            .as_deref()
            .is_some_and(|key| key.starts_with(call.group.as_str()) && key.contains('.'));
        if known.earlier().is_none() && !shared {
            draft.id = call.id.clone();
        }
        self.deny(setup, &draft).await?;
        let planned = async {
            let person = match leg.whom.pubkey() {
                Some(pubkey) => {
                    let is_locked_to = intent.via != Via::Lightning;
                    self.person(link, pubkey, leg.whom.hints(), is_locked_to).await?
                }
                None => Person::default(),
            };
            self.plan_zap(link, setup, intent, draft, &leg, person).await
        };
        let planned = call.until.wait(planned).await.unwrap_or_else(|| Err(late()))?;
        // It gives up before the caller does: what the caller then finds recorded is all there will
        // be.
        let until = call.until.sooner(EARLIER);
        if call.left.load(Ordering::Acquire) || until.is_past() {
            return Err(late());
        }
        let payment = self.spend(planned, until).await?;
        self.after_zap(payment).await
    }

    fn draft_zap(
        &self,
        setup: &Setup,
        caller: &Caller,
        intent: &ZapIntent,
        request_digest: &str,
        leg: &Leg,
        earlier: Option<&Payment>,
    ) -> Result<Draft, Failure> {
        first_mint(setup)?;
        let event = leg.event.as_ref().map_or("", |event| event.event_id.as_str());
        let (agent, now) = (&caller.agent, (self.clock)());
        Ok(Draft {
            key: leg.key.clone(),
            request_digest: request_digest.to_owned(),
            payee: digest(&["zap", &leg.whom.name(), event]),
            shown_payee: Some(leg.whom.shown()),
            note: intent.comment.clone(),
            repeat_of: intent.repeat_of.clone(),
            ..Draft::new(setup, agent, KindName::Zap, leg.sats, earlier, now)
        })
    }

    /// Step 3: which rail, and from where.
    async fn plan_zap(
        &self,
        link: &Link,
        setup: &Setup,
        intent: &ZapIntent,
        draft: Draft,
        leg: &Leg,
        person: Person,
    ) -> Result<Planned, Failure> {
        if intent.via != Via::Lightning {
            match self.plan_nutzap(link, setup, intent, draft.clone(), leg, &person).await {
                Ok(planned) => return Ok(planned),
                Err(failure) if intent.via == Via::Nutzap => return Err(failure),
                Err(_) => {}
            }
        }
        self.plan_lightning(link, setup, intent, draft, leg, &person).await
    }
}

fn zap_digest(intent: &ZapIntent) -> String {
    let event = intent.event.as_ref().map(ToString::to_string).unwrap_or_default();
    digest(&[
        "zap",
        &intent.to.to_string(),
        &intent.amount.get().to_string(),
        &event,
        intent.comment.as_deref().unwrap_or(""),
        &format!("{:?} {}", intent.via, intent.anonymous),
    ])
}
