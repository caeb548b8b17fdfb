//! Changes that are committed together, in one durable two-phase commit: all of them or none.
//!
//! Never admits a payment: [`Store::admit`] has its own transaction.

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

/// One change to the store.
#[derive(Clone, Debug)]
pub enum Change {
    /// A payment's new state. It must be admitted already, and a decided one cannot become open.
    Payment(Payment),
    /// A new or changed deposit.
    Deposit(Deposit),
    /// A new or changed received token.
    Receive(Receive),
    /// A person's change of the limits.
    Policy(PolicyChange),
    /// New proofs of ours. One that is already stored, live or spent, stays unchanged.
    Proofs {
        /// The proofs.
        add: Vec<ProofInfo>,
    },
    /// A change of proofs' state. Spent proofs cannot change.
    ProofState {
        /// The proofs' Ys.
        ys: Vec<PublicKey>,
        /// The allowed current states: any other refuses the whole commit with
        /// [`StoreError::ProofNotUnspent`]. `None` allows all.
        expect: Option<Vec<State>>,
        /// The new state. `Unspent` clears the operation.
        to: State,
        /// The operation that uses them now. `None` keeps the current one.
        operation: Option<Uuid>,
    },
    /// Archived proofs that the mint now reports as unspent. Proofs outside the archive stay
    /// unchanged; one of which only the Y is left refuses the whole commit with
    /// [`StoreError::SpentIsFinal`].
    Revive {
        /// The proofs' Ys.
        ys: Vec<PublicKey>,
        /// `Unspent`, or `PendingSpent` for the proofs of a token.
        to: State,
    },
    /// A payment's token.
    Token {
        /// The payment.
        payment: PaymentId,
        /// The token.
        row: TokenRow,
    },
    /// The removal of a payment's token, which was claimed or returned.
    ForgetToken(PaymentId),
    /// A new or changed operation.
    Operation(OperationRow),
    /// The removal of a decided operation.
    EndOperation(Uuid),
    /// Counters taken for an operation's outputs.
    UseCounters(Counters),
    /// Counters to reuse: their outputs were not signed and no longer can be.
    FreeCounters(Counters),
    /// A new state of other devices' proofs. Spent or adopted ones cannot change; proofs that are
    /// not another device's are skipped.
    RemoteProofs {
        /// The proofs' Ys.
        ys: Vec<PublicKey>,
        /// The new state.
        to: RemoteProofState,
    },
    /// An event to publish.
    Publish(Box<OutboxEvent>),
    /// Incoming nutzaps.
    Nutzaps(NutzapChanges),
    /// A check that `more` sats fit under the owner's cap at a mint; if not, the whole commit is
    /// refused with [`StoreError::OverCap`].
    CheckCap {
        /// The mint.
        mint: MintAddress,
        /// Incoming sats.
        more: u64,
        /// The cap, in sats.
        cap: u64,
    },
    /// A settled payment to announce on relays.
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

/// Applies the changes in order, within the caller's transaction.
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
    /// Commits the changes in order, as one durable two-phase commit.
    ///
    /// # Errors
    /// If a change is refused or the file cannot be written; then none of them is made.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            apply_all(tx, inner, changes)?;
            Ok(TxDecision::Commit(()))
        })
        .await
    }
}
