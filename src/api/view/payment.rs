//! The outcomes of payments, sent tokens, zaps and received tokens.

use schemars::JsonSchema;
use serde::Serialize;

use super::outcome::shared_zap;
use super::relays::DeliveredView;
use super::rfc3339;
use crate::api::{Error, explain, words};
use crate::model::receive::{Receive, ReceiveState};
use crate::wallet::door::record::{Outcome, ReceiveRecord, Replay};

view!(
    /// The fields of every outcome.
    Common {
        /// True if nothing more can happen to it.
        #[schemars(extend("shown" = true))]
        #[serde(rename = "final")]
        is_final: bool,
        /// The kind of money.
        money: words::Money,
        /// The amount without fees, in sats.
        amount_sats: u64,
        /// The fees; while pending, the most they can be.
        #[schemars(extend("shown" = true))]
        fee_sats: u64,
        /// Amount plus fees, in sats.
        total_sats: u64,
        /// The mint's URL.
        mint: String,
        /// True if this is the recorded outcome of an earlier call.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        replayed: Option<bool>,
        /// The time since which it is pending, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// The reason that it is pending.
        #[serde(skip_serializing_if = "Option::is_none")]
        pending_reason: Option<words::PendingReason>,
        /// The error code, if it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
        /// The mint's own reason for the failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_reason: Option<String>,
        /// The wallet's spendable sats after the call.
        #[serde(skip_serializing_if = "Option::is_none")]
        balance_sats: Option<u64>,
        /// The sats left of the 24-hour limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        left_24h_sats: Option<u64>,
        /// A warning, for example that the money is play money.
        #[serde(skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
        /// The next step.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    }
);

view!(
    /// The fields of every Lightning payment.
    Proof {
        /// The invoice's payment hash.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_hash: Option<String>,
        /// The proof of payment: its SHA-256 is payment_hash.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        preimage: Option<String>,
        /// The kind of proof. mint_word: only the mint confirms the payment.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        proof: Option<words::Proof>,
        /// True if the payee's server got the comment. Absent without a comment or a server.
        #[serde(skip_serializing_if = "Option::is_none")]
        comment_sent: Option<bool>,
    }
);

view!(
    /// The outcome of a Lightning payment.
    PaymentView {
        /// The id of the payment.
        payment_id: String,
        /// The kind of outcome.
        kind: words::PaymentKind,
        /// The state. pending: it may still go through; failed: nothing was paid.
        #[schemars(extend("shown" = true))]
        state: words::PaymentState,
        /// The fields of every outcome.
        #[serde(flatten)]
        common: Common,
        /// The proof of payment.
        #[serde(flatten)]
        proof: Proof,
    }
);

view!(
    /// The outcome of a token that this wallet made.
    TokenView {
        /// The id of the payment.
        payment_id: String,
        /// The kind of outcome.
        kind: words::TokenKind,
        /// The state. settled: made, see claimed; returned: taken back; failed: not made.
        #[schemars(extend("shown" = true))]
        state: words::TokenState,
        /// The fields of every outcome.
        #[serde(flatten)]
        common: Common,
        /// The token, while unclaimed and only for its own agent. It is cash.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// The token as a QR code in text.
        #[serde(skip_serializing_if = "Option::is_none")]
        qr_text: Option<String>,
        /// True if someone has claimed it.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        claimed: Option<bool>,
        /// True if reclaim_token can take it back now.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        reclaimable: Option<bool>,
        /// The sats that came back when it was taken back.
        #[serde(skip_serializing_if = "Option::is_none")]
        reclaimed_sats: Option<u64>,
    }
);

view!(
    /// The outcome of a zap.
    ZapView {
        /// The id of the zap.
        payment_id: String,
        /// The kind of outcome.
        kind: words::ZapKind,
        /// The state. pending: it may still go through; partial: see legs.
        #[schemars(extend("shown" = true))]
        state: words::ZapState,
        /// The fields of every outcome.
        #[serde(flatten)]
        common: Common,
        /// The proof of payment, if it went over Lightning.
        #[serde(flatten)]
        proof: Proof,
        /// The rail that was used.
        via: words::Rail,
        /// The recipient.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_npub: Option<String>,
        /// The id of the zapped event.
        #[serde(skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
        /// The public receipt of the zap; whether it was paid is in state.
        #[schemars(extend("shown" = true))]
        receipt: words::Receipt,
        /// The recipient's relays that have the nutzap; at 0 they cannot see it yet.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        delivered_to: Option<DeliveredView>,
        /// The nutzap's coins as a token for the recipient, if its event reached nobody.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// True if the recipient has claimed the nutzap.
        #[serde(skip_serializing_if = "Option::is_none")]
        claimed: Option<bool>,
        /// The parts of a zap that the event splits among several recipients.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        legs: Vec<LegView>,
    }
);

view!(
    /// One part of a split zap.
    LegView {
        /// The recipient.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_npub: Option<String>,
        /// The rail that was used.
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<words::Rail>,
        /// The state of this part.
        state: words::PaymentState,
        /// The sats for this recipient.
        amount_sats: u64,
        /// The fees, in sats; while pending, the most they can be.
        fee_sats: u64,
        /// The id of this part.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// The error code, if it failed; nothing of it moved.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
    }
);

view!(
    /// The outcome of a received token.
    ReceiveView {
        /// The id of the received token.
        receive_id: String,
        /// The kind of outcome.
        kind: words::ReceiveKind,
        /// The state.
        state: words::ReceiveState,
        /// The fields of every outcome.
        #[serde(flatten)]
        common: Common,
        /// The sats that arrived, after the mint's fee.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        received_sats: Option<u64>,
        /// The memo in the token.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_memo: Option<String>,
    }
);

/// The outcome of a payment, a token or a zap.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OutcomeView {
    /// A Lightning payment.
    Payment(PaymentView),
    /// A token that this wallet made.
    Token(TokenView),
    /// A zap.
    Zap(Box<ZapView>),
    /// A received token.
    Received(ReceiveView),
}

impl OutcomeView {
    /// Creates the view of an outcome.
    ///
    /// # Errors
    /// `not_found`, if no part of a split zap is recorded.
    pub fn new(outcome: Outcome) -> Result<Self, Error> {
        Ok(match outcome {
            Outcome::Payment(record) => Self::from(*record),
            Outcome::Shared(shared) => Self::Zap(Box::new(shared_zap(shared)?)),
            Outcome::Received(record) => Self::Received((*record).into()),
        })
    }
}

impl From<ReceiveRecord> for ReceiveView {
    fn from(record: ReceiveRecord) -> Self {
        let ReceiveRecord { receive, replay } = record;
        let (kind, state) =
            (words::ReceiveKind::from(&receive), words::ReceiveState::from(&receive.state));
        let mut common = Common {
            is_final: state != words::ReceiveState::Pending,
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
                common.pending_reason = Some(words::PendingReason::OutcomeUnknown);
                common.since = rfc3339(created_at);
                let next = if receive.state == ReceiveState::Open {
                    "The token is saved and will be redeemed; call get_payment with this receive_id later."
                } else {
                    "The owner has given it up: its mint does not say whether the token was redeemed, and is no longer asked."
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
        Self {
            receive_id: id.to_string(),
            kind,
            state,
            common,
            received_sats: received,
            untrusted_memo,
        }
    }
}

pub(super) fn replayed(replay: Replay) -> Option<bool> {
    match replay {
        Replay::Yes => Some(true),
        Replay::No => Some(false),
        Replay::Asked => None,
    }
}
