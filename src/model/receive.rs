//! A received token: recorded before it is swapped, so that a crash cannot lose it (NUT-03).
//!
//! ```text
//!  Open ---> Received | Refused       the owner may stop asking its mint (`GivenUp`), and begin again (`Open`)
//! ```

use serde::{Deserialize, Serialize};

use super::id::ReceiveId;
use super::mint::{MintAddress, MoneyKind};
use super::payment::StoredFailure;

/// Where a received token stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReceiveState {
    /// The swap may be under way.
    Open,
    /// The coins are ours.
    Received {
        /// Unix seconds.
        at: u64,
        /// Sats that arrived.
        received_sats: u64,
        /// Sats the mint took.
        fee_sats: u64,
    },
    /// The owner has stopped asking its mint: nobody knows whether the coins are ours.
    GivenUp {
        /// Unix seconds.
        at: u64,
    },
    /// Nothing was taken.
    Refused {
        /// Unix seconds.
        at: u64,
        /// Why.
        failure: StoredFailure,
    },
}

/// Where a nutzap came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NutzapFrom {
    /// The event's id (NIP-61, kind 9321), hex.
    pub event: String,
    /// Who sent it, hex: whom the coins themselves name, else whoever published the event.
    pub sender: String,
    /// The coins themselves name the sender.
    #[serde(default)]
    pub sender_proven: bool,
}

/// One received token, as the journal keeps it; the token itself lives in the swap's row until the
/// swap is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receive {
    /// Its name.
    pub id: ReceiveId,
    /// The agent that brought it.
    pub agent: String,
    /// SHA-256 over the sorted secrets of its proofs: the same coins again are the same receive.
    pub token_digest: String,
    /// The mint that made it.
    pub mint: MintAddress,
    /// What the wallet's money was then: a wallet that has become real keeps its play records
    /// apart.
    pub money: MoneyKind,
    /// Face value in sats.
    pub amount_sats: u64,
    /// A stranger's memo, cleaned.
    pub untrusted_memo: Option<String>,
    /// It came as a nutzap; `untrusted_memo` is its comment. `None`: an agent brought a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nutzap: Option<NutzapFrom>,
    /// When it came.
    pub created_at: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ReceiveState,
}
