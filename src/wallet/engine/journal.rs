//! What is under way at the mints, as the journal keeps it.

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

/// Every operation that is not decided, but for those that were given up.
pub(crate) async fn operations(core: &Core) -> Result<Vec<Operation>, Failure> {
    read(&core.store.operations().await?)
}

/// The operations of what the owner has given up.
pub(crate) async fn operations_given_up(core: &Core) -> Result<Vec<Operation>, Failure> {
    read(&core.store.operations_given_up().await?)
}

/// An operation, unless it is decided.
pub(crate) async fn operation(core: &Core, id: Uuid) -> Result<Option<Operation>, Failure> {
    let Some(row) = core.store.operation(id).await? else { return Ok(None) };
    Ok(Some(Operation::from_row(&row.body)?))
}

/// The operations for one record that are not decided.
pub(crate) async fn operations_of(
    core: &Core,
    subject: &Subject,
) -> Result<Vec<Operation>, Failure> {
    read(&core.store.operations_of(subject).await?)
}

/// The operations for one record that the owner has given up.
pub(crate) async fn given_up_of(core: &Core, subject: &Subject) -> Result<Vec<Operation>, Failure> {
    read(&core.store.given_up_of(subject).await?)
}

/// The swap for this purpose that is not decided. `None` as well where the purpose is no record's.
pub(crate) async fn swap_for(core: &Core, purpose: &SwapPurpose) -> Result<Option<Swap>, Failure> {
    let Some(subject) = purpose.subject() else { return Ok(None) };
    let mut swaps = operations_of(core, &subject).await?.into_iter().filter_map(to_swap);
    Ok(swaps.find(|swap| swap.purpose == *purpose))
}

/// The operation that makes the coins of a deposit, until it is decided.
pub(crate) async fn issue_of(core: &Core, deposit: &DepositId) -> Result<Option<Issue>, Failure> {
    let issue =
        |operation| if let Operation::Issue(issue) = operation { Some(issue) } else { None };
    let operations = operations_of(core, &Subject::Deposit(deposit.clone())).await?;
    Ok(operations.into_iter().find_map(issue))
}

/// The melt of a payment that is not decided, or whose change is not in.
pub(crate) async fn melt_of(core: &Core, payment: &PaymentId) -> Result<Option<Melt>, Failure> {
    let melt = |operation| if let Operation::Melt(melt) = operation { Some(melt) } else { None };
    let operations = operations_of(core, &Subject::Payment(payment.clone())).await?;
    Ok(operations.into_iter().find_map(melt))
}

/// The swap that an operation is. `None`: it is none.
pub(crate) fn to_swap(operation: Operation) -> Option<Swap> {
    if let Operation::Swap(swap) = operation { Some(swap) } else { None }
}

/// A swap as it stands in the journal now: it may have been ended, or planned anew, since it
/// was seen. Whoever asks holds the mint's lock.
pub(crate) async fn as_journaled(core: &Core, seen: &Swap) -> Result<Option<Swap>, Failure> {
    match operation(core, seen.id).await? {
        Some(Operation::Swap(swap)) if swap.purpose == seen.purpose => Ok(Some(swap)),
        _ => Ok(None),
    }
}

/// Nobody has ended this operation meanwhile.
pub(crate) async fn is_journaled(core: &Core, id: Uuid) -> Result<bool, Failure> {
    Ok(core.store.operation(id).await?.is_some())
}

/// A token of ours that is being taken back: nobody knows yet whether it is still good.
pub(crate) async fn is_being_reclaimed(core: &Core, payment: &Payment) -> Result<bool, Failure> {
    if !matches!(payment.kind, PaymentKind::Token)
        || !matches!(payment.state, PaymentState::Settled { claimed: false, .. })
    {
        return Ok(false);
    }
    Ok(swap_for(core, &SwapPurpose::Reclaim(payment.id.clone())).await?.is_some())
}

/// Journals the operations anew that were written before the journal knew what each is for.
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

/// Writes an operation down, new or changed.
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
