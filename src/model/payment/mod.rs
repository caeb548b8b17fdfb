//! A payment of ours: value that has left the wallet, or is about to leave.
//!
//! ```text
//!            admit            request leaves          mint says paid
//!  (none) ---------> Reserved ---------------> Sent -----------------> Settled ----> Returned
//!                       |                        |                        (token taken back)
//!                       | never sent             | a definite no
//!                       +-----------> Failed <---+
//! ```
//! Only the mint's answer, or the fact that nothing was sent, decides a payment; silence and the
//! clock never do. The owner may stop asking the mint (`GivenUp`) and start again (`Sent`); in
//! between, the outcome is unknown. A failed payment may be tried again under its id:
//! `Failed -> Reserved`, and `attempt` counts up.

mod row;

use serde::{Deserialize, Serialize};

use super::id::PaymentId;
use super::mint::{MintAddress, MoneyKind};
use super::secret::Secret;

/// Name of a payment kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindName {
    /// A Lightning invoice that is melted at a mint (NUT-05).
    Payment,
    /// A token for someone else (NUT-00).
    TokenSent,
    /// A zap: over Lightning (NIP-57) or as locked proofs (NIP-61).
    Zap,
}

/// Stored reason why a payment or a received token failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The mint found no route to the payee, or the proofs came back.
    RouteNotFound,
    /// The mint gave a definite refusal.
    MintRefused,
    /// The mint did not answer, and nothing can have left.
    MintUnreachable,
    /// The amount is outside the mint's range, or its fee is as high as the amount.
    AmountOutOfRange,
    /// No mint pays an invoice without an amount.
    PayeeUnsupported,
    /// The mint does not recognize the proofs.
    TokenInvalid,
    /// The proofs are already spent.
    TokenSpent,
    /// The owner's cap at the mint would be exceeded.
    OverBalanceLimit,
    /// The rate limit for the mint is reached, ours or its own.
    TooManyRequests,
    /// The mint's address is not allowed.
    AddressRefused,
    /// The owner's settings could not be used.
    SettingsInvalid,
    /// The wallet's file could not be written.
    StorageFailed,
    /// The wallet's file is damaged.
    WalletDamaged,
    /// The wallet was stopping.
    OutcomeUnknown,
    /// A bug in this wallet.
    Internal,
    /// A reason from a newer program.
    #[serde(other)]
    Unknown,
}

/// A failure as stored with a payment or a received token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFailure {
    /// The reason.
    #[serde(rename = "code")]
    pub reason: FailureReason,
    /// Untrusted text with the reason, cleaned. `None` if the wallet itself refused.
    pub untrusted_reason: Option<String>,
}

/// Facts about an invoice that the payee's server made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// `true` if the caller's comment went to the server. `None` if there was none.
    pub comment_sent: Option<bool>,
    /// `true` if the invoice's description hash commits to what was requested.
    pub description_hash_ok: bool,
}

/// State of a zap's public receipt; says nothing about the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// None is expected: a nutzap, or a server that publishes no receipts.
    None,
    /// Not seen yet.
    Waiting,
    /// Seen and valid.
    Found,
    /// Not seen in time.
    Timeout,
    /// Seen, but invalid.
    Invalid,
}

/// An invoice that is melted (NUT-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Melted {
    /// The invoice's payment hash, lower-case hex.
    pub payment_hash: String,
    /// The id of the mint's melt quote.
    pub quote_id: String,
    /// Facts about fetching the invoice. `None` if the caller gave it.
    pub fetched: Option<Fetched>,
}

/// A zap request (NIP-57) that was sent to the payee's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZapRequest {
    /// The signed request, byte for byte as it was sent.
    pub json: String,
    /// The public key that must sign the receipt, hex.
    pub receipt_key: String,
}

/// The rail of a zap; decided before money moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rail {
    /// An invoice from the recipient's server (NIP-57).
    Lightning {
        /// The invoice.
        melted: Melted,
        /// The zap request. `None`: the server supports no zaps, so this is a plain payment.
        request: Option<ZapRequest>,
        /// The state of the receipt.
        receipt: Receipt,
    },
    /// Proofs locked to the recipient's key (NIP-61).
    Nutzap {
        /// The mint as the recipient's list writes it.
        mint_as_listed: String,
        /// The id of the nutzap event. `None` until it is made.
        event: Option<String>,
        /// The key of an anonymous nutzap, kept until the event is signed, because the proofs name
        /// it from the start.
        signer: Option<Secret>,
    },
}

