//! A payment of ours: value that left, or is about to leave, through the one door.
//!
//! ```text
//!            admit            request leaves          mint says paid
//!  (none) ---------> Reserved ---------------> Sent -----------------> Settled ----> Returned
//!                       |                        |                        (token taken back)
//!                       | never sent             | a definite no
//!                       +-----------> Failed <---+
//! ```
//! Only what a mint says, or what never left this process, decides; never silence, never the clock.
//! The owner may stop waiting for that word (`GivenUp`) and begin again (`Sent`): what became of
//! the payment is not known meanwhile.
//! `Failed` may be tried again under the same id (`attempt` counts): `Failed -> Reserved`.

mod row;

use serde::{Deserialize, Serialize};

use super::id::PaymentId;
use super::mint::{MintAddress, MoneyKind};
use super::secret::Secret;

/// The kinds of payments by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindName {
    /// A Lightning invoice melted at a mint (NUT-05).
    Payment,
    /// A token handed out (NUT-00).
    TokenSent,
    /// A zap: over Lightning (NIP-57), or as locked coins (NIP-61).
    Zap,
}

/// Why a payment, or a received token, failed for good: what is kept of the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The mint found no way to the payee, or the coins came back.
    RouteNotFound,
    /// The mint gave a definite no.
    MintRefused,
    /// The mint did not answer, and nothing can have left.
    MintUnreachable,
    /// The amount is outside what the mint handles, or its fee is as much.
    AmountOutOfRange,
    /// No mint pays an invoice without an amount.
    PayeeUnsupported,
    /// The mint does not know the coins.
    TokenInvalid,
    /// The coins are spent.
    TokenSpent,
    /// The owner's cap at the mint would have been passed.
    OverBalanceLimit,
    /// The mint has had too many requests.
    TooManyRequests,
    /// The mint's address is not allowed.
    AddressRefused,
    /// The owner's settings could not be used.
    SettingsInvalid,
    /// The wallet's file could not be written.
    StorageFailed,
    /// The wallet's file is damaged.
    WalletDamaged,
    /// The wallet was being stopped.
    OutcomeUnknown,
    /// A mistake of ours.
    Internal,
    /// A reason that this program does not know: a newer one wrote it.
    #[serde(other)]
    Unknown,
}

/// A failure as it is kept with a payment or a received token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFailure {
    /// Why.
    #[serde(rename = "code")]
    pub reason: FailureReason,
    /// A stranger's words, cleaned. `None`: we refused it ourselves.
    pub untrusted_reason: Option<String>,
}

/// How an invoice came from the payee's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The caller's comment went to the server. `None`: there was none.
    pub comment_sent: Option<bool>,
    /// The invoice names, by its hash, what it was asked for.
    pub description_hash_ok: bool,
}

/// What was seen of a zap's public receipt. Never the payment itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// There is to be none: a nutzap, or a payee whose server publishes none.
    None,
    /// Not seen yet.
    Waiting,
    /// Seen, and right.
    Found,
    /// Not seen in time.
    Timeout,
    /// One was seen that is not right.
    Invalid,
}

/// An invoice that is melted (NUT-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Melted {
    /// The invoice's payment hash, lower-case hex.
    pub payment_hash: String,
    /// The mint's melt quote.
    pub quote_id: String,
    /// What came of asking the payee's server for the invoice. `None`: the caller had the invoice.
    pub fetched: Option<Fetched>,
}

/// A zap request (NIP-57) that the payee's server was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZapRequest {
    /// The signed request, letter by letter as it was sent.
    pub json: String,
    /// The key that the receipt must be signed with, hex.
    pub receipt_key: String,
}

/// The way a zap goes. Decided before money moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rail {
    /// An invoice of the recipient's server (NIP-57).
    Lightning {
        /// The invoice.
        melted: Melted,
        /// `None`: the server takes no zaps, so it is a plain payment.
        request: Option<ZapRequest>,
        /// What was seen of the receipt.
        receipt: Receipt,
    },
    /// Coins locked to the recipient's key (NIP-61).
    Nutzap {
        /// The mint as the recipient's list writes it.
        mint_as_listed: String,
        /// The id of the event with the coins. `None`: it is not made yet.
        event: Option<String>,
        /// The key that an anonymous nutzap is signed with, until it is: its coins name it from the
        /// beginning.
        signer: Option<Secret>,
    },
}

/// The event that is zapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZappedEvent {
    /// Its id, hex.
    pub id: String,
    /// Where it is found.
    pub relay: Option<String>,
    /// Its kind.
    pub kind: Option<u16>,
    /// Its coordinate, where later ones replace it.
    pub coordinate: Option<String>,
}

/// What a zap is beside a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zap {
    /// The recipient's Nostr key, hex. `None`: a Lightning address that is no Nostr name.
    pub recipient: Option<String>,
    /// The event. `None`: the person is zapped.
    pub event: Option<ZappedEvent>,
    /// Our words for it. Empty: none.
    pub comment: String,
    /// Signed by a key that nobody knows.
    pub anonymous: bool,
    /// Where the receipt shall appear, or where the nutzap goes beside our own relays.
    pub relays: Vec<String>,
    /// The way it goes.
    pub rail: Rail,
}

