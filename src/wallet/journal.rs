//! What is under way at the mints, as the journal keeps it.

use uuid::Uuid;

use super::Wallet;
use super::failure::Failure;
use crate::mint::issue::Issue;
use crate::mint::melt::Melt;
use crate::mint::operation::Operation;
use crate::mint::swap::{Purpose, Swap};
use crate::model::id::{DepositId, PaymentId};
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::store::{Change, OperationRow};

impl Wallet {
    /// Every operation that is not decided, but for those that were given up.
    pub(super) async fn operations(&self) -> Result<Vec<Operation>, Failure> {
        read(&self.store.operations().await?)
    }

    /// The operations of what the owner has given up.
    pub(super) async fn operations_given_up(&self) -> Result<Vec<Operation>, Failure> {
        read(&self.store.operations_given_up().await?)
    }

    /// An operation, unless it is decided.
    pub(super) async fn operation(&self, id: Uuid) -> Result<Option<Operation>, Failure> {
        let Some(row) = self.store.operation(id).await? else { return Ok(None) };
        Ok(Some(Operation::from_row(&row.body)?))
    }

    /// Every swap that is not decided.
    pub(super) async fn journaled_swaps(&self) -> Result<Vec<Swap>, Failure> {
        let swap =
            |operation| if let Operation::Swap(swap) = operation { Some(swap) } else { None };
        Ok(self.operations().await?.into_iter().filter_map(swap).collect())
    }

    /// The claim of a deposit that is not decided.
    pub(super) async fn issue_of(&self, deposit: &DepositId) -> Result<Option<Issue>, Failure> {
        let issue =
            |operation| if let Operation::Issue(issue) = operation { Some(issue) } else { None };
        Ok(self
            .operations()
            .await?
            .into_iter()
            .filter_map(issue)
            .find(|issue| issue.deposit == *deposit))
    }

    /// The melt of a payment that is not decided, or whose change is not in.
    pub(super) async fn melt_of(&self, payment: &PaymentId) -> Result<Option<Melt>, Failure> {
        let melt =
            |operation| if let Operation::Melt(melt) = operation { Some(melt) } else { None };
        Ok(self
            .operations()
            .await?
            .into_iter()
            .filter_map(melt)
            .find(|melt| melt.payment == *payment))
    }

    /// A swap as it stands in the journal now: it may have been ended, or planned anew, since it
    /// was seen. To be asked with the turn.
    pub(super) async fn as_journaled(&self, seen: &Swap) -> Result<Option<Swap>, Failure> {
        match self.operation(seen.id).await? {
            Some(Operation::Swap(swap)) if swap.purpose == seen.purpose => Ok(Some(swap)),
            _ => Ok(None),
        }
    }

    /// Nobody has ended this operation meanwhile.
    pub(super) async fn is_journaled(&self, id: Uuid) -> Result<bool, Failure> {
        Ok(self.store.operation(id).await?.is_some())
    }

    /// A token of ours that is being taken back: nobody knows yet whether it is still good.
    pub(super) async fn is_being_reclaimed(&self, payment: &Payment) -> Result<bool, Failure> {
        if !matches!(payment.kind, PaymentKind::Token)
            || !matches!(payment.state, PaymentState::Settled { claimed: false, .. })
        {
            return Ok(false);
        }
        Ok(self
            .journaled_swaps()
            .await?
            .iter()
            .any(|swap| swap.purpose == Purpose::Reclaim(payment.id.clone())))
    }
}

fn read(rows: &[OperationRow]) -> Result<Vec<Operation>, Failure> {
    Ok(rows.iter().map(|row| Operation::from_row(&row.body)).collect::<Result<_, _>>()?)
}

/// Writes an operation down, new or changed.
pub(super) fn journaled(operation: &Operation) -> Result<Change, Failure> {
    let is_buried =
        matches!(operation, Operation::Swap(Swap { purpose: Purpose::Buried { .. }, .. }));
    Ok(Change::Operation(OperationRow {
        id: operation.id(),
        holds: !is_buried,
        body: operation.to_row()?,
    }))
}
