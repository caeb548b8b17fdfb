//! Zaps: sats for a person or an event on Nostr, over Lightning (NIP-57) or as nutzaps (NIP-61).
//!
//! ```text
//!  known? -> recipient -> legs -> each: deny? -> rail -> plan -> the door
//!         -> published, or receipt
//! ```
//! The rail (Lightning or nutzap) is chosen before money moves and never changes afterwards. A
//! split zap is one payment (leg) per recipient; a repeat touches no leg that is settled or under
//! way. Each leg passes the door like any payment.

mod lightning;
pub(super) mod nutzap;
pub(super) mod recipient;
pub(super) mod shares;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::model::id::PaymentId;
use crate::model::money::Sats;
use crate::model::payment as model;
use crate::model::payment::{KindName, Payment, PaymentState, Rail, ZappedEvent};
use crate::nostr::recipient::Recipient;
use crate::nostr::zap::ZapTarget;
use crate::store::Change;
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::{Setup, first_mint};
use crate::wallet::core::deadline::Deadline;
use crate::wallet::core::digest::digest;
use crate::wallet::core::failure::{Cause, Failure, Late, ZapRefusal};
use crate::wallet::core::lock::Name;
use crate::wallet::core::outgoing_text::outgoing;
use crate::wallet::core::relays::Link;
use crate::wallet::door::admit::spend;
use crate::wallet::door::known::{KnownRequest, known_by_key};
use crate::wallet::door::record::{Outcome, Replay, describe};
use crate::wallet::execution::judge::deny;
use crate::wallet::execution::planned::{Draft, Planned};
use crate::wallet::nutzaps::outgoing::after_zap;
use crate::wallet::people::find::{Person, person};
use crate::wallet::zap::lightning::{await_receipt, plan_lightning};
use crate::wallet::zap::nutzap::plan_nutzap;
use crate::wallet::zap::recipient::{Whom, whom, zapped};
use crate::wallet::zap::shares::{known_zap, legs, shared_zap, zap_shares};

pub(super) use crate::wallet::zap::shares::group;

/// Verbs for zaps.
#[derive(Clone, Copy, Debug)]
pub struct Zaps<'a>(pub(crate) &'a Core);

/// The rail a zap may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A nutzap if possible, otherwise Lightning.
    Auto,
    /// Lightning (NIP-57).
    Lightning,
    /// Locked proofs in an event (NIP-61).
    Nutzap,
}

/// Parameters of a zap.
#[derive(Clone, Debug)]
pub struct ZapIntent {
    /// A person, a name, or an event.
    pub to: Recipient,
    /// Amount for the recipient; the total, if the event splits its zaps.
    pub amount: Sats,
    /// The event, if `to` is its author.
    pub event: Option<Recipient>,
    /// Public message.
    pub comment: Option<String>,
    /// The rail.
    pub via: Via,
    /// `true` if the zap is signed with a throwaway key instead of the wallet's Nostr key.
    pub anonymous: bool,
    /// Limit for all fees of one leg, in sats.
    pub max_fee_sats: Option<u64>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// The payment that is deliberately repeated.
    pub repeat_of: Option<PaymentId>,
}

/// Margin by which a leg gives up before its call ends.
const EARLIER: Duration = Duration::from_millis(500);

/// One call of [`Zaps::send`].
#[derive(Clone, Debug)]
pub(super) struct Call {
    until: Deadline,
    /// Id of the zap, if it is split.
    group: PaymentId,
    /// Id of the payment, if it is not split.
    id: PaymentId,
    /// Set when the time is up: no further leg may begin.
    left: Arc<AtomicBool>,
}

/// One payment of a zap.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    whom: Whom,
    sats: u64,
    event: Option<ZapTarget>,
    /// The key by which a repeat finds this leg.
    key: Option<String>,
}

impl Leg {
    /// Builds the zap for this rail, without relays.
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

impl Zaps<'_> {
    /// Zaps a person or an event. Takes at most 45 s; what is still undecided then is returned as
    /// `pending`.
    ///
    /// # Errors
    /// [`Cause::Zap`], [`Cause::NameServer`], [`Cause::RelaysSilent`], [`Cause::Nutzap`], and those
    /// of `Payments::pay`: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: an admitted payment continues in the background.
    pub async fn send(self, caller: &Caller, intent: ZapIntent) -> Result<Outcome, Failure> {
        let core = self.0;
        if core.nostr.is_none() {
            return Err(Cause::Zap(ZapRefusal::NostrOff).into());
        }
        outgoing("comment", intent.comment.as_deref())?;
        let key = intent.key.as_deref();
        let _announced = core.locks.announce(&caller.agent, &[key.map(Name::Key)]);
        let group = group(caller, key);
        let call =
            Call { until: core.deadline(), group, id: PaymentId::random(), left: Arc::default() };
        let (tell, told) = oneshot::channel();
        let (owned, of, this) = (core.clone(), caller.clone(), call.clone());
        let asked = intent.clone();
        core.running.spawn(async move {
            let done = zap_to_its_end(&owned, &of, &asked, &this).await;
            if tell.send(done).is_err() {
                // The caller did not get the result and may ask again.
                doubt_caller(&owned, &of, &this).await;
            }
        });
        if let Some(Ok(done)) = call.until.wait(told).await {
            return done;
        }
        // From here on no further leg begins.
        call.left.store(true, Ordering::Release);
        core.store.barrier().await?;
        let setup = core.setup().await?;
        if let Some(payment) = core.store.payment(&call.id).await? {
            return Ok(describe(core, &setup, caller, payment, Replay::No).await?.into());
        }
        // A retry of a failed zap keeps the first id.
        if let KnownRequest::Recorded(payment) =
            known_by_key(core, caller, key, &zap_digest(&intent)).await?
        {
            return Ok(describe(core, &setup, caller, *payment, Replay::No).await?.into());
        }
        let shared = shared_zap(core, &setup, caller, &call.group).await?;
        shared.map(Outcome::Shared).ok_or_else(|| Cause::Late(Late::Mint).into())
    }
}