/// How the value leaves, and what belongs to that way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentKind {
    /// An invoice.
    Lightning(Melted),
    /// A token.
    Token,
    /// A zap.
    Zap(Box<Zap>),
}

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PaymentState {
    /// The intent is durable; nothing has left.
    Reserved,
    /// The request may have left; the mint has not said what became of it.
    Sent {
        /// Unix seconds at which the request left.
        since: u64,
        /// The mint answered that the payment is under way.
        acknowledged: bool,
    },
    /// Paid, or the token is made.
    Settled {
        /// Unix seconds.
        at: u64,
        /// What it cost beside the amount, in sats.
        fee_sats: u64,
        /// `None` for tokens, and where the mint gave none that hashes to the payment hash.
        preimage: Option<Secret>,
        /// The token's proofs are spent: somebody claimed it. Always `false` for Lightning.
        claimed: bool,
    },
    /// The owner has stopped asking its mint: nobody knows what became of it, and its coins are put
    /// away.
    GivenUp {
        /// Unix seconds.
        at: u64,
        /// Unix seconds at which the request left. Its amount counts as spent from then on.
        since: u64,
    },
    /// Nothing moved, or all of it came back.
    Failed {
        /// Unix seconds.
        at: u64,
        /// Why.
        failure: StoredFailure,
    },
    /// A token of ours, taken back by a swap.
    Returned {
        /// Unix seconds.
        at: u64,
        /// What came back, in sats.
        reclaimed_sats: u64,
        /// What making and taking back cost, in sats.
        fee_sats: u64,
    },
}

/// One payment, as the journal keeps it. Amounts are sats, times are Unix seconds. Only the one
/// door makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "row::Row", into = "row::Row")]
pub struct Payment {
    /// Its name.
    pub id: PaymentId,
    /// The agent that caused it.
    pub agent: String,
    /// How the value leaves.
    pub kind: PaymentKind,
    /// The caller's idempotency key, if it gave one. Unique per agent.
    pub key: Option<String>,
    /// Digest of what was asked, to tell a repeat of a key from another request under it.
    pub request_digest: String,
    /// Whom it is for, as duplicates are judged: the payee's node key, its server's address, or the
    /// token's lock and memo.
    pub payee: String,
    /// The payee as the caller gave it, when that is an address or key. `None` for invoices.
    pub shown_payee: Option<String>,
    /// An invoice's description or our memo, cleaned. `None` when there is none.
    pub note: Option<String>,
    /// The note is a stranger's.
    pub note_is_untrusted: bool,
    /// Where the money is.
    pub mint: MintAddress,
    /// What the wallet's money was then: a wallet that has become real keeps its play records
    /// apart.
    pub money: MoneyKind,
    /// What the payee gets.
    pub amount_sats: u64,
    /// The most this can cost in all: amount, fee reserve and input fees. Held back from the limits
    /// while open.
    pub reserved_sats: u64,
    /// When it was first admitted.
    pub created_at: u64,
    /// How often it was tried, from 1.
    pub attempt: u32,
    /// The payment this one knowingly repeats.
    pub repeat_of: Option<PaymentId>,
    /// The caller was answered `pending`, or was gone when it ended: it may not know that it paid.
    pub outcome_undelivered: bool,
    /// Where it stands.
    pub state: PaymentState,
}

impl Payment {
    /// The invoice that is melted. `None`: coins leave.
    pub fn melted(&self) -> Option<&Melted> {
        match &self.kind {
            PaymentKind::Lightning(melted) => Some(melted),
            PaymentKind::Zap(zap) => zap.melted(),
            PaymentKind::Token => None,
        }
    }

    /// The invoice's payment hash, lower-case hex. `None`: coins leave.
    pub fn payment_hash(&self) -> Option<&str> {
        self.melted().map(|melted| melted.payment_hash.as_str())
    }

    /// What it is as a zap.
    pub fn zap(&self) -> Option<&Zap> {
        if let PaymentKind::Zap(zap) = &self.kind { Some(zap) } else { None }
    }

    /// The same, to be changed.
    pub fn zap_mut(&mut self) -> Option<&mut Zap> {
        if let PaymentKind::Zap(zap) = &mut self.kind { Some(zap) } else { None }
    }

    /// Coins leave locked to somebody else, as a token or a nutzap, not over Lightning.
    pub fn is_ecash(&self) -> bool {
        self.melted().is_none()
    }

    /// Value may still move, and its mint is asked.
    pub fn is_open(&self) -> bool {
        matches!(self.state, PaymentState::Reserved | PaymentState::Sent { .. })
    }

    /// When its money left or was held back, in Unix seconds: a payment that failed first is as old
    /// as the try that did not.
    pub fn left_at(&self) -> u64 {
        match self.state {
            PaymentState::Sent { since, .. } | PaymentState::GivenUp { since, .. } => since,
            PaymentState::Settled { at, .. } | PaymentState::Returned { at, .. } => at,
            PaymentState::Reserved | PaymentState::Failed { .. } => self.created_at,
        }
    }

    /// What counts against the limits, in sats, and from when: everything while open or unknown,
    /// then what it really cost. `None` when nothing left.
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
    /// Which it is, without its data.
    pub fn name(&self) -> KindName {
        match self {
            Self::Lightning(_) => KindName::Payment,
            Self::Token => KindName::TokenSent,
            Self::Zap(_) => KindName::Zap,
        }
    }
}

impl Zap {
    /// The invoice that is melted. `None`: a nutzap.
    pub fn melted(&self) -> Option<&Melted> {
        if let Rail::Lightning { melted, .. } = &self.rail { Some(melted) } else { None }
    }

    /// The id of the event with the coins. `None`: not a nutzap, or it is not made yet.
    pub fn nutzap(&self) -> Option<&str> {
        if let Rail::Nutzap { event, .. } = &self.rail { event.as_deref() } else { None }
    }

    /// What was seen of the receipt.
    pub fn receipt(&self) -> Receipt {
        if let Rail::Lightning { receipt, .. } = self.rail { receipt } else { Receipt::None }
    }
}
