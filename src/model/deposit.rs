//! A deposit: an invoice of a mint that turns into our coins when somebody pays it (NUT-04).
//!
//! ```text
//!  Unpaid ---> Paid ---> Received        what the mint says decides; expiry is advice,
//!     \---> Expired ---> Paid            a late payment is still claimed
//! ```
//! A mint may say that it has made a deposit's coins where none of them is ours: then it is
//! disputed, and stays as it is.

use serde::{Deserialize, Serialize};

use super::id::DepositId;
use super::ledger::DAY_SECONDS;
use super::mint::{MintAddress, MoneyKind};
use super::secret::Secret;

/// How long after its expiry an unpaid invoice is still asked about by itself, in seconds.
pub const LATE_SECONDS: u64 = 7 * 86_400;

/// Its mint says that the coins were made, and none of them is here. Times are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// When it was first said, and all that the mint has signed for us had been looked through.
    pub since: u64,
    /// When it was last said.
    pub asked: u64,
}

/// Where a deposit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DepositState {
    /// The mint has not seen a payment.
    Unpaid,
    /// Paid at the mint, not yet claimed by us.
    Paid,
    /// Claimed: the coins are ours.
    Received {
        /// Unix seconds.
        at: u64,
        /// Sats.
        received_sats: u64,
    },
    /// The invoice has run out unpaid, as far as the mint says.
    Expired,
}

/// One deposit, as the journal keeps it. Amounts are sats, times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// Its name.
    pub id: DepositId,
    /// The agent that asked for it.
    pub agent: String,
    /// The caller's idempotency key, if it gave one. Unique per agent.
    pub key: Option<String>,
    /// Digest of what was asked.
    pub request_digest: String,
    /// The mint that issues the coins.
    pub mint: MintAddress,
    /// What the wallet's money was then: a wallet that has become real keeps its play records
    /// apart.
    pub money: MoneyKind,
    /// The mint's quote (NUT-04).
    pub quote_id: String,
    /// The number of the key of our seed that the quote is locked to (NUT-20).
    pub lock: Option<u32>,
    /// The key itself, hex, where another device of the wallet has asked for the quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_key: Option<Secret>,
    /// The invoice to pay.
    pub bolt11: String,
    /// Sats.
    pub amount_sats: u64,
    /// Our own words on the invoice.
    pub description: Option<String>,
    /// When it was asked for.
    pub created_at: u64,
    /// When the invoice runs out; 0 when the mint did not say.
    pub expires_at: u64,
    /// Its mint contradicts us. `None`: it does not, or does no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<Dispute>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: DepositState,
}

impl Deposit {
    /// Its mint is asked about it by itself at `now`, in Unix seconds: it is paid or disputed, or
    /// ran out less than a week ago.
    pub fn is_asked(&self, now: u64) -> bool {
        let is_late = self.expires_at > 0 && self.expires_at.saturating_add(LATE_SECONDS) < now;
        self.state == DepositState::Paid || (self.is_open() && (self.dispute.is_some() || !is_late))
    }

    /// Not yet claimed.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, DepositState::Received { .. })
    }

    /// The dispute, while the deposit is not received; a received one keeps its old mark, which
    /// means nothing any more.
    pub fn disputed(&self) -> Option<Dispute> {
        self.dispute.filter(|_| self.is_open())
    }

    /// It is disputed, and its mint was asked within a day: only a caller makes us ask before that
    /// day is over.
    pub fn rests(&self, now: u64) -> bool {
        self.disputed().is_some_and(|dispute| dispute.asked.saturating_add(DAY_SECONDS) > now)
    }
}
