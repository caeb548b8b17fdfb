//! Turns the wallet's records into outcomes of payments, tokens and zaps.

use super::payment::{
    Common, LegView, OutcomeView, PaymentView, Proof, TokenView, ZapView, replayed,
};
use super::relays::DeliveredView;
use super::rfc3339;
use crate::api::code::Code;
use crate::api::words::{PendingReason, TokenState, ZapState};
use crate::api::{Error, explain, words};
use crate::model::mint::MoneyKind;
use crate::model::payment::{Payment, PaymentKind, PaymentState, Receipt, Zap};
use crate::wallet::door::record::{PaymentRecord, Share, SharedZap};

/// The warning with play money.
const PLAY: &str = "Play money: the payee received nothing of value.";

/// The warning about an invoice whose description hash does not match (LUD-06).
const UNNAMED: &str = "The payee's server returned an invoice that does not say what it is for; its preimage proves only the payment.";

impl From<PaymentRecord> for OutcomeView {
    fn from(record: PaymentRecord) -> Self {
        let common = common(&record);
        match &record.payment.kind {
            PaymentKind::Lightning(_) => Self::Payment(PaymentView {
                payment_id: record.payment.id.to_string(),
                kind: words::PaymentKind::Payment,
                state: (&record.payment.state).into(),
                common,
                proof: proof(&record),
            }),
            PaymentKind::Token => Self::Token(token(record, common)),
            PaymentKind::Zap(zap) => Self::Zap(Box::new(self::zap(&record, zap, common))),
        }
    }
}

fn common(record: &PaymentRecord) -> Common {
    let payment = &record.payment;
    let mut common = Common {
        is_final: true,
        money: payment.money.into(),
        amount_sats: payment.amount_sats,
        fee_sats: payment.reserved_sats.saturating_sub(payment.amount_sats),
        total_sats: 0,
        mint: payment.mint.to_string(),
        replayed: replayed(record.replay),
        since: None,
        pending_reason: None,
        error: None,
        untrusted_reason: None,
        balance_sats: record.left.map(|left| left.balance_sats),
        left_24h_sats: record.left.map(|left| left.today_sats),
        warning: None,
        next_step: None,
    };
    match &payment.state {
        PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => {
            open(&mut common, record);
        }
        PaymentState::Settled { .. } if record.is_being_reclaimed => {
            open(&mut common, record);
            common.next_step =
                Some("It is being taken back. Do not give the token to anyone; call get_payment with this payment_id later.".to_owned());
        }
        PaymentState::Settled { fee_sats, claimed, .. } => {
            let is_token = matches!(payment.kind, PaymentKind::Token);
            common.fee_sats = *fee_sats;
            common.is_final = !is_token || *claimed;
            if payment.money == MoneyKind::Play {
                let words = if is_token { "Play money: the token is worth nothing." } else { PLAY };
                common.warning = Some(words.to_owned());
            }
        }
        PaymentState::Failed { failure, .. } => {
            common.fee_sats = 0;
            common.error = Some(explain::stored_code(failure.reason).as_str());
            common.untrusted_reason.clone_from(&failure.untrusted_reason);
            common.next_step =
                Some("Nothing was paid. The same call may be made again.".to_owned());
        }
        PaymentState::Returned { fee_sats, .. } => common.fee_sats = *fee_sats,
    }
    let is_unnamed = payment
        .melted()
        .and_then(|melted| melted.fetched)
        .is_some_and(|it| !it.description_hash_ok);
    if is_unnamed && !matches!(payment.state, PaymentState::Failed { .. }) {
        let words = common.warning.map(|words| format!("{words} {UNNAMED}"));
        common.warning = Some(words.unwrap_or_else(|| UNNAMED.to_owned()));
    }
    common.total_sats = common.amount_sats.saturating_add(common.fee_sats);
    common
}

fn open(common: &mut Common, record: &PaymentRecord) {
    let payment = &record.payment;
    let (since, reason) = match &payment.state {
        PaymentState::Sent { since, acknowledged: true } => (*since, PendingReason::PayeeHolds),
        PaymentState::Sent { since, acknowledged: false } if record.is_in_hand => {
            (*since, PendingReason::MintSilent)
        }
        PaymentState::Sent { since, .. } | PaymentState::GivenUp { since, .. } => {
            (*since, PendingReason::OutcomeUnknown)
        }
        PaymentState::Settled { at, .. } => (*at, PendingReason::OutcomeUnknown),
        _ => (payment.created_at, PendingReason::MintSilent),
    };
    (common.is_final, common.since, common.pending_reason) = (false, rfc3339(since), Some(reason));
    let next = if matches!(payment.state, PaymentState::GivenUp { .. }) {
        "The owner has given it up: its mint does not say whether it was paid, and is no longer asked. Do not pay again for the same \
         thing until the owner says so."
    } else {
        "It may still go through, minutes or days later. Do not pay again for the same thing; call get_payment with this payment_id later."
    };
    common.next_step = Some(next.to_owned());
}

fn proof(record: &PaymentRecord) -> Proof {
    let melted = record.payment.melted();
    let mut proof = Proof {
        payment_hash: melted.map(|melted| melted.payment_hash.clone()),
        preimage: None,
        proof: None,
        comment_sent: melted.and_then(|melted| melted.fetched).and_then(|it| it.comment_sent),
    };
    if let (Some(_), PaymentState::Settled { preimage, .. }) = (melted, &record.payment.state) {
        proof.proof =
            Some(if preimage.is_some() { words::Proof::Preimage } else { words::Proof::MintWord });
        let preimage = preimage.as_ref().filter(|_| record.is_own);
        proof.preimage = preimage.map(|preimage| preimage.reveal().to_owned());
    }
    proof
}

