//! Melts whose outcome is not known: the second line that keeps their proofs from being released.
//!
//! Never decides an outcome. The doubt of a quote is lifted by the settle step alone, in memory: after a restart it stands again.

use async_trait::async_trait;
use cdk_common::nuts::State;
use redb::{Durability, ReadableTable, WriteTransaction};
use uuid::Uuid;

use super::error::StoreError;
use super::tables::{MELT_QUOTE_USERS, Reads};
use super::{Inner, Store, Verdict, payments, sagas};
use crate::model::ledger::state_word;
use crate::model::payment::PaymentState;
use crate::ports::{Barrier, Doubt, StoreFailure};

/// The melt of this quote was sent, and no mint has said what became of it.
pub(super) fn is_undecided(tx: &impl Reads, inner: &Inner, quote_id: &str) -> Result<bool, StoreError> {
    let sent = payments::by_quote(tx, quote_id)?.is_some_and(|payment| matches!(payment.state, PaymentState::Sent { .. }));
    Ok(sent && !inner.lifted().contains(quote_id))
}

/// The operation is a melt whose outcome is not known.
pub(super) fn holds(tx: &impl Reads, inner: &Inner, operation: Uuid) -> Result<bool, StoreError> {
    if let Some(quote) = sagas::get(tx, operation)?.and_then(|saga| sagas::melt_quote(&saga))
        && is_undecided(tx, inner, &quote)?
    {
        return Ok(true);
    }
    // The quote names its operation as well; a saga can be gone before its proofs are free.
    let name = operation.to_string();
    let mut quotes = Vec::new();
    for entry in tx.table(MELT_QUOTE_USERS)?.range((name.as_str(), "")..)? {
        let (key, _) = entry?;
        let (user, quote) = key.value();
        if user != name {
            break;
        }
        quotes.push(quote.to_owned());
    }
    for quote in quotes {
        if is_undecided(tx, inner, &quote)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses to set proofs of `operation` free, or to hand them to another, while its melt is undecided.
pub(super) fn check(tx: &WriteTransaction, inner: &Inner, operation: Option<Uuid>) -> Result<(), StoreError> {
    match operation {
        Some(operation) if holds(tx, inner, operation)? => Err(StoreError::Undecided),
        _ => Ok(()),
    }
}

/// Whether going from `from` to `to` gives up an operation's hold on a proof.
pub(super) fn gives_up(from: State, to: State) -> bool {
    matches!(from, State::Reserved | State::Pending | State::PendingSpent) && matches!(to, State::Unspent)
}

impl Store {
    /// Lets the proofs of this quote's melt be released: the mint's own word has decided it. Holds until the next `sent` of
    /// the quote or the end of the process.
    pub fn lift_doubt(&self, quote_id: &str) {
        self.inner.lifted().insert(quote_id.to_owned());
    }

    async fn mark_sent(&self, quote_id: String) -> Result<(), StoreError> {
        self.transact(Durability::Immediate, move |tx, inner| {
            let mut payment = payments::by_quote(tx, &quote_id)?.ok_or(StoreError::Missing("payment of this quote"))?;
            inner.lifted().remove(&quote_id);
            match payment.state {
                // Still a durable commit: what cdk wrote since is about to matter.
                PaymentState::Sent { .. } => return Ok(Verdict::Keep(())),
                PaymentState::Reserved => {}
                _ => return Err(StoreError::Transition { from: state_word(&payment.state), to: "sent" }),
            }
            payment.state = PaymentState::Sent { since: (inner.clock)(), acknowledged: false };
            payments::put(tx, &payment)?;
            Ok(Verdict::Keep(()))
        })
        .await
    }
}

#[async_trait]
impl Barrier for Store {
    async fn barrier(&self) -> Result<(), StoreFailure> {
        Ok(Self::barrier(self).await?)
    }
}

#[async_trait]
impl Doubt for Store {
    async fn sent(&self, quote_id: &str) -> Result<(), StoreFailure> {
        Ok(self.mark_sent(quote_id.to_owned()).await?)
    }

    async fn is_undecided(&self, quote_id: &str) -> Result<bool, StoreFailure> {
        let quote_id = quote_id.to_owned();
        Ok(self.off(move |inner| is_undecided(&redb::ReadableDatabase::begin_read(&*inner.db()?)?, inner, &quote_id)).await?)
    }

    async fn decided(&self, quote_id: &str) -> Result<(), StoreFailure> {
        self.lift_doubt(quote_id);
        Ok(())
    }
}
