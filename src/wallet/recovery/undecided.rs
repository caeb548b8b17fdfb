//! The owner's list of open items: payments, received tokens, disputed deposits and undelivered
//! nutzaps, each with the reason why it is open.
//!
//! Moves no money. Asks each mint at most once and reports one that does not answer as silent.

use std::collections::BTreeMap;

use futures::future::join_all;
use tokio::time::{Duration, timeout};

use crate::mint::error::MintError;
use crate::mint::operation::Operation;
use crate::mint::swap::{Swap, SwapPurpose};
use crate::model::history_line::{EntryKind, HistoryLine};
use crate::model::mint::MintAddress;
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::Receive;
use crate::model::subject::Subject;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::engine::dispute::KEPT_SECONDS;
use crate::wallet::engine::journal::{operations, operations_given_up};
use crate::wallet::nutzaps::outgoing::delivered;
use crate::wallet::recovery::Recovery;
use crate::wallet::recovery::give_up::ask;

/// Time limit for a mint's answer before the mint is reported as silent.
const PATIENCE: Duration = Duration::from_secs(5);

impl Recovery<'_> {
    /// Lists everything that is open, and everything that was given up.
    ///
    /// # Errors
    /// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn undecided(self) -> Result<Vec<Undecided>, Failure> {
        let core = self.0;
        let (operations, given_up) = (operations(core).await?, operations_given_up(core).await?);
        let (payments, receives) =
            (core.store.open_payments().await?, core.store.open_receives().await?);
        let mut asked: BTreeMap<MintAddress, Vec<Operation>> = BTreeMap::new();
        let open = payments
            .iter()
            .map(|one| (&one.mint, Subject::Payment(one.id.clone())))
            .chain(receives.iter().map(|one| (&one.mint, Subject::Receive(one.id.clone()))));
        for (mint, subject) in open {
            let subject = Some(subject);
            asked.entry(mint.clone()).or_insert_with(|| {
                operations.iter().filter(|one| one.subject() == subject).cloned().collect()
            });
        }
        let silent = silent(core, asked).await;
        let mut entries = Vec::new();
        for payment in payments {
            let subject = Subject::Payment(payment.id.clone());
            let elsewhere = operations
                .iter()
                .any(|one| is_disputed(one) && one.subject().as_ref() == Some(&subject));
            let why = match payment.state {
                _ if elsewhere => Why::SpentElsewhere,
                _ if silent.contains(&payment.mint) => Why::MintSilent,
                PaymentState::Sent { acknowledged: true, .. } => Why::PayeeHolds,
                _ => unknown_since(core, payment.left_at()),
            };
            entries.push(of_payment(&payment, why));
        }
        for receive in receives {
            let is_silent = silent.contains(&receive.mint);
            entries.push(of_receive(
                &receive,
                if is_silent { Why::MintSilent } else { unknown_since(core, receive.created_at) },
            ));
        }
        for deposit in core.store.open_deposits().await? {
            if let Some(dispute) = deposit.disputed() {
                entries.push(Undecided {
                    id: deposit.id.to_string(),
                    kind: EntryKind::Deposit,
                    amount_sats: deposit.amount_sats,
                    reserved_sats: None,
                    mint: deposit.mint,
                    since: dispute.since,
                    why: Why::Disputed,
                });
            }
        }
        for (payment, token) in core.store.unfinished(|_| true).await?.new_tokens {
            let delivered_to = delivered(core, &payment).await?;
            if token.claimed_at.is_none() && delivered_to.is_some_and(|to| to.is_given_up) {
                entries.push(of_payment(&payment, Why::ReachedNobody));
            }
        }
        let mut subjects: Vec<Subject> = given_up.iter().filter_map(Operation::subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        for subject in subjects {
            match subject {
                Subject::Payment(id) => entries.extend(
                    core.store.payment(&id).await?.map(|one| of_payment(&one, Why::GivenUp)),
                ),
                Subject::Receive(id) => entries.extend(
                    core.store.receive(&id).await?.map(|one| of_receive(&one, Why::GivenUp)),
                ),
                Subject::Deposit(_) => {}
            }
        }
        Ok(entries)
    }

    /// Counts the deposits whose mint reports them as issued although none of their proofs is here.
    ///
    /// # Errors
    /// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
    pub async fn disputed(self) -> Result<usize, Failure> {
        let core = self.0;
        Ok(core
            .store
            .open_deposits()
            .await?
            .iter()
            .filter(|deposit| deposit.disputed().is_some())
            .count())
    }
}

fn unknown_since(core: &Core, since: u64) -> Why {
    if since.saturating_add(KEPT_SECONDS) < (core.clock)() {
        Why::UnknownForAWeek
    } else {
        Why::Unknown
    }
}

/// Returns the mints that do not answer about their open items.
async fn silent(core: &Core, asked: BTreeMap<MintAddress, Vec<Operation>>) -> Vec<MintAddress> {
    let questions = asked.into_iter().map(async |(address, operations)| {
        let Ok(mint) = core.mints.even_unchecked(&address) else { return Some(address) };
        match timeout(PATIENCE, ask(&mint, &operations)).await {
            Ok(Ok(_) | Err(MintError::RateLimited { .. } | MintError::Busy { .. })) => None,
            Ok(Err(_)) | Err(_) => Some(address),
        }
    });
    join_all(questions).await.into_iter().flatten().collect()
}

/// An item whose outcome is not known.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// The payment_id, receive_id or deposit_id.
    pub id: String,
    /// Kind of history entry.
    pub kind: EntryKind,
    /// Amount in sats.
    pub amount_sats: u64,
    /// Sats held back from the limits. `None`: nothing is.
    pub reserved_sats: Option<u64>,
    /// The item's mint.
    pub mint: MintAddress,
    /// Start of the open period, in Unix seconds.
    pub since: u64,
    /// Reason why the item is open.
    pub why: Why,
}

/// Reason why an item is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The mint has acknowledged the payment, and the payee has neither accepted nor rejected it.
    PayeeHolds,
    /// The mint does not answer.
    MintSilent,
    /// The outcome is not known.
    Unknown,
    /// The outcome has been unknown for a week.
    UnknownForAWeek,
    /// The mint reports the proofs as spent elsewhere.
    SpentElsewhere,
    /// The mint contradicts our records.
    Disputed,
    /// A nutzap that none of the recipient's relays accepted.
    ReachedNobody,
    /// The owner gave it up.
    GivenUp,
}

fn is_disputed(operation: &Operation) -> bool {
    matches!(operation, Operation::Swap(Swap { purpose: SwapPurpose::Disputed { .. }, .. }))
}

fn of_payment(payment: &Payment, why: Why) -> Undecided {
    Undecided {
        id: payment.id.to_string(),
        kind: payment.kind.name().into(),
        amount_sats: payment.amount_sats,
        reserved_sats: Some(payment.reserved_sats).filter(|_| payment.is_open()),
        mint: payment.mint.clone(),
        since: payment.left_at(),
        why,
    }
}

fn of_receive(receive: &Receive, why: Why) -> Undecided {
    Undecided {
        id: receive.id.to_string(),
        kind: HistoryLine::of_receive(receive).kind,
        amount_sats: receive.amount_sats,
        reserved_sats: None,
        mint: receive.mint.clone(),
        since: receive.created_at,
        why,
    }
}
