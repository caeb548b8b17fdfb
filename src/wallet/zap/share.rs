//! Zaps that an event shares among several (NIP-57, zap tags): one payment each, under keys by
//! which a repeat knows them.

use super::super::Wallet;
use super::super::code::Code;
use super::super::error::{Error, MoneyMoved};
use super::super::known::{Known, digest};
use super::super::nostr::Link;
use super::super::request::{Caller, Zap};
use super::super::rules::Setup;
use super::super::show::Replay;
use super::super::view::{DeliveredView, LegView, PaymentView};
use super::whom::{Whom, shown_key};
use super::{Call, Leg};
use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentState, Receipt};
use crate::nostr::zap::Zapped;
use crate::nostr::{Event, splits};

/// Who shares the zaps of an event, and how much each gets. Empty: only its author.
pub(super) fn of(event: &Event, sats: u64) -> Result<Vec<(Whom, u64)>, Error> {
    let legs = splits::legs(event, sats);
    let legs = legs.map_err(|_| {
        Error::new(Code::PayeeUnsupported, "The event shares its zaps among too many.")
            .with("kind", "splits")
    })?;
    Ok(legs
        .into_iter()
        .map(|leg| {
            (Whom::Key { pubkey: leg.pubkey, hints: leg.relay.into_iter().collect() }, leg.sats)
        })
        .collect())
}

/// The name of a shared zap: of its key, so that a repeat finds it.
pub(in super::super) fn group(caller: &Caller, key: Option<&str>) -> PaymentId {
    match key {
        Some(key) => key
            .parse()
            .unwrap_or_else(|_| PaymentId::derived(&digest(&["zap", &caller.agent, key]))),
        None => PaymentId::random(),
    }
}

/// A leg is known by whom it pays, not by its place: a later version of the event may name others.
fn leg_key(group: &PaymentId, whom: &Whom) -> String {
    format!("{group}.{}", whom.name())
}

/// The shared zap that a leg belongs to.
fn group_of(leg: &Payment) -> Option<PaymentId> {
    leg.zap.as_ref()?;
    leg.key.as_deref()?.split_once('.')?.0.parse().ok()
}

impl Wallet {
    /// Step 1: what is recorded under this key, if nothing of it is to be tried again.
    pub(super) async fn known_zap(
        &self,
        setup: &Setup,
        caller: &Caller,
        key: Option<&str>,
        words: &str,
    ) -> Result<Option<PaymentView>, Error> {
        if key.is_none() {
            return Ok(None);
        }
        let mut of_leg = None;
        match self.known_by_key(caller, key, words).await? {
            Known::Recorded(payment) | Known::Again(payment) if group_of(&payment).is_some() => {
                of_leg = group_of(&payment)
            }
            Known::Recorded(payment) => {
                return self.show_payment(setup, caller, *payment, Replay::Yes).await.map(Some);
            }
            Known::Again(_) | Known::New => {}
        }
        if let Some(group) = of_leg {
            // Only one part of it is named: what is asked for is the whole.
            return self.shown_group(setup, caller, &group).await;
        }
        let group = group(caller, key);
        let legs = self.legs(caller, &group).await?;
        let other = legs.iter().any(|leg| leg.request_digest != words);
        if other {
            return Err(Error::new(
                Code::KeyConflict,
                "This idempotency key was used for another request.",
            )
            .keyed(key));
        }
        Ok(None)
    }

    /// The recorded legs of a shared zap, in their order.
    pub(in super::super) async fn legs(
        &self,
        caller: &Caller,
        group: &PaymentId,
    ) -> Result<Vec<Payment>, Error> {
        let mut legs = self
            .store
            .payments_by_prefix(&caller.agent, &format!("{group}."), splits::MAX_SHARES)
            .await?;
        legs.sort_by_key(|leg| leg.created_at);
        Ok(legs)
    }

    /// Pays each leg, one after the other. A leg that is settled or under way is not touched.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the call")]
    pub(super) async fn zap_shares(
        &self,
        link: &Link,
        setup: &Setup,
        caller: &Caller,
        request: &Zap,
        words: &str,
        shares: Vec<(Whom, u64)>,
        event: Option<Zapped>,
        call: &Call,
    ) -> Result<PaymentView, Error> {
        let key = request.idempotency_key.as_deref();
        let group = call.group.clone();
        let recorded = self.legs(caller, &group).await?;
        if recorded.is_empty() {
            // The owner's limit for one payment holds for all parts together.
            let total = shares.iter().map(|(_, sats)| *sats).fold(0, u64::saturating_add);
            let whole = Leg {
                whom: Whom::Address { address: group.to_string() },
                sats: total,
                event: event.clone(),
                key: None,
            };
            let probe = self.zap_payment(setup, caller, request, words, &whole, None)?;
            self.deny(setup, &probe).await.map_err(|error| error.keyed(key))?;
        }
        let mut outcomes: Vec<(Whom, u64, Result<Payment, Error>)> = Vec::new();
        for (whom, sats) in shares {
            let leg = Leg {
                key: Some(leg_key(&group, &whom)),
                whom: whom.clone(),
                sats,
                event: event.clone(),
            };
            let outcome =
                Box::pin(self.zap_leg(link, setup, caller, request, words, leg, call)).await;
            outcomes.push((whom, sats, outcome));
        }
        if outcomes.iter().all(|(.., outcome)| outcome.is_err()) {
            // The gravest is told.
            let unsure = outcomes.iter().position(|(.., outcome)| {
                outcome.as_ref().is_err_and(|error| error.money_moved != MoneyMoved::No)
            });
            if let (.., Err(error)) = outcomes.swap_remove(unsure.unwrap_or(0)) {
                return Err(error.keyed(key));
            }
        }
        for (.., outcome) in &mut outcomes {
            if let Ok(payment) = outcome {
                *payment = self.await_receipt(link, payment.clone(), call.until).await?;
            }
        }
        self.show_group(setup, caller, &group, outcomes).await
    }

