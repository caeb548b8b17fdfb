//! This wallet's state on relays: token events seen (NIP-60), other devices' proofs, and events to
//! publish.
//!
//! Never signs, encrypts or contacts anything, and gives up no proof: only a mint's answer (NUT-07)
//! makes one spent.
//!
//! ```text
//!  a proof changes --> dirty --(mirror round)--> new token event, queued --> live
//!                                                live --(replaced or deleted)--> gone
//!  another's proof on relays --> Unverified --(NUT-07)--> Unspent --(swap)--> Adopting --> Adopted
//!                                    ^------(its event is gone)---+
//! ```

mod deletions;
mod merge;
mod nutzaps;
mod outbox;
mod relay_view;
mod remote_proofs;
mod seen_history;
mod state;

use std::collections::BTreeMap;

use redb::{ReadableTable, Table, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use deletions::Deletion;
pub use merge::{Merged, SeenTokenEvent};
pub use nutzaps::{NutzapChanges, NutzapRow, NutzapState};
pub(super) use nutzaps::{coming as incoming_nutzap_sats, put as put_nutzaps};
pub(super) use outbox::push as push_outgoing;
pub use outbox::{OutboxEvent, PublishRound, QueuedEvent, RelayRefusal};
#[cfg(feature = "testing")]
pub use relay_view::HeldProof;
pub use relay_view::{OutboxView, QueueRound};
#[cfg(feature = "testing")]
pub use remote_proofs::RemoteProof;
use remote_proofs::RemoteProofTables;
pub(super) use remote_proofs::set as set_remote;
pub use remote_proofs::{RemoteBalance, RemoteProofState};
pub(super) use seen_history::announce;
pub(super) use state::begun;

use super::error::StoreError;
use super::row::decode;
use super::tables::{NOSTR_DIRTY, Y};

/// A token event (kind 7375) of this wallet, from any device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenEventRow {
    /// The event's id, hex.
    pub id: String,
    /// The mint's normalized address, or the event's own text if that is no mint address.
    pub mint: String,
    /// The unit.
    pub unit: String,
    /// Unix seconds, as the event says.
    pub created_at: u64,
    /// The Ys of its proofs. Empty once it is gone.
    pub ys: Vec<cdk_common::nuts::PublicKey>,
    /// `true` if it contains more than could be read: we never replace or delete it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The whole event, encrypted as on relays. Empty once it is gone.
    pub json: String,
}

impl TokenEventRow {
    /// Clears a deleted event. Only its id stays, so that it is not merged again.
    fn clear_deleted(
        &mut self,
        holds: &mut Table<'_, (&'static Y, &'static str), ()>,
    ) -> Result<(), StoreError> {
        for y in self.ys.drain(..) {
            holds.remove((&y.to_bytes(), self.id.as_str()))?;
        }
        self.json.clear();
        Ok(())
    }
}

impl std::fmt::Debug for TokenEventRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEventRow")
            .field("id", &self.id)
            .field("coins", &self.ys.len())
            .finish_non_exhaustive()
    }
}

/// Marks changed proofs for relays, in the transaction that writes them.
pub(super) struct ChangeMarks<'t> {
    /// `None` if Nostr was never on.
    dirty: Option<Table<'t, &'static Y, u64>>,
    remote: RemoteProofTables<'t>,
}

impl<'t> ChangeMarks<'t> {
    pub(super) fn open(tx: &'t WriteTransaction) -> Result<Self, StoreError> {
        let dirty = if begun(tx)? { Some(tx.open_table(NOSTR_DIRTY)?) } else { None };
        Ok(Self { dirty, remote: RemoteProofTables::open(tx)? })
    }

    /// Marks a changed proof of ours.
    pub(super) fn changed(&mut self, y: &Y) -> Result<(), StoreError> {
        match &mut self.dirty {
            Some(dirty) => mark(dirty, y),
            None => Ok(()),
        }
    }

    /// Removes a proof that has become ours from the other devices' proofs.
    pub(super) fn owned(&mut self, y: &Y) -> Result<(), StoreError> {
        self.remote.remove(y)
    }
}

/// Ids of events, each with the event's own time in Unix seconds.
pub type EventTimes = BTreeMap<String, u64>;

/// Returns the ids and times of a table's rows; `at` returns a row's time.
fn times<T: DeserializeOwned>(
    name: &str,
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    at: impl Fn(T) -> u64,
) -> Result<EventTimes, StoreError> {
    let mut times = EventTimes::new();
    for entry in table.iter()? {
        let (id, row) = entry?;
        times.insert(id.value().to_owned(), at(decode(name, row.value())?));
    }
    Ok(times)
}

/// Marks a proof as not published yet. The number tells a later mark from the one that a mirror
/// round has seen.
fn mark(dirty: &mut Table<'_, &'static Y, u64>, y: &Y) -> Result<(), StoreError> {
    let before = dirty.get(y)?.map_or(0, |mark| mark.value());
    dirty.insert(y, before.wrapping_add(1))?;
    Ok(())
}
