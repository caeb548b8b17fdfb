//! What the verbs answer: one struct per tool, as the tools' results. Absent means empty or zero.
//!
//! Every string that an outsider chose is in a field named `untrusted_*`, cleaned.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::model::mint::MoneyKind;

/// `play` or `real`, on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MoneyWord {
    /// Play money.
    Play,
    /// Real money.
    Real,
}

impl From<MoneyKind> for MoneyWord {
    fn from(kind: MoneyKind) -> Self {
        match kind {
            MoneyKind::Play => Self::Play,
            MoneyKind::Real => Self::Real,
        }
    }
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

view!(
    /// Coins at one mint.
    MintBalance {
        /// The mint.
        mint: String,
        /// What the mint calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_name: Option<String>,
        /// Can be spent now.
        spendable_sats: u64,
        /// Held by undecided payments.
        pending_sats: u64,
    }
);

view!(
    /// Coins that are kept but never counted or spent: play money of a real wallet, other units,
    /// mints no longer listed.
    SetAside {
        /// The mint.
        mint: String,
        /// The unit.
        unit: String,
        /// How many.
        amount: u64,
    }
);

view!(
    /// The owner's limits and what is left of them.
    LimitsView {
        /// The most one payment may be.
        per_payment_sats: u64,
        /// The most that may leave in a rolling day.
        per_day_sats: u64,
        /// Above this a person must approve. Absent: no approvals are set up.
        #[serde(skip_serializing_if = "Option::is_none")]
        approval_above_sats: Option<u64>,
        /// Spent and held back in the last 24 h.
        spent_24h_sats: u64,
        /// Left for now.
        left_24h_sats: u64,
        /// What the limits hold for.
        scope: &'static str,
    }
);

view!(
    /// What the wallet holds.
    Balance {
        /// Kind of money.
        money: MoneyWord,
        /// Can be spent now.
        spendable_sats: u64,
        /// The largest payment that would be admitted now.
        max_payment_sats: u64,
        /// Held by undecided payments.
        pending_sats: u64,
        /// Tokens handed out and not claimed.
        unclaimed_sats: u64,
        /// Coins that another program of this wallet has perhaps handed out as a token: not part of
        /// spendable_sats, and spent only when nothing else is left.
        #[serde(skip_serializing_if = "Option::is_none")]
        perhaps_handed_out_sats: Option<u64>,
        /// Paid to us and not yet claimed by us.
        incoming_sats: u64,
        /// Per mint.
        mints: Vec<MintBalance>,
        /// Kept, never counted.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        set_aside: Vec<SetAside>,
        /// The owner's limits.
        limits: LimitsView,
        /// The wallet on Nostr relays. Absent: Nostr is off.
        #[serde(skip_serializing_if = "Option::is_none")]
        nostr: Option<NostrView>,
        /// Where the keys lie: keyring or file. Absent until there are keys.
        #[serde(skip_serializing_if = "Option::is_none")]
        keys: Option<&'static str>,
        /// When the owner last changed a rule, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy_changed_at: Option<String>,
        /// The agent this session belongs to.
        agent: String,
        /// Said when money is play money, or when spending is stopped and why.
        #[serde(skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    }
);

view!(
    /// A deposit.
    DepositView {
        /// Its name.
        deposit_id: String,
        /// unpaid, paid, received or expired.
        state: &'static str,
        /// Kind of money.
        money: MoneyWord,
        /// The invoice; absent once it is of no use.
        #[serde(skip_serializing_if = "Option::is_none")]
        bolt11: Option<String>,
        /// The invoice as a link.
        #[serde(skip_serializing_if = "Option::is_none")]
        lightning_uri: Option<String>,
        /// Sats asked for.
        amount_sats: u64,
        /// Sats that arrived.
        #[serde(skip_serializing_if = "Option::is_none")]
        received_sats: Option<u64>,
        /// The mint.
        mint: String,
        /// When the invoice runs out, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// The invoice as a QR code drawn with text.
        #[serde(skip_serializing_if = "Option::is_none")]
        qr_text: Option<String>,
        /// What to do next.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    }
);

view!(
    /// What a payment would cost.
    EstimateView {
        /// bolt11, bolt12, lightning_address, lnurl, payment_request, npub, token, onchain or
        /// unknown.
        kind: &'static str,
        /// Kind of money.
        money: MoneyWord,
        /// What the payee would get.
        #[serde(skip_serializing_if = "Option::is_none")]
        amount_sats: Option<u64>,
        /// The least the payee's server takes.
        #[serde(skip_serializing_if = "Option::is_none")]
        min_sats: Option<u64>,
        /// The most it takes.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_sats: Option<u64>,
        /// The most the fees could be.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_fee_sats: Option<u64>,
        /// Amount and fees together, at most.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_total_sats: Option<u64>,
        /// The mint that would pay.
        #[serde(skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// The payee's key or address, as it calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_payee: Option<String>,
        /// The invoice's payment hash.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_hash: Option<String>,
        /// When the invoice runs out, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// The invoice has run out.
        #[serde(skip_serializing_if = "Option::is_none")]
        expired: Option<bool>,
        /// The invoice's description, or what the payee's server says of itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_description: Option<String>,
        /// allowed, needs_approval or denied.
        verdict: &'static str,
        /// The error that pay would give.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
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
        error: Option<String>,
    }
);

view!(
    /// A payment, a token handed out, or a received token: what became of it.
    PaymentView {
        /// Its name. Absent for a received token.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// A received token's name.
        #[serde(skip_serializing_if = "Option::is_none")]
        receive_id: Option<String>,
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
        /// How a zap went: lightning or nutzap.
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<&'static str>,
        /// Who was zapped.
        #[serde(skip_serializing_if = "Option::is_none")]
        to_npub: Option<String>,
        /// The event that was zapped.
        #[serde(skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
        /// A zap's public receipt: found, waiting, timeout, invalid or none. Not the payment
        /// itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        receipt: Option<&'static str>,
        /// How many of the recipient's relays have the nutzap: with none, they cannot see it yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        delivered_to: Option<DeliveredView>,
        /// The parts of a zap that is shared among several.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        legs: Vec<LegView>,
        /// This is the recorded outcome of an earlier call.
        #[serde(skip_serializing_if = "Option::is_none")]
        replayed: Option<bool>,
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
        /// What came back, or came in.
        #[serde(skip_serializing_if = "Option::is_none")]
        received_sats: Option<u64>,
        /// What came back by taking a token of ours back.
        #[serde(skip_serializing_if = "Option::is_none")]
        reclaimed_sats: Option<u64>,
        /// Words inside a received token.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_memo: Option<String>,
        /// Since when it is pending, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// payee_holds, mint_silent or outcome_unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        pending_reason: Option<&'static str>,
        /// The code it failed with.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
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

mod doctor;
mod lists;
mod relays;

pub use doctor::{Finding, RelayStanding, RelaysReport};
pub use lists::{
    Entry, Group, HistoryView, MintView, MintsView, OpenEntry, OpenView, Range, Totals,
};
pub use relays::{DeliveredView, NostrView, RelayView, SyncView};

/// A view as JSON, for every edge alike.
pub fn to_json(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or(Value::Null)
}