/// The event that is zapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZappedEvent {
    /// The event's id, hex.
    pub id: String,
    /// A relay that has it, if known.
    pub relay: Option<String>,
    /// The event's kind, if known.
    pub kind: Option<u16>,
    /// The event's coordinate, if it is replaceable.
    pub coordinate: Option<String>,
}

/// The zap data of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zap {
    /// The recipient's Nostr key, hex. `None`: a Lightning address that is not a Nostr address.
    pub recipient: Option<String>,
    /// The zapped event. `None` if a person is zapped.
    pub event: Option<ZappedEvent>,
    /// Our comment; empty if there is none.
    pub comment: String,
    /// `true` if it is signed with a throwaway key.
    pub anonymous: bool,
    /// Relays for the receipt, or for the nutzap in addition to our own.
    pub relays: Vec<String>,
    /// The rail.
    pub rail: Rail,
}

/// Kind of a payment, with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentKind {
    /// A Lightning invoice.
    Lightning(Melted),
    /// A token for someone else.
    Token,
    /// A zap.
    Zap(Box<Zap>),
}

/// State of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PaymentState {
    /// The intent is durable; nothing was sent.
    Reserved,
    /// The request may have been sent; the mint has not reported the outcome.
    Sent {
        /// Unix seconds at which the request was sent.
        since: u64,
        /// `true` once the mint has answered that the payment is in progress.
        acknowledged: bool,
    },
    /// The invoice is paid, or the token is made.
    Settled {
        /// Unix seconds.
        at: u64,
        /// The cost beyond the amount, in sats.
        fee_sats: u64,
        /// The preimage. `None` for tokens, or if the mint gave none that hashes to the payment
        /// hash.
        preimage: Option<Secret>,
        /// `true` once someone claimed the token, whose proofs are then spent. Always `false` for
        /// Lightning.
        claimed: bool,
    },
    /// The owner stopped asking the mint: the outcome is unknown, and the proofs are archived.
    GivenUp {
        /// Unix seconds.
        at: u64,
        /// Unix seconds at which the request was sent; the amount counts as spent from then on.
        since: u64,
    },
    /// Nothing moved, or all of it came back.
    Failed {
        /// Unix seconds.
        at: u64,
        /// The cause.
        failure: StoredFailure,
    },
    /// A token of ours that a swap reclaimed.
    Returned {
        /// Unix seconds.
        at: u64,
        /// Sats that came back.
        reclaimed_sats: u64,
        /// The cost of making and reclaiming it, in sats.
        fee_sats: u64,
    },
}

/// One payment, as the journal stores it. Amounts are sats, times are Unix seconds. Only
/// `wallet::door` creates one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "row::Row", into = "row::Row")]
pub struct Payment {
    /// The payment's id.
    pub id: PaymentId,
    /// The agent that requested it.
    pub agent: String,
    /// The kind, with its data.
    pub kind: PaymentKind,
    /// The caller's idempotency key, unique per agent. `None` if it gave none.
    pub key: Option<String>,
    /// Digest of the request, to tell a repeat from another request under the same key.
    pub request_digest: String,
    /// The payee for the detection of duplicates: the node key, the server's address, or the
    /// token's lock and memo.
    pub payee: String,
    /// The payee as the caller gave it, when that is an address or key. `None` for invoices.
    pub shown_payee: Option<String>,
    /// An invoice's description or our memo, cleaned. `None` if there is none.
    pub note: Option<String>,
    /// `true` if the note is untrusted text.
    pub note_is_untrusted: bool,
    /// The mint that pays.
    pub mint: MintAddress,
    /// The kind of the wallet's money at that time; a wallet that becomes real keeps its play
    /// records separate.
    pub money: MoneyKind,
    /// Sats that the payee receives.
    pub amount_sats: u64,
    /// The maximum total cost in sats: amount, fee reserve and input fees. Counts against the
    /// limits while open.
    pub reserved_sats: u64,
    /// The time of the first admission.
    pub created_at: u64,
    /// Number of attempts, from 1.
    pub attempt: u32,
    /// The payment that this one repeats on purpose.
    pub repeat_of: Option<PaymentId>,
    /// `true` if the caller may not know that it paid: it was told `pending`, or was gone by then.
    pub outcome_undelivered: bool,
    /// The current state.
    pub state: PaymentState,
}

