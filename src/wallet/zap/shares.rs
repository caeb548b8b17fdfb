//! Zaps that an event splits among several recipients (NIP-57, zap tags): one payment each, under
//! keys that a repeat finds.

use crate::model::id::PaymentId;
use crate::model::payment::Payment;
use crate::nostr::zap::ZapTarget;
use crate::nostr::{Event, splits};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::digest::digest;
use crate::wallet::core::failure::{Cause, Failure, Moved, ZapRefusal};
use crate::wallet::core::relays::Link;
use crate::wallet::door::known::{KnownRequest, known_by_key};
use crate::wallet::door::record::{Outcome, Replay, Share, SharedZap, describe, shown_key};
use crate::wallet::execution::judge::deny;
use crate::wallet::zap::lightning::await_receipt;
use crate::wallet::zap::recipient::Whom;
use crate::wallet::zap::{Call, Leg, ZapIntent, draft_zap, zap_leg};

/// Returns the recipients of an event's zaps with their amounts. Empty: only its author.
pub(crate) fn of(event: &Event, sats: u64) -> Result<Vec<(Whom, u64)>, Failure> {
    let legs = splits::legs(event, sats);
    let legs = legs.map_err(|_| Cause::Zap(ZapRefusal::TooManyShares))?;
    Ok(legs
        .into_iter()
        .map(|leg| {
            (Whom::Key { pubkey: leg.pubkey, hints: leg.relay.into_iter().collect() }, leg.sats)
        })
        .collect())
}

/// Returns the id of a split zap. It is derived from the key, so that a repeat finds it.
pub(crate) fn group(caller: &Caller, key: Option<&str>) -> PaymentId {
    match key {
        Some(key) => key
            .parse()
            .unwrap_or_else(|_| PaymentId::derived(&digest(&["zap", &caller.agent, key]))),
        None => PaymentId::random(),
    }
}

/// Returns the key of a leg. It contains the recipient, not the position: a later version of the
/// event may list others.
fn leg_key(group: &PaymentId, whom: &Whom) -> String {
    format!("{group}.{}", whom.name())
}

/// Returns the id of the split zap that a leg belongs to.
fn group_of(leg: &Payment) -> Option<PaymentId> {
    leg.zap()?;
    leg.key.as_deref()?.split_once('.')?.0.parse().ok()
}

/// Step 1: returns the recorded result for this key. `None`: something of it has to be tried.
pub(super) async fn known_zap(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    key: Option<&str>,
    digest: &str,
) -> Result<Option<Outcome>, Failure> {
    if key.is_none() {
        return Ok(None);
    }
    let mut of_leg = None;
    match known_by_key(core, caller, key, digest).await? {
        KnownRequest::Recorded(payment) | KnownRequest::Again(payment)
            if group_of(&payment).is_some() =>
        {
            of_leg = group_of(&payment)
        }
        KnownRequest::Recorded(payment) => {
            let record = describe(core, setup, caller, *payment, Replay::Yes).await?;
            return Ok(Some(record.into()));
        }
        KnownRequest::Again(_) | KnownRequest::New => {}
    }
    if let Some(group) = of_leg {
        // The key names one leg; the result is the whole zap.
        return Ok(shared_zap(core, setup, caller, &group).await?.map(Outcome::Shared));
    }
    let group = group(caller, key);
    let legs = legs(core, caller, &group).await?;
    if legs.iter().any(|leg| leg.request_digest != digest) {
        return Err(Cause::Conflict.into());
    }
    Ok(None)
}

/// Reads the recorded legs of a split zap, by creation time.
pub(super) async fn legs(
    core: &Core,
    caller: &Caller,
    group: &PaymentId,
) -> Result<Vec<Payment>, Failure> {
    let mut legs = core
        .store
        .payments_by_prefix(&caller.agent, &format!("{group}."), splits::MAX_SHARES)
        .await?;
    legs.sort_by_key(|leg| leg.created_at);
    Ok(legs)
}

/// Pays the legs one after the other; skips those that are settled or under way.
#[expect(clippy::too_many_arguments, reason = "each is one fact of the call")]
pub(super) async fn zap_shares(
    core: &Core,
    link: &Link,
    setup: &Setup,
    caller: &Caller,
    intent: &ZapIntent,
    digest: &str,
    shares: Vec<(Whom, u64)>,
    event: Option<ZapTarget>,
    call: &Call,
) -> Result<SharedZap, Failure> {
    let group = call.group.clone();
    if legs(core, caller, &group).await?.is_empty() {
        // The owner's per-payment limit applies to the total of all legs.
        let total = shares.iter().map(|(_, sats)| *sats).fold(0, u64::saturating_add);
        let whole = Leg {
            whom: Whom::Address { address: group.to_string() },
            sats: total,
            event: event.clone(),
            key: None,
        };
        let draft = draft_zap(core, setup, caller, intent, digest, &whole, None)?;
        deny(core, setup, &draft).await?;
    }
    let mut outcomes: Vec<(Whom, u64, Result<Payment, Failure>)> = Vec::new();
    for (whom, sats) in shares {
        let leg = Leg {
            key: Some(leg_key(&group, &whom)),
            whom: whom.clone(),
            sats,
            event: event.clone(),
        };
        let outcome = Box::pin(zap_leg(core, link, setup, caller, intent, digest, leg, call)).await;
        outcomes.push((whom, sats, outcome));
    }
    if outcomes.iter().all(|(.., outcome)| outcome.is_err()) {
        // Return the most serious failure: one after which money may have moved.
        let unsure = outcomes.iter().position(|(.., outcome)| {
            outcome.as_ref().is_err_and(|failure| failure.moved != Moved::No)
        });
        if let (.., Err(failure)) = outcomes.swap_remove(unsure.unwrap_or(0)) {
            return Err(failure);
        }
    }
    for (.., outcome) in &mut outcomes {
        if let Ok(payment) = outcome {
            *payment = await_receipt(core, link, payment.clone(), call.until).await?;
        }
    }
    describe_shares(core, setup, caller, group, outcomes).await
}

async fn describe_shares(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    id: PaymentId,
    outcomes: Vec<(Whom, u64, Result<Payment, Failure>)>,
) -> Result<SharedZap, Failure> {
    let mut shares = Vec::new();
    for (whom, sats, outcome) in outcomes {
        let outcome = match outcome {
            Ok(payment) => Ok(describe(core, setup, caller, payment, Replay::Asked).await?),
            Err(failure) => Err(failure),
        };
        shares.push(Share { to_npub: whom.pubkey().map(shown_key), sats, outcome });
    }
    Ok(SharedZap { id, shares })
}

/// Reads a split zap by its id. `None`: no leg is recorded.
pub(crate) async fn shared_zap(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    group: &PaymentId,
) -> Result<Option<SharedZap>, Failure> {
    let legs = legs(core, caller, group).await?;
    if legs.is_empty() {
        return Ok(None);
    }
    let outcomes = legs.into_iter().map(|leg| {
        let pubkey = leg.zap().and_then(|zap| zap.recipient.clone()).unwrap_or_default();
        (Whom::Key { pubkey, hints: Vec::new() }, leg.amount_sats, Ok(leg))
    });
    describe_shares(core, setup, caller, group.clone(), outcomes.collect()).await.map(Some)
}
