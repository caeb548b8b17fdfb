//! What became of a payment, a token handed out, a zap, or a received token.

use schemars::JsonSchema;
use serde::Serialize;

use super::relays::DeliveredView;
use super::{MoneyWord, rfc3339};
use crate::api::code::Code;
use crate::api::{Error, explain, words};
use crate::model::line::EntryState;
use crate::model::mint::MoneyKind;
use crate::model::payment::{Payment, PaymentKind, PaymentState, Receipt, Zap};
use crate::model::receive::{Receive, ReceiveState};
use crate::wallet::record::{Outcome, PaymentRecord, ReceiveRecord, Replay, Share, SharedZap};

const PLAY: &str = "Play money: the payee received nothing of value.";

const UNNAMED: &str = "The payee's server gave an invoice that does not say what it is for; its preimage proves the payment alone.";

view!(
    /// What every outcome has.
    Common {
        /// payment, token_sent, token_received, zap or nutzap_received.
        kind: &'static str,
        /// settled, pending, failed, returned; for a received token received, pending, failed.
        state: &'static str,
        /// No more can happen to it.
        #[serde(rename = "final")]
        is_final: bool,
        /// Kind of money.
        money: MoneyWord,
        /// What the payee gets; while pending, part of what is held back.
        amount_sats: u64,
        /// Fees; while pending, the most they can be.
        fee_sats: u64,
        /// Amount and fees.
        total_sats: u64,
        /// The mint.
        mint: String,
        /// This is the recorded outcome of an earlier call.
        #[serde(skip_serializing_if = "Option::is_none")]
        replayed: Option<bool>,
        /// Since when it is pending, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// payee_holds, mint_silent or outcome_unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        pending_reason: Option<&'static str>,
        /// The code it failed with.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
        /// What the mint said when it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_reason: Option<String>,
        /// Spendable now.
        #[serde(skip_serializing_if = "Option::is_none")]
        balance_sats: Option<u64>,
        /// Left of the day's limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        left_24h_sats: Option<u64>,
        /// Said when something is not as it seems.
        #[serde(skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
        /// What to do next.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    }
);

view!(
    /// What a payment over Lightning has beside.
    Proof {
        /// The invoice's payment hash.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_hash: Option<String>,
        /// The receipt: it hashes to payment_hash.
        #[serde(skip_serializing_if = "Option::is_none")]
        preimage: Option<String>,
        /// preimage, or mint_word: only the mint says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        proof: Option<&'static str>,
        /// The comment went to the payee's server with the request. Absent: there was none, or no
        /// server was asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        comment_sent: Option<bool>,
    }
);

view!(
    /// A Lightning invoice that was paid.
    PaymentView {
        /// Its name.
        payment_id: String,
        /// What every outcome has.
        #[serde(flatten)]
        common: Common,
        /// The receipt.
        #[serde(flatten)]
        proof: Proof,
    }
);

view!(
    /// A token that was handed out.
    TokenView {
        /// Its name.
        payment_id: String,
        /// What every outcome has.
        #[serde(flatten)]
        common: Common,
        /// The token, to its own agent while unclaimed. It is cash.
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// The token as a QR code drawn with text.
        #[serde(skip_serializing_if = "Option::is_none")]
        qr_text: Option<String>,
        /// Somebody has claimed the token.
        #[serde(skip_serializing_if = "Option::is_none")]
        claimed: Option<bool>,
        /// reclaim_token can take it back.
        #[serde(skip_serializing_if = "Option::is_none")]
        reclaimable: Option<bool>,
        /// What came back by taking a token of ours back.
        #[serde(skip_serializing_if = "Option::is_none")]
        reclaimed_sats: Option<u64>,
    }
);

view!(
    /// A zap.
    ZapView {
        /// Its name.
        payment_id: String,
        /// What every outcome has.
        #[serde(flatten)]
        common: Common,
        /// The receipt of the payment, of a zap over Lightning.
        #[serde(flatten)]
        proof: Proof,
        /// How it went: lightning or nutzap.
        via: &'static str,
        /// Who was zapped.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_npub: Option<String>,
        /// The event that was zapped.
        #[serde(skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
        /// Its public receipt: found, waiting, timeout, invalid or none. Not the payment itself.
        receipt: &'static str,
        /// How many of the recipient's relays have the nutzap: with none, they cannot see it yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        delivered_to: Option<DeliveredView>,
        /// The nutzap's coins as a token, where its event reaches nobody. It is cash.
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Somebody has claimed the nutzap.
        #[serde(skip_serializing_if = "Option::is_none")]
        claimed: Option<bool>,
        /// The parts of a zap that is shared among several.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        legs: Vec<LegView>,
    }
);

view!(
    /// One part of a zap that an event shares among several.
    LegView {
        /// Who got it.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_npub: Option<String>,
        /// lightning or nutzap.
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<&'static str>,
        /// settled, pending or failed.
        state: &'static str,
        /// What they got.
        amount_sats: u64,
        /// Fees; while pending, the most they can be.
        fee_sats: u64,
        /// Its own name.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// Why it failed; nothing of it moved.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
    }
);

view!(
    /// A received token.
    ReceiveView {
        /// Its name.
        receive_id: String,
        /// What every outcome has.
        #[serde(flatten)]
        common: Common,
        /// What came in.
        #[serde(skip_serializing_if = "Option::is_none")]
        received_sats: Option<u64>,
        /// Words inside the token.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_memo: Option<String>,
    }
);

/// What became of something.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OutcomeView {
    /// An invoice.
    Payment(PaymentView),
    /// A token of ours.
    Token(TokenView),
    /// A zap.
    Zap(Box<ZapView>),
    /// Somebody's token.
    Received(ReceiveView),
}

