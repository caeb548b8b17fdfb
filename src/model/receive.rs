//! A received token, recorded before it is swapped, so that a crash cannot lose it (NUT-03).
//!
//! ```text
//!  Open ---> Received | Refused
//! ```
//! The owner may stop asking the mint (`GivenUp`) and start again (`Open`).

use serde::{Deserialize, Serialize};

use super::id::ReceiveId;
use super::mint::{MintAddress, MoneyKind};
use super::payment::StoredFailure;

/// State of a received token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReceiveState {
    /// The swap may be in progress.
    Open,
    /// The proofs are ours.
    Received {
        /// Unix seconds.
        at: u64,
        /// Sats received.
        received_sats: u64,
        /// Sats that the mint took as its fee.
        fee_sats: u64,
    },
    /// The owner stopped asking the mint: the outcome is unknown.
    GivenUp {
        /// Unix seconds.
        at: u64,
    },
    /// Nothing was redeemed.
    Refused {
        /// Unix seconds.
        at: u64,
        /// The cause.
        failure: StoredFailure,
    },
}

/// Origin of a nutzap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NutzapFrom {
    /// The event's id (NIP-61, kind 9321), hex.
    pub event: String,
    /// The sender's key, hex: the one that the proofs name, else the event's author.
    pub sender: String,
    /// `true` if the proofs themselves name the sender.
    #[serde(default)]
    pub sender_proven: bool,
}

/// One received token, as the journal stores it. The swap's row has the token itself until the swap
/// is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receive {
    /// The id.
    pub id: ReceiveId,
    /// The agent that brought it.
    pub agent: String,
    /// SHA-256 over the sorted secrets of its proofs: the same proofs again are the same receive.
    pub token_digest: String,
    /// The mint of its proofs.
    pub mint: MintAddress,
    /// The kind of the wallet's money at that time; a wallet that becomes real keeps its play
    /// records separate.
    pub money: MoneyKind,
    /// Face value in sats.
    pub amount_sats: u64,
    /// The sender's memo, cleaned.
    pub untrusted_memo: Option<String>,
    /// The nutzap that it came as; `untrusted_memo` is its comment. `None`: an agent brought a
    /// token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nutzap: Option<NutzapFrom>,
    /// Unix seconds at which it arrived.
    pub created_at: u64,
    /// The current state.
    #[serde(flatten)]
    pub state: ReceiveState,
}