fn token(record: PaymentRecord, common: Common) -> TokenView {
    let state = match &record.payment.state {
        PaymentState::Settled { .. } if record.is_being_reclaimed => TokenState::Pending,
        state => state.into(),
    };
    let mut view = TokenView {
        payment_id: record.payment.id.to_string(),
        kind: words::TokenKind::TokenSent,
        state,
        common,
        token: None,
        qr_text: None,
        claimed: None,
        reclaimable: None,
        reclaimed_sats: None,
    };
    match record.payment.state {
        PaymentState::Settled { claimed, .. } if !record.is_being_reclaimed => {
            (view.claimed, view.reclaimable) = (Some(claimed), Some(record.is_reclaimable));
            view.token = record.token.map(|token| token.reveal().to_owned());
        }
        PaymentState::Returned { reclaimed_sats, .. } => {
            (view.claimed, view.reclaimed_sats) = (Some(false), Some(reclaimed_sats));
        }
        _ => {}
    }
    view
}

fn zap(record: &PaymentRecord, zap: &Zap, common: Common) -> ZapView {
    let Payment { id, state, .. } = &record.payment;
    let mut view = ZapView {
        payment_id: id.to_string(),
        kind: words::ZapKind::Zap,
        state: words::PaymentState::from(state).into(),
        common,
        proof: proof(record),
        via: (&zap.rail).into(),
        to_npub: record.to_npub.clone(),
        event_id: zap.event.as_ref().map(|event| event.id.clone()),
        receipt: zap.receipt().into(),
        delivered_to: None,
        token: None,
        claimed: None,
        legs: Vec::new(),
    };
    let PaymentState::Settled { claimed, .. } = state else { return view };
    view.delivered_to = record.delivered.map(DeliveredView::from);
    if zap.melted().is_some() {
        if matches!(zap.receipt(), Receipt::Timeout | Receipt::Invalid) {
            view.common.next_step = Some(
                "It is paid; only the public receipt is missing or invalid. Do not zap again."
                    .to_owned(),
            );
        }
        return view;
    }
    view.claimed = Some(*claimed);
    let is_given_up = record.delivered.is_some_and(|to| to.is_given_up);
    let is_nowhere = !claimed && record.delivered.is_some_and(|to| to.relays == 0);
    let next = if zap.nutzap().is_none() {
        Some(
            "The coins could not be published as an event: give the recipient this token, which only they can use.",
        )
    } else if is_nowhere && is_given_up {
        Some(
            "None of the recipient's relays accepted the nutzap within a month, so it is no longer sent. Its coins are locked to the \
             recipient and do not come back: give them the token, which only they can use. Do not zap again.",
        )
    } else if is_nowhere {
        Some(
            "None of the recipient's relays has accepted the nutzap yet; it is saved and will be resent automatically. Do not zap again.",
        )
    } else {
        None
    };
    view.common.next_step = next.map(str::to_owned);
    if zap.nutzap().is_none() || is_given_up {
        view.token = record.token.as_ref().map(|token| token.reveal().to_owned());
    }
    view
}

/// Creates the view of a split zap: its parts and their sums.
pub(super) fn shared_zap(shared: SharedZap) -> Result<ZapView, Error> {
    let (mut legs, mut first) = (Vec::new(), None);
    let (mut is_pending, mut has_failed) = (false, false);
    let (mut amount_sats, mut fee_sats) = (0_u64, 0_u64);
    for Share { to_npub, sats, outcome } in shared.shares {
        let record = match outcome {
            Ok(record) => record,
            Err(failure) => {
                has_failed = true;
                let error = Error::from(failure);
                legs.push(LegView {
                    to_npub,
                    via: None,
                    state: words::PaymentState::Failed,
                    amount_sats: sats,
                    fee_sats: 0,
                    payment_id: error.payment_id.as_ref().map(ToString::to_string),
                    error: Some(error.code.as_str()),
                });
                continue;
            }
        };
        let state = words::PaymentState::from(&record.payment.state);
        let PaymentKind::Zap(of) = record.payment.kind.clone() else { continue };
        let common = common(&record);
        let view = zap(&record, &of, common);
        is_pending |= state == words::PaymentState::Pending;
        if state == words::PaymentState::Failed {
            has_failed = true;
        } else {
            amount_sats = amount_sats.saturating_add(view.common.amount_sats);
            fee_sats = fee_sats.saturating_add(view.common.fee_sats);
        }
        legs.push(LegView {
            to_npub,
            via: Some(view.via),
            state,
            amount_sats: view.common.amount_sats,
            fee_sats: view.common.fee_sats,
            payment_id: Some(view.payment_id.clone()),
            error: view.common.error,
        });
        first = first.or(Some(view));
    }
    let mut view =
        first.ok_or_else(|| Error::new(Code::NotFound, "No payment of this agent has that id."))?;
    view.state = match (is_pending, has_failed) {
        (true, _) => ZapState::Pending,
        (false, true) => ZapState::Partial,
        (false, false) => ZapState::Settled,
    };
    let common = &mut view.common;
    common.is_final = !is_pending && !has_failed;
    (common.amount_sats, common.fee_sats) = (amount_sats, fee_sats);
    common.total_sats = amount_sats.saturating_add(fee_sats);
    if has_failed && !is_pending {
        common.next_step = Some(format!(
            "Some parts failed; no money moved for those. Make the same call with idempotency_key {} to retry only those.",
            shared.id
        ));
    }
    view.payment_id = shared.id.to_string();
    (view.to_npub, view.delivered_to, view.legs) = (None, None, legs);
    (view.proof.payment_hash, view.proof.preimage, view.proof.proof) = (None, None, None);
    Ok(view)
}