impl OutcomeView {
    /// What an agent is told of it.
    ///
    /// # Errors
    /// What every part of a shared zap failed with, where nothing of it is recorded.
    pub fn new(outcome: Outcome) -> Result<Self, Error> {
        Ok(match outcome {
            Outcome::Payment(record) => Self::from(*record),
            Outcome::Shared(shared) => Self::Zap(Box::new(shared_zap(shared)?)),
            Outcome::Received(record) => Self::Received((*record).into()),
        })
    }
}

impl From<PaymentRecord> for OutcomeView {
    fn from(record: PaymentRecord) -> Self {
        let common = common(&record);
        match &record.payment.kind {
            PaymentKind::Lightning(_) => Self::Payment(PaymentView {
                payment_id: record.payment.id.to_string(),
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
    let state = EntryState::from(&payment.state);
    let mut common = Common {
        kind: words::entry_kind(payment.kind.name().into()),
        state: words::entry_state(state),
        is_final: state != EntryState::Pending,
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
                Some("It is being taken back. Do not hand the token out; call get_payment with this payment_id later.".to_owned());
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
    if is_unnamed && state != EntryState::Failed {
        let words = common.warning.map(|words| format!("{words} {UNNAMED}"));
        common.warning = Some(words.unwrap_or_else(|| UNNAMED.to_owned()));
    }
    common.total_sats = common.amount_sats.saturating_add(common.fee_sats);
    common
}

fn replayed(replay: Replay) -> Option<bool> {
    match replay {
        Replay::Yes => Some(true),
        Replay::No => Some(false),
        Replay::Asked => None,
    }
}

fn open(common: &mut Common, record: &PaymentRecord) {
    let payment = &record.payment;
    let (since, reason) = match &payment.state {
        PaymentState::Sent { since, acknowledged: true } => (*since, "payee_holds"),
        PaymentState::Sent { since, acknowledged: false } if record.is_in_hand => {
            (*since, "mint_silent")
        }
        PaymentState::Sent { since, .. } | PaymentState::GivenUp { since, .. } => {
            (*since, "outcome_unknown")
        }
        PaymentState::Settled { at, .. } => (*at, "outcome_unknown"),
        _ => (payment.created_at, "mint_silent"),
    };
    common.state = words::entry_state(EntryState::Pending);
    (common.is_final, common.since, common.pending_reason) = (false, rfc3339(since), Some(reason));
    let next = if matches!(payment.state, PaymentState::GivenUp { .. }) {
        "The owner has given it up: its mint does not say whether it was paid, and is not asked any more. Pay nothing again for the \
         same purpose before the owner says so."
    } else {
        "It may still be paid, for minutes or days. Pay nothing again for the same purpose; call get_payment with this payment_id later."
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
        proof.proof = Some(if preimage.is_some() { "preimage" } else { "mint_word" });
        let preimage = preimage.as_ref().filter(|_| record.is_own);
        proof.preimage = preimage.map(|preimage| preimage.reveal().to_owned());
    }
    proof
}

fn token(record: PaymentRecord, common: Common) -> TokenView {
    let mut view = TokenView {
        payment_id: record.payment.id.to_string(),
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
        common,
        proof: proof(record),
        via: words::rail(&zap.rail),
        to_npub: record.to_npub.clone(),
        event_id: zap.event.as_ref().map(|event| event.id.clone()),
        receipt: words::receipt(zap.receipt()),
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
                "It is paid; only the public receipt is missing or wrong. Do not zap again."
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
            "None of the recipient's relays took the nutzap within a month, and it is not sent any more. Its coins are locked to the \
             recipient and do not come back: give them the token, which only they can use. Do not zap again.",
        )
    } else if is_nowhere {
        Some(
            "None of the recipient's relays has taken the nutzap yet: it is kept and sent again by itself. Do not zap again.",
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

/// A shared zap: its parts, and their sums.
fn shared_zap(shared: SharedZap) -> Result<ZapView, Error> {
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
                    state: words::entry_state(EntryState::Failed),
                    amount_sats: sats,
                    fee_sats: 0,
                    payment_id: error.payment_id.as_ref().map(ToString::to_string),
                    error: Some(error.code.as_str()),
                });
                continue;
            }
        };
        let state = EntryState::from(&record.payment.state);
        let PaymentKind::Zap(of) = record.payment.kind.clone() else { continue };
        let common = common(&record);
        let view = zap(&record, &of, common);
        is_pending |= state == EntryState::Pending;
        if state == EntryState::Failed {
            has_failed = true;
        } else {
            amount_sats = amount_sats.saturating_add(view.common.amount_sats);
            fee_sats = fee_sats.saturating_add(view.common.fee_sats);
        }
        legs.push(LegView {
            to_npub,
            via: Some(view.via),
            state: words::entry_state(state),
            amount_sats: view.common.amount_sats,
            fee_sats: view.common.fee_sats,
            payment_id: Some(view.payment_id.clone()),
            error: view.common.error,
        });
        first = first.or(Some(view));
    }
    let mut view =
        first.ok_or_else(|| Error::new(Code::NotFound, "No payment of this agent has that id."))?;
    let common = &mut view.common;
    common.state = match (is_pending, has_failed) {
        (true, _) => words::entry_state(EntryState::Pending),
        (false, true) => words::PARTIAL,
        (false, false) => words::entry_state(EntryState::Settled),
    };
    common.is_final = !is_pending && !has_failed;
    (common.amount_sats, common.fee_sats) = (amount_sats, fee_sats);
    common.total_sats = amount_sats.saturating_add(fee_sats);
    if has_failed && !is_pending {
        common.next_step = Some(format!(
            "Some parts failed and nothing of them moved. Make the same call with idempotency_key {} to try only those again.",
            shared.id
        ));
    }
    view.payment_id = shared.id.to_string();
    (view.to_npub, view.delivered_to, view.legs) = (None, None, legs);
    (view.proof.payment_hash, view.proof.preimage, view.proof.proof) = (None, None, None);
    Ok(view)
}

impl From<ReceiveRecord> for ReceiveView {
    fn from(record: ReceiveRecord) -> Self {
        let ReceiveRecord { receive, replay } = record;
        let state = EntryState::from(&receive.state);
        let mut common = Common {
            kind: words::entry_kind((&receive).into()),
            state: words::entry_state(state),
            is_final: state != EntryState::Pending,
            money: receive.money.into(),
            amount_sats: receive.amount_sats,
            fee_sats: 0,
            total_sats: receive.amount_sats,
            mint: receive.mint.to_string(),
            replayed: replayed(replay),
            since: None,
            pending_reason: None,
            error: None,
            untrusted_reason: None,
            balance_sats: None,
            left_24h_sats: None,
            warning: None,
            next_step: None,
        };
        let Receive { id, untrusted_memo, created_at, .. } = receive;
        let mut received = None;
        match receive.state {
            ReceiveState::Open | ReceiveState::GivenUp { .. } => {
                common.pending_reason = Some("outcome_unknown");
                common.since = rfc3339(created_at);
                let next = if receive.state == ReceiveState::Open {
                    "The token is kept and will be taken in; call get_payment with this receive_id later."
                } else {
                    "The owner has given it up: its mint does not say whether the token was taken in, and is not asked any more."
                };
                common.next_step = Some(next.to_owned());
            }
            ReceiveState::Received { received_sats, fee_sats, .. } => {
                (received, common.fee_sats) = (Some(received_sats), fee_sats);
            }
            ReceiveState::Refused { failure, .. } => {
                common.error = Some(explain::stored_code(failure.reason).as_str());
                common.untrusted_reason = failure.untrusted_reason;
            }
        }
        Self { receive_id: id.to_string(), common, received_sats: received, untrusted_memo }
    }
}
