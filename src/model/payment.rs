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

use serde::{Deserialize, Serialize};

use super::id::PaymentId;
use super::mint::{MintAddress, MoneyKind};
use super::secret::Secret;

/// What kind of value leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// A Lightning invoice melted at a mint (NUT-05).
    Payment,
    /// A token handed out (NUT-00).
    TokenSent,
    /// A zap: over Lightning (NIP-57), or as locked coins (NIP-61).
    Zap,
}

/// Why a payment failed for good, and what a stranger said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code of the error table.
    pub code: String,
    /// A stranger's words, cleaned. `None` when we refused it ourselves.
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

/// The way a zap goes. Decided before money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rail {
    /// An invoice of the recipient's server (NIP-57).
    Lightning,
    /// Coins locked to the recipient's key (NIP-61).
    Nutzap,
}

impl Rail {
    /// In the words of the tools.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lightning => "lightning",
            Self::Nutzap => "nutzap",
        }
    }
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

impl Receipt {
    /// In the words of the tools.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Waiting => "waiting",
            Self::Found => "found",
            Self::Timeout => "timeout",
            Self::Invalid => "invalid",
        }
    }
}

/// What a zap is beside a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZapOf {
    /// The recipient's Nostr key, hex. `None`: a Lightning address that is no Nostr name.
    pub recipient: Option<String>,
    /// The zapped event's id, hex.
    pub event: Option<String>,
    /// Where the event is found, its kind, and its coordinate where later ones replace it.
    pub zapped: Option<(Option<String>, Option<u16>, Option<String>)>,
    /// The way it goes.
    pub rail: Rail,
    /// Our words for it.
    pub comment: String,
    /// Signed by a key that nobody knows.
    pub anonymous: bool,
    /// Where the receipt shall appear, or where the nutzap goes beside our own relays.
    pub relays: Vec<String>,
    /// The mint as the recipient's list writes it (nutzap).
    pub mint_as_listed: Option<String>,
    /// The signed request, letter by letter as it was sent (Lightning).
    pub request: Option<String>,
    /// The key that the receipt must be signed with, hex (Lightning).
    pub receipt_key: Option<String>,
    /// What was seen of the receipt.
    pub receipt: Receipt,
    /// The id of the event with the coins (nutzap).
    pub nutzap: Option<String>,
    /// The key that an anonymous nutzap is signed with, until it is: its coins name it from the
    /// beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Secret>,
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
        failure: Failure,
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

/// One payment, as the journal keeps it. Amounts are sats, times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its name.
    pub id: PaymentId,
    /// The agent that caused it.
    pub agent: String,
    /// What kind of value leaves.
    pub kind: PaymentKind,
    /// The caller's idempotency key, if it gave one. Unique per agent.
    pub key: Option<String>,
    /// Digest of what was asked, to tell a repeat of a key from another request under it.
    pub request_digest: String,
    /// Lower-case hex. `None` for tokens.
    pub payment_hash: Option<String>,
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
    /// The mint's melt quote (NUT-05). `None` for tokens.
    pub quote_id: Option<String>,
    /// What the payee gets.
    pub amount_sats: u64,
    /// The most this can cost in all: amount, fee reserve and input fees. Held back from the limits
    /// while open.
    pub reserved_sats: u64,
    /// When it was first admitted.
    pub created_at: u64,
    /// How often it was tried, from 1.
    pub attempt: u32,
    /// What came of asking the payee's server for its invoice. `None` where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
    /// What it is as a zap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zap: Option<Box<ZapOf>>,
    /// The payment this one knowingly repeats.
    pub repeat_of: Option<PaymentId>,
    /// The caller was answered `pending`, or was gone when it ended: it may not know that it paid.
    pub caller_in_doubt: bool,
    /// Where it stands.
    #[serde(flatten)]
    pub state: PaymentState,
}

impl Payment {
    /// An invoice was given to us: the payee named this one payment itself. One to an address is
    /// another each time it is asked for.
    pub fn is_of_invoice(&self) -> bool {
        self.kind == PaymentKind::Payment && self.shown_payee.is_none()
    }

    /// Coins leave locked to somebody else, as a token or a nutzap, not over Lightning.
    pub fn is_of_coins(&self) -> bool {
        self.kind == PaymentKind::TokenSent
            || self.zap.as_ref().is_some_and(|of| of.rail == Rail::Nutzap)
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