impl Payment {
    /// Returns the melted invoice. `None` if ecash leaves.
    pub fn melted(&self) -> Option<&Melted> {
        match &self.kind {
            PaymentKind::Lightning(melted) => Some(melted),
            PaymentKind::Zap(zap) => zap.melted(),
            PaymentKind::Token => None,
        }
    }

    /// Returns the invoice's payment hash, lower-case hex. `None` if ecash leaves.
    pub fn payment_hash(&self) -> Option<&str> {
        self.melted().map(|melted| melted.payment_hash.as_str())
    }

    /// Returns the zap data. `None` if it is not a zap.
    pub fn zap(&self) -> Option<&Zap> {
        if let PaymentKind::Zap(zap) = &self.kind { Some(zap) } else { None }
    }

    /// Returns the zap data, to be changed.
    pub fn zap_mut(&mut self) -> Option<&mut Zap> {
        if let PaymentKind::Zap(zap) = &mut self.kind { Some(zap) } else { None }
    }

    /// Returns whether ecash leaves, as a token or a nutzap.
    pub fn is_ecash(&self) -> bool {
        self.melted().is_none()
    }

    /// Returns whether value may still move, so that the mint is asked.
    pub fn is_open(&self) -> bool {
        matches!(self.state, PaymentState::Reserved | PaymentState::Sent { .. })
    }

    /// Returns when the money left or was held back, in Unix seconds. For a retried payment this is
    /// the time of the attempt that left.
    pub fn left_at(&self) -> u64 {
        match self.state {
            PaymentState::Sent { since, .. } | PaymentState::GivenUp { since, .. } => since,
            PaymentState::Settled { at, .. } | PaymentState::Returned { at, .. } => at,
            PaymentState::Reserved | PaymentState::Failed { .. } => self.created_at,
        }
    }

    /// Returns (Unix seconds, sats) that count against the limits: all reserved sats while open
    /// (`u64::MAX`) or given up, then the actual cost. `None` if nothing left.
    pub fn outflow(&self) -> Option<(u64, u64)> {
        match &self.state {
            PaymentState::Reserved | PaymentState::Sent { .. } => {
                Some((u64::MAX, self.reserved_sats))
            }
            PaymentState::GivenUp { since, .. } => Some((*since, self.reserved_sats)),
            PaymentState::Settled { at, fee_sats, .. } => {
                Some((*at, self.amount_sats.saturating_add(*fee_sats)))
            }
            PaymentState::Returned { at, fee_sats, .. } => {
                Some((*at, self.amount_sats.saturating_add(*fee_sats)))
            }
            PaymentState::Failed { .. } => None,
        }
    }
}

impl PaymentKind {
    /// Returns the name of the kind.
    pub fn name(&self) -> KindName {
        match self {
            Self::Lightning(_) => KindName::Payment,
            Self::Token => KindName::TokenSent,
            Self::Zap(_) => KindName::Zap,
        }
    }
}

impl Zap {
    /// Returns the melted invoice. `None` for a nutzap.
    pub fn melted(&self) -> Option<&Melted> {
        if let Rail::Lightning { melted, .. } = &self.rail { Some(melted) } else { None }
    }

    /// Returns the nutzap event's id. `None` if it is not a nutzap, or not made yet.
    pub fn nutzap(&self) -> Option<&str> {
        if let Rail::Nutzap { event, .. } = &self.rail { event.as_deref() } else { None }
    }

    /// Returns the state of the receipt.
    pub fn receipt(&self) -> Receipt {
        if let Rail::Lightning { receipt, .. } = self.rail { receipt } else { Receipt::None }
    }
}
