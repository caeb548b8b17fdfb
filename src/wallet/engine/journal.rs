//! Reads and writes the journal of operations under way at mints.

use uuid::Uuid;

use crate::mint::issue::Issue;
use crate::mint::melt::Melt;
use crate::mint::operation::Operation;
use crate::mint::swap::{Swap, SwapPurpose};
use crate::model::id::{DepositId, PaymentId};
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::model::subject::Subject;
use crate::store::{Change, OperationRow};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;

/// Reads all open operations, without those the owner has given up.
pub(crate) async fn operations(core: &Core) -> Result<Vec<Operation>, Failure> {
    read(&core.store.operations().await?)
}

/// Reads the operations that the owner has given up.
pub(crate) async fn operations_given_up(core: &Core) -> Result<Vec<Operation>, Failure> {
    read(&core.store.operations_given_up().await?)
}

/// Reads an operation. `None`: it has ended.
pub(crate) async fn operation(core: &Core, id: Uuid) -> Result<Option<Operation>, Failure> {
    let Some(row) = core.store.operation(id).await? else { return Ok(None) };
    Ok(Some(Operation::from_row(&row.body)?))
}

/// Reads the open operations of one record.
pub(crate) async fn operations_of(
    core: &Core,
    subject: &Subject,
) -> Result<Vec<Operation>, Failure> {
    read(&core.store.operations_of(subject).await?)
}

/// Reads the operations of one record that the owner has given up.
pub(crate) async fn given_up_of(core: &Core, subject: &Subject) -> Result<Vec<Operation>, Failure> {
    read(&core.store.given_up_of(subject).await?)
}

/// Reads the open swap for this purpose. Also `None` if the purpose belongs to no record.
pub(crate) async fn swap_for(core: &Core, purpose: &SwapPurpose) -> Result<Option<Swap>, Failure> {
    let Some(subject) = purpose.subject() else { return Ok(None) };
    let mut swaps = operations_of(core, &subject).await?.into_iter().filter_map(to_swap);
    Ok(swaps.find(|swap| swap.purpose == *purpose))
}

/// Reads the open operation that issues a deposit's proofs.
pub(crate) async fn issue_of(core: &Core, deposit: &DepositId) -> Result<Option<Issue>, Failure> {
    let issue =
        |operation| if let Operation::Issue(issue) = operation { Some(issue) } else { None };
    let operations = operations_of(core, &Subject::Deposit(deposit.clone())).await?;
    Ok(operations.into_iter().find_map(issue))
}

/// Reads the melt of a payment, until it is decided and its change has arrived.
pub(crate) async fn melt_of(core: &Core, payment: &PaymentId) -> Result<Option<Melt>, Failure> {
    let melt = |operation| if let Operation::Melt(melt) = operation { Some(melt) } else { None };
    let operations = operations_of(core, &Subject::Payment(payment.clone())).await?;
    Ok(operations.into_iter().find_map(melt))
}

pub(crate) fn to_swap(operation: Operation) -> Option<Swap> {
    if let Operation::Swap(swap) = operation { Some(swap) } else { None }
}

/// Reads a swap again: it may have ended or been replanned since it was seen. The caller holds the
/// mint's lock.
pub(crate) async fn as_journaled(core: &Core, seen: &Swap) -> Result<Option<Swap>, Failure> {
    match operation(core, seen.id).await? {
        Some(Operation::Swap(swap)) if swap.purpose == seen.purpose => Ok(Some(swap)),
        _ => Ok(None),
    }
}

/// Returns whether the operation has not ended.
pub(crate) async fn is_journaled(core: &Core, id: Uuid) -> Result<bool, Failure> {
    Ok(core.store.operation(id).await?.is_some())
}

/// Returns whether this is a token being reclaimed, which may no longer be valid.
pub(crate) async fn is_being_reclaimed(core: &Core, payment: &Payment) -> Result<bool, Failure> {
    if !matches!(payment.kind, PaymentKind::Token)
        || !matches!(payment.state, PaymentState::Settled { claimed: false, .. })
    {
        return Ok(false);
    }
    Ok(swap_for(core, &SwapPurpose::Reclaim(payment.id.clone())).await?.is_some())
}

/// Rewrites operations from before the journal stored the record each belongs to.
pub(crate) async fn index_operations(core: &Core) -> Result<(), Failure> {
    let mut anew = Vec::new();
    for row in core.store.operations().await? {
        let operation = Operation::from_row(&row.body)?;
        if row.subject != operation.subject() {
            anew.push(journaled(&operation)?);
        }
    }
    if anew.is_empty() { Ok(()) } else { Ok(core.store.commit(anew).await?) }
}

fn read(rows: &[OperationRow]) -> Result<Vec<Operation>, Failure> {
    Ok(rows.iter().map(|row| Operation::from_row(&row.body)).collect::<Result<_, _>>()?)
}

/// Returns the change that writes an operation, new or updated.
pub(crate) fn journaled(operation: &Operation) -> Result<Change, Failure> {
    let is_disputed =
        matches!(operation, Operation::Swap(Swap { purpose: SwapPurpose::Disputed { .. }, .. }));
    Ok(Change::Operation(OperationRow {
        id: operation.id(),
        holds: !is_disputed,
        body: operation.to_row()?,
        subject: operation.subject(),
    }))
}
