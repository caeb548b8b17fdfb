//! Records as answers. Says what moved, what it cost, what is still unknown and what to do next.

use super::Wallet;
use super::clock::rfc3339;
use super::code::Code;
use super::error::Error;
use super::request::Caller;
use super::rules::Setup;
use super::view::PaymentView;
use crate::model::mint::MoneyKind;
use crate::model::payment::{Failure, Payment, PaymentKind, PaymentState};
use crate::model::receive::{Receive, ReceiveState};

/// Whether the answer is of an earlier call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    Yes,
    No,
    /// The caller asked for it: nothing to remark.
    Asked,
}

const PLAY: &str = "Play money: the payee received nothing of value.";

const UNNAMED: &str = "The payee's server gave an invoice that does not say what it is for; its preimage proves the payment alone.";

impl Wallet {
    /// A payment as an answer. A failed one is answered as the error it failed with, unless it was
    /// asked for.
    pub(super) async fn show_payment(
        &self,
        setup: &Setup,
        caller: &Caller,
        payment: Payment,
        replay: Replay,
    ) -> Result<PaymentView, Error> {
        if let (PaymentState::Failed { failure, .. }, Replay::Yes | Replay::No) =
            (&payment.state, replay)
        {
            return Err(failed(failure).of(&payment.id));
        }
        let token = self.store.token(&payment.id).await?;
        let now = (self.clock)();
        let ledger = self.store.ledger(&caller.agent, None, now).await?;
        let own = payment.agent == caller.agent;
        let delivered_to = self.delivered(&payment).await?;
        let is_given_up = delivered_to.as_ref().is_some_and(|to| to.given_up == Some(true));
        let mut view = blank(payment.money, payment.kind.word(), payment.mint.to_string());
        view.payment_id = Some(payment.id.to_string());
        view.payment_hash.clone_from(&payment.payment_hash);
        view.replayed = match replay {
            Replay::Yes => Some(true),
            Replay::No => Some(false),
            Replay::Asked => None,
        };
        if payment.money == setup.money {
            view.balance_sats = Some(self.spendable(setup).await?);
            view.left_24h_sats = Some(setup.policy.left_today(&caller.agent, &ledger));
        }
        view.amount_sats = payment.amount_sats;
        view.fee_sats = payment.reserved_sats.saturating_sub(payment.amount_sats);
        match &payment.state {
            PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => {
                self.open(&mut view, &payment)
            }
            PaymentState::Settled { .. } if self.is_being_reclaimed(&payment).await? => {
                self.open(&mut view, &payment);
                view.next_step =
                    Some("It is being taken back. Do not hand the token out; call get_payment with this payment_id later.".to_owned());
            }
            PaymentState::Settled { fee_sats, preimage, claimed, .. } => {
                view.state = "settled";
                view.fee_sats = *fee_sats;
                if payment.zap.is_some() && payment.is_of_coins() {
                    view.is_final = true;
                    view.claimed = Some(*claimed);
                    if payment.money == MoneyKind::Play {
                        view.warning = Some(PLAY.to_owned());
                    }
                    let is_unpublished = payment.zap.as_ref().is_some_and(|of| of.nutzap.is_none());
                    if is_unpublished || is_given_up {
                        view.token = token.filter(|_| own).map(|row| row.token.reveal().to_owned());
                    }
                    if is_unpublished {
                        view.next_step = Some(
                            "The coins could not be published as an event: give the recipient this token, which only they can use."
                                .to_owned(),
                        );
                    }
                } else if payment.kind == PaymentKind::TokenSent {
                    view.is_final = *claimed;
                    view.claimed = Some(*claimed);
                    view.reclaimable = Some(token.as_ref().is_some_and(|row| !row.locked));
                    view.token = token.filter(|_| own).map(|row| row.token.reveal().to_owned());
                    if payment.money == MoneyKind::Play {
                        view.warning = Some("Play money: the token is worth nothing.".to_owned());
                    }
                } else {
                    view.is_final = true;
                    view.proof = Some(if preimage.is_some() { "preimage" } else { "mint_word" });
                    view.preimage = preimage
                        .as_ref()
                        .filter(|_| own)
                        .map(|preimage| preimage.reveal().to_owned());
                    if payment.money == MoneyKind::Play {
                        view.warning = Some(PLAY.to_owned());
                    }
                }
            }
            PaymentState::Failed { failure, .. } => {
                (view.state, view.is_final) = ("failed", true);
                view.fee_sats = 0;
                view.error = Some(failure.code.clone());
                view.untrusted_reason.clone_from(&failure.untrusted_reason);
                view.next_step =
                    Some("Nothing was paid. The same call may be made again.".to_owned());
            }
            PaymentState::Returned { reclaimed_sats, fee_sats, .. } => {
                (view.state, view.is_final) = ("returned", true);
                view.fee_sats = *fee_sats;
                view.reclaimed_sats = Some(*reclaimed_sats);
                view.claimed = Some(false);
            }
        }
        if let Some(fetched) = payment.fetched {
            view.comment_sent = fetched.comment_sent;
            if !fetched.description_hash_ok && view.state != "failed" {
                view.warning = Some(
                    view.warning
                        .map_or_else(|| UNNAMED.to_owned(), |words| format!("{words} {UNNAMED}")),
                );
            }
        }
        super::zap::describe(&mut view, &payment, delivered_to);
        view.total_sats = view.amount_sats.saturating_add(view.fee_sats);
        Ok(view)
    }

