//! Changes that belong together, in one durable two-phase commit: all of them or none.
//!
//! Never admits a payment: that is the door's own transaction.

use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use redb::{Durability, WriteTransaction};
use uuid::Uuid;

use super::error::StoreError;
use super::history::{self, PolicyChange};
use super::nostr::{
    NutzapChanges, OutboxEvent, RemoteProofState, announce, push_outgoing, put_nutzaps, set_remote,
};
use super::operations::{self, OperationRow};
use super::proof_state::ReleasedHolds;
use super::tokens::TokenRow;
use super::{
    Inner, Store, TxDecision, archive, cap, counters, deposits, payments, proof_state, receives,
    tokens,
};
use crate::model::deposit::Deposit;
use crate::model::id::PaymentId;
use crate::model::mint::MintAddress;
use crate::model::payment::Payment;
use crate::model::receive::Receive;
use crate::ports::Counters;

/// One change of the store.
#[derive(Clone, Debug)]
pub enum Change {
    /// A payment's new state. It was admitted before, and a decided one does not open again.
    Payment(Payment),
    /// A deposit, new or changed.
    Deposit(Deposit),
    /// A received token, new or changed.
    Receive(Receive),
    /// A person changed the limits.
    Policy(PolicyChange),
    /// Proofs that are ours now. One that is already there, spent ones included, stays as it is.
    Proofs {
        /// The proofs.
        add: Vec<ProofInfo>,
    },
    /// Proofs change their state. Spent proofs change no more.
    ProofState {
        /// Which.
        ys: Vec<PublicKey>,
        /// Each must be in one of these states, or the whole commit is refused with
        /// [`StoreError::ProofNotUnspent`].
        expect: Option<Vec<State>>,
        /// The new state. Unspent forgets the operation.
        to: State,
        /// The operation that uses them now. `None` leaves it.
        operation: Option<Uuid>,
    },
    /// Archived proofs come back in this state: the mint says now that they are unspent. Others
    /// stay as they are. One of which only the Y is left refuses the whole commit with
    /// [`StoreError::SpentIsFinal`].
    Revive {
        /// Which.
        ys: Vec<PublicKey>,
        /// Unspent, or PendingSpent for those of a token.
        to: State,
    },
    /// The token of a payment.
    Token {
        /// The payment.
        payment: PaymentId,
        /// The token.
        row: TokenRow,
    },
    /// The payment's token was claimed or returned: its text goes.
    ForgetToken(PaymentId),
    /// An operation, new or changed.
    Operation(OperationRow),
    /// The operation is decided: its row goes.
    EndOperation(Uuid),
    /// Counters are taken for the outputs of an operation.
    UseCounters(Counters),
    /// Counters are free again: their outputs were not signed, and cannot be any more.
    FreeCounters(Counters),
    /// What is known of other devices' coins. Spent ones change no more, and coins that are not
    /// others' are passed over.
    RemoteProofs {
        /// Which.
        ys: Vec<PublicKey>,
        /// What is known of them now.
        to: RemoteProofState,
    },
    /// An event to publish.
    Publish(Box<OutboxEvent>),
    /// Nutzaps that came in.
    Nutzaps(NutzapChanges),
    /// So many sats are about to come in at a mint. If they would pass the owner's cap there, the
    /// whole commit is refused with [`StoreError::OverCap`].
    CheckCap {
        /// The mint.
        mint: MintAddress,
        /// Sats that come in.
        more: u64,
        /// The cap, in sats.
        cap: u64,
    },
    /// A payment is settled: relays are to hear of it.
    Announce(PaymentId),
}

fn apply(
    tx: &WriteTransaction,
    inner: &Inner,
    released: &mut ReleasedHolds,
    change: Change,
) -> Result<(), StoreError> {
    match change {
        Change::Payment(payment) => payments::update(tx, &payment),
        Change::Deposit(deposit) => deposits::put(tx, &deposit, (inner.clock)()),
        Change::Receive(receive) => receives::put(tx, &receive),
        Change::Policy(change) => history::put_policy(tx, &change),
        Change::Proofs { add } => proof_state::add(tx, inner, add),
        Change::ProofState { ys, expect, to, operation } => {
            proof_state::change(tx, inner, released, &ys, expect.as_deref(), to, operation)
        }
        Change::Revive { ys, to } => archive::revive(tx, (inner.clock)(), &ys, to, None),
        Change::Token { payment, row } => tokens::put(tx, &payment, &row),
        Change::ForgetToken(payment) => tokens::forget(tx, &payment),
        Change::Operation(row) => operations::put(tx, &row),
        Change::EndOperation(id) => operations::end(tx, id),
        Change::UseCounters(these) => counters::take(tx, &these),
        Change::FreeCounters(these) => counters::give_back(tx, &these),
        Change::RemoteProofs { ys, to } => set_remote(tx, &ys, to, (inner.clock)()),
        Change::Publish(event) => push_outgoing(tx, &event),
        Change::Nutzaps(nutzaps) => put_nutzaps(tx, &nutzaps),
        Change::CheckCap { mint, more, cap } => cap::check(tx, &mint, more, cap, (inner.clock)()),
        Change::Announce(id) => announce(tx, &id),
    }
}

/// Makes the changes, in their order, in a transaction of somebody's.
pub(super) fn apply_all(
    tx: &WriteTransaction,
    inner: &Inner,
    changes: Vec<Change>,
) -> Result<(), StoreError> {
    let mut released = ReleasedHolds::default();
    for change in changes {
        apply(tx, inner, &mut released, change)?;
    }
    released.check(tx)
}

impl Store {
    /// Makes the changes, in their order, as one durable two-phase commit.
    ///
    /// # Errors
    /// When one of them is refused or the file cannot be written: none of them is made then.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            apply_all(tx, inner, changes)?;
            Ok(TxDecision::Commit(()))
        })
        .await
    }
}