    /// A shared zap as an answer.
    async fn show_group(
        &self,
        setup: &Setup,
        caller: &Caller,
        group: &PaymentId,
        outcomes: Vec<(Whom, u64, Result<Payment, Error>)>,
    ) -> Result<PaymentView, Error> {
        let mut legs = Vec::new();
        let mut first: Option<PaymentView> = None;
        for (whom, sats, outcome) in outcomes {
            let to_npub = whom.pubkey().map(shown_key);
            match outcome {
                Ok(payment) => {
                    let view = self.show_payment(setup, caller, payment, Replay::Asked).await?;
                    legs.push(LegView {
                        to_npub,
                        via: view.via,
                        state: view.state,
                        amount_sats: view.amount_sats,
                        fee_sats: view.fee_sats,
                        payment_id: view.payment_id.clone(),
                        error: view.error.clone(),
                    });
                    first = first.or(Some(view));
                }
                Err(error) => legs.push(LegView {
                    to_npub,
                    via: None,
                    state: "failed",
                    amount_sats: sats,
                    fee_sats: 0,
                    payment_id: error.payment_id.as_ref().map(ToString::to_string),
                    error: Some(error.code.as_str().to_owned()),
                }),
            }
        }
        let mut view = first
            .ok_or_else(|| Error::new(Code::NotFound, "No payment of this agent has that id."))?;
        let any = |state: &str| legs.iter().any(|leg| leg.state == state);
        let sum = |of: fn(&LegView) -> u64| {
            legs.iter().filter(|leg| leg.state != "failed").map(of).fold(0, u64::saturating_add)
        };
        view.state = match (any("pending"), any("failed")) {
            (true, _) => "pending",
            (false, true) => "partial",
            (false, false) => "settled",
        };
        view.is_final = view.state == "settled";
        view.payment_id = Some(group.to_string());
        (view.amount_sats, view.fee_sats) = (sum(|leg| leg.amount_sats), sum(|leg| leg.fee_sats));
        view.total_sats = view.amount_sats.saturating_add(view.fee_sats);
        (view.to_npub, view.payment_hash, view.preimage, view.proof, view.delivered_to) =
            (None, None, None, None, None);
        if view.state == "partial" {
            view.next_step = Some(format!(
                "Some parts failed and nothing of them moved. Make the same call with idempotency_key {group} to try only those again."
            ));
        }
        view.legs = legs;
        Ok(view)
    }

    /// A shared zap that was made before, by its name.
    pub(in super::super) async fn shown_group(
        &self,
        setup: &Setup,
        caller: &Caller,
        group: &PaymentId,
    ) -> Result<Option<PaymentView>, Error> {
        let legs = self.legs(caller, group).await?;
        if legs.is_empty() {
            return Ok(None);
        }
        let outcomes = legs.into_iter().map(|leg| {
            let pubkey = leg.zap.as_ref().and_then(|of| of.recipient.clone()).unwrap_or_default();
            (Whom::Key { pubkey, hints: Vec::new() }, leg.amount_sats, Ok(leg))
        });
        self.show_group(setup, caller, group, outcomes.collect()).await.map(Some)
    }
}

/// What is told of a zap beside the payment.
pub(in super::super) fn describe(
    view: &mut PaymentView,
    payment: &Payment,
    delivered_to: Option<DeliveredView>,
) {
    let Some(of) = &payment.zap else { return };
    view.via = Some(of.rail.word());
    view.to_npub = of.recipient.as_deref().map(shown_key);
    view.event_id.clone_from(&of.event);
    view.receipt = Some(of.receipt.word());
    let settled = matches!(payment.state, PaymentState::Settled { .. });
    let nowhere = settled
        && view.claimed != Some(true)
        && delivered_to.as_ref().is_some_and(|delivered| delivered.relays == 0);
    let given_up = delivered_to.as_ref().is_some_and(|delivered| delivered.given_up == Some(true));
    view.delivered_to = delivered_to.filter(|_| settled);
    if nowhere && given_up {
        view.next_step = Some(
            "None of the recipient's relays took the nutzap within a month, and it is not sent any more. Its coins are locked to the \
             recipient and do not come back: give them the token, which only they can use. Do not zap again."
                .to_owned(),
        );
    } else if nowhere {
        view.next_step = Some(
            "None of the recipient's relays has taken the nutzap yet: it is kept and sent again by itself. Do not zap again.".to_owned(),
        );
    } else if settled && matches!(of.receipt, Receipt::Timeout | Receipt::Invalid) {
        view.next_step = Some(
            "It is paid; only the public receipt is missing or wrong. Do not zap again.".to_owned(),
        );
    }
}
