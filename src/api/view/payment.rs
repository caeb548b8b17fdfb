//! What became of a payment, a token handed out, a zap, or a received token.

use schemars::JsonSchema;
use serde::Serialize;

use super::outcome::shared_zap;
use super::relays::DeliveredView;
use super::{MoneyWord, rfc3339};
use crate::api::{Error, explain, words};
use crate::model::history_line::EntryState;
use crate::model::receive::{Receive, ReceiveState};
use crate::wallet::door::record::{Outcome, ReceiveRecord, Replay};

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

pub(super) fn replayed(replay: Replay) -> Option<bool> {
    match replay {
        Replay::Yes => Some(true),
        Replay::No => Some(false),
        Replay::Asked => None,
    }
}
