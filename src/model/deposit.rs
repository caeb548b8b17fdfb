//! A deposit: an invoice of a mint that becomes our proofs once someone pays it (NUT-04).
//!
//! ```text
//!  Unpaid ---> Paid ---> Received        the mint's answer decides; expiry is only a hint:
//!     \---> Expired ---> Paid            a late payment is still claimed
//! ```
//! A mint may report a deposit's proofs as issued when none of them is ours: the deposit is then
//! disputed, and keeps its state.

use serde::{Deserialize, Serialize};

use super::id::DepositId;
use super::ledger::DAY_SECONDS;
use super::mint::{MintAddress, MoneyKind};
use super::secret::Secret;

/// Seconds after its expiry for which an unpaid invoice is still checked automatically.
pub const LATE_SECONDS: u64 = 7 * 86_400;

/// A mint's report that the proofs were issued, while none is here. Times are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The time of the first report, after a search of all that the mint has signed for us.
    pub since: u64,
    /// The time of the last report.
    pub asked: u64,
}

/// State of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DepositState {
    /// The mint has not seen a payment.
    Unpaid,
    /// Paid at the mint, not yet claimed by us.
    Paid,
    /// Claimed: the proofs are ours.
    Received {
        /// Unix seconds.
        at: u64,
        /// Sats received.
        received_sats: u64,
    },
    /// The invoice has expired unpaid, as far as the mint reports.
    Expired,
}

/// One deposit, as the journal stores it. Amounts are sats, times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// The deposit's id.
    pub id: DepositId,
    /// The agent that requested it.
    pub agent: String,
    /// The caller's idempotency key, unique per agent. `None` if it gave none.
    pub key: Option<String>,
    /// Digest of the request.
    pub request_digest: String,
    /// The mint that issues the proofs.
    pub mint: MintAddress,
    /// The kind of the wallet's money at that time; a wallet that becomes real keeps its play
    /// records separate.
    pub money: MoneyKind,
    /// The id of the mint's quote (NUT-04).
    pub quote_id: String,
    /// The index of our seed's key that the quote is locked to (NUT-20).
    pub lock: Option<u32>,
    /// The key itself, hex, if another device of the wallet requested the quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_key: Option<Secret>,
    /// The invoice to pay.
    pub bolt11: String,
    /// The amount.
    pub amount_sats: u64,
    /// Our description on the invoice.
    pub description: Option<String>,
    /// The time of the request.
    pub created_at: u64,
    /// The time at which the invoice expires; 0 if the mint gave none.
    pub expires_at: u64,
    /// The dispute. `None` if there is none, or none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<Dispute>,
    /// The current state.
    #[serde(flatten)]
    pub state: DepositState,
}

impl Deposit {
    /// Returns whether its mint is asked automatically at `now` (Unix seconds): it is paid, or it
    /// is open and either disputed or not yet a week past its expiry.
    pub fn is_asked(&self, now: u64) -> bool {
        let is_late = self.expires_at > 0 && self.expires_at.saturating_add(LATE_SECONDS) < now;
        self.state == DepositState::Paid || (self.is_open() && (self.dispute.is_some() || !is_late))
    }

    /// Returns whether it is not claimed yet.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, DepositState::Received { .. })
    }

    /// Returns the dispute of an open deposit. A received one keeps its old mark, which has no
    /// meaning.
    pub fn disputed(&self) -> Option<Dispute> {
        self.dispute.filter(|_| self.is_open())
    }

    /// Returns whether it is disputed and its mint was asked within a day: until that day is over,
    /// only a caller makes us ask.
    pub fn rests(&self, now: u64) -> bool {
        self.disputed().is_some_and(|dispute| dispute.asked.saturating_add(DAY_SECONDS) > now)
    }
}