/// Marks everything this call began as undelivered, since its caller may not know of it.
async fn doubt_caller(core: &Core, caller: &Caller, call: &Call) {
    let mut begun = legs(core, caller, &call.group).await.unwrap_or_default();
    begun.extend(core.store.payment(&call.id).await.ok().flatten());
    let doubt = |mut payment: Payment| {
        payment.outcome_undelivered = true;
        Change::Payment(payment)
    };
    let begun =
        begun.into_iter().filter(|payment| !matches!(payment.state, PaymentState::Failed { .. }));
    if let Err(error) = core.store.commit(begun.map(doubt).collect()).await {
        tracing::error!(%error, "a zap could not be marked as undelivered to its caller");
    }
}

async fn zap_to_its_end(
    core: &Core,
    caller: &Caller,
    intent: &ZapIntent,
    call: &Call,
) -> Result<Outcome, Failure> {
    let link = core.nostr.as_ref().ok_or(Cause::Zap(ZapRefusal::NostrOff))?;
    let setup = core.setup().await?;
    let digest = zap_digest(intent);
    if let Some(known) = known_zap(core, &setup, caller, intent.key.as_deref(), &digest).await? {
        return Ok(known);
    }
    let found = call.until.wait(whom(core, link, intent)).await;
    let (whom, event) = match found.unwrap_or_else(|| Err(Cause::Late(Late::Mint).into())) {
        Ok(found) => found,
        // An earlier call may have paid some legs: report those.
        Err(failure) => {
            let shared = shared_zap(core, &setup, caller, &call.group).await?;
            return shared.map(Outcome::Shared).ok_or(failure);
        }
    };
    let shares = match &event {
        Some(event) => shares::of(event, intent.amount.get())?,
        None => Vec::new(),
    };
    let zapped = event.as_ref().map(|event| zapped(event, &whom));
    let id = zapped.as_ref().map(|event| &event.event_id);
    let legs = legs(core, caller, &call.group).await?;
    let is_of =
        |leg: &Payment| leg.zap().and_then(|zap| zap.event.as_ref()).map(|event| &event.id) == id;
    if legs.iter().any(|leg| shares.is_empty() || !is_of(leg)) {
        return Err(Cause::Zap(ZapRefusal::EventChanged).into());
    }
    if shares.is_empty() {
        let leg = Leg { whom, sats: intent.amount.get(), event: zapped, key: intent.key.clone() };
        let payment = zap_leg(core, link, &setup, caller, intent, &digest, leg, call).await?;
        let payment = await_receipt(core, link, payment, call.until).await?;
        return Ok(describe(core, &setup, caller, payment, Replay::No).await?.into());
    }
    let shared =
        zap_shares(core, link, &setup, caller, intent, &digest, shares, zapped, call).await?;
    Ok(Outcome::Shared(shared))
}

/// Pays one leg on the rail chosen here: steps 1 to 7 of the door.
#[expect(clippy::too_many_arguments, reason = "each is one fact of the call")]
async fn zap_leg(
    core: &Core,
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
    let _one_planner = call.until.wait(core.locks.pass(&gate)).await.ok_or_else(late)?;
    let known = known_by_key(core, caller, leg.key.as_deref(), digest).await?;
    if let KnownRequest::Recorded(payment) = known {
        return Ok(*payment);
    }
    let mut draft = draft_zap(core, setup, caller, intent, digest, &leg, known.earlier())?;
    let shared = leg
        .key
        .as_deref()
        .is_some_and(|key| key.starts_with(call.group.as_str()) && key.contains('.'));
    if known.earlier().is_none() && !shared {
        draft.id = call.id.clone();
    }
    deny(core, setup, &draft).await?;
    let planned = async {
        let person = match leg.whom.pubkey() {
            Some(pubkey) => {
                let is_locked_to = intent.via != Via::Lightning;
                person(link, pubkey, leg.whom.hints(), is_locked_to).await?
            }
            None => Person::default(),
        };
        plan_zap(core, link, setup, intent, draft, &leg, person).await
    };
    let planned = call.until.wait(planned).await.unwrap_or_else(|| Err(late()))?;
    // Ends before the caller's wait does, so that the caller then reads a final record.
    let until = call.until.sooner(EARLIER);
    if call.left.load(Ordering::Acquire) || until.is_past() {
        return Err(late());
    }
    let payment = spend(core, planned, until).await?;
    after_zap(core, payment).await
}

fn draft_zap(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    intent: &ZapIntent,
    request_digest: &str,
    leg: &Leg,
    earlier: Option<&Payment>,
) -> Result<Draft, Failure> {
    first_mint(setup)?;
    let event = leg.event.as_ref().map_or("", |event| event.event_id.as_str());
    let (agent, now) = (&caller.agent, (core.clock)());
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

/// Step 3: chooses rail and mint.
async fn plan_zap(
    core: &Core,
    link: &Link,
    setup: &Setup,
    intent: &ZapIntent,
    draft: Draft,
    leg: &Leg,
    person: Person,
) -> Result<Planned, Failure> {
    if intent.via != Via::Lightning {
        match plan_nutzap(core, link, setup, intent, draft.clone(), leg, &person).await {
            Ok(planned) => return Ok(planned),
            Err(failure) if intent.via == Via::Nutzap => return Err(failure),
            Err(_) => {}
        }
    }
    plan_lightning(core, link, setup, intent, draft, leg, &person).await
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