    fn open(&self, view: &mut PaymentView, payment: &Payment) {
        (view.state, view.is_final) = ("pending", false);
        let in_hand = self.live().contains_key(&payment.id);
        let (since, reason) = match &payment.state {
            PaymentState::Sent { since, acknowledged: true } => (*since, "payee_holds"),
            PaymentState::Sent { since, acknowledged: false } if in_hand => (*since, "mint_silent"),
            PaymentState::Sent { since, .. } | PaymentState::GivenUp { since, .. } => {
                (*since, "outcome_unknown")
            }
            PaymentState::Settled { at, .. } => (*at, "outcome_unknown"),
            _ => (payment.created_at, "mint_silent"),
        };
        view.since = rfc3339(since);
        view.pending_reason = Some(reason);
        view.next_step = Some(
            "It may still be paid, for minutes or days. Pay nothing again for the same purpose; call get_payment with this payment_id later."
                .to_owned(),
        );
        if matches!(payment.state, PaymentState::GivenUp { .. }) {
            view.next_step = Some(
                "The owner has given it up: its mint does not say whether it was paid, and is not asked any more. Pay nothing again for the \
                 same purpose before the owner says so."
                    .to_owned(),
            );
        }
    }
}

impl PaymentKind {
    /// The kind in the words of the tools.
    pub fn word(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::TokenSent => "token_sent",
            Self::Zap => "zap",
        }
    }
}

/// A received token as an answer.
pub(super) fn receive(receive: Receive, replayed: bool) -> PaymentView {
    let kind = if receive.nutzap.is_some() { "nutzap_received" } else { "token_received" };
    let mut view = blank(receive.money, kind, receive.mint.to_string());
    view.receive_id = Some(receive.id.to_string());
    view.untrusted_memo = receive.untrusted_memo;
    view.replayed = Some(replayed);
    view.amount_sats = receive.amount_sats;
    match receive.state {
        ReceiveState::Open | ReceiveState::GivenUp { .. } => {
            (view.state, view.is_final) = ("pending", false);
            view.pending_reason = Some("outcome_unknown");
            view.since = rfc3339(receive.created_at);
            let next = if receive.state == ReceiveState::Open {
                "The token is kept and will be taken in; call get_payment with this receive_id later."
            } else {
                "The owner has given it up: its mint does not say whether the token was taken in, and is not asked any more."
            };
            view.next_step = Some(next.to_owned());
        }
        ReceiveState::Received { received_sats, fee_sats, .. } => {
            (view.state, view.is_final) = ("received", true);
            view.received_sats = Some(received_sats);
            view.fee_sats = fee_sats;
        }
        ReceiveState::Refused { failure, .. } => {
            (view.state, view.is_final) = ("failed", true);
            view.error = Some(failure.code);
            view.untrusted_reason = failure.untrusted_reason;
        }
    }
    view.total_sats = view.amount_sats;
    view
}

/// The error that a payment failed with, from its record.
fn failed(failure: &Failure) -> Error {
    let code = Code::from_word(&failure.code).unwrap_or(Code::MintRefused);
    let error = Error::new(code, "The payment failed; nothing moved.");
    match &failure.untrusted_reason {
        Some(reason) => error.with_untrusted("reason", reason),
        None => error,
    }
}

fn blank(money: MoneyKind, kind: &'static str, mint: String) -> PaymentView {
    PaymentView {
        payment_id: None,
        receive_id: None,
        kind,
        state: "pending",
        is_final: false,
        money: money.into(),
        amount_sats: 0,
        fee_sats: 0,
        total_sats: 0,
        mint,
        payment_hash: None,
        preimage: None,
        proof: None,
        comment_sent: None,
        via: None,
        to_npub: None,
        event_id: None,
        receipt: None,
        delivered_to: None,
        legs: Vec::new(),
        replayed: None,
        token: None,
        qr_text: None,
        claimed: None,
        reclaimable: None,
        received_sats: None,
        reclaimed_sats: None,
        untrusted_memo: None,
        since: None,
        pending_reason: None,
        error: None,
        untrusted_reason: None,
        balance_sats: None,
        left_24h_sats: None,
        warning: None,
        next_step: None,
    }
}
