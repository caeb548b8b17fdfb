//! Lets the owner give up a payment or received token that can never end, because its mint is gone
//! for good. It can be taken up again.
//!
//! Never decides the outcome, deletes nothing, and is not available to any tool. If the mint
//! answers, open items end automatically instead.

use crate::mint::Mint;
use crate::mint::error::MintError;
use crate::mint::melt::MeltState;
use crate::mint::operation::Operation;
use crate::mint::swap::{SwapOutcome, SwapPurpose};
use crate::model::id::{DepositId, PaymentId, ReceiveId};
use crate::model::mint::MintAddress;
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::{Receive, ReceiveState};
use crate::model::subject::Subject;
use crate::store::OpenRecord;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, GiveUpRefusal, Missing};
use crate::wallet::engine::dispute::KEPT_SECONDS;
use crate::wallet::engine::journal::{given_up_of, operations_of};
use crate::wallet::proofs::changes::Ys;
use crate::wallet::recovery::Recovery;

/// Meaning of a mint's answer for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MintVerdict {
    /// The operation is done, or the mint is processing it.
    UnderWay,
    /// The operation is not done.
    NotDone,
}

/// A record that its owner may give up. Times are Unix seconds.
#[derive(Clone, Debug)]
pub enum MayGiveUp {
    /// A payment.
    Payment {
        /// The payment.
        payment: Payment,
        /// Start of the open period.
        since: u64,
        /// `true` if the mint answers, but has not ended the payment for a week.
        mint_answers: bool,
    },
    /// A received token.
    Receive {
        /// The received token.
        receive: Receive,
        /// Start of the open period.
        since: u64,
        /// `true` if the mint answers, but has not ended the receive for a week.
        mint_answers: bool,
    },
}

impl Recovery<'_> {
    /// Returns the facts a person needs before giving up a record. Asks its mint once.
    ///
    /// # Errors
    /// [`Cause::NotFound`]; [`Cause::GiveUp`]: not open, or the mint answers, so it ends
    /// automatically; [`Cause::Mint`]: the mint could not be asked now. Nothing was changed.
    ///
    /// # Cancel safety
    /// Safe to drop: read-only.
    pub async fn may_give_up(self, id: &str) -> Result<MayGiveUp, Failure> {
        let core = self.0;
        let (record, operations) = open_record(core, id).await?;
        let (mint, since) = (mint_of(&record), since(&record));
        let mint_answers = match ask(&*core.mints.even_unchecked(&mint)?, &operations).await {
            Ok(MintVerdict::NotDone) if since.saturating_add(KEPT_SECONDS) < (core.clock)() => true,
            Ok(_) => return Err(Cause::GiveUp(GiveUpRefusal::MintAnswers).into()),
            Err(
                error @ (MintError::RateLimited { .. }
                | MintError::Busy { .. }
                | MintError::Store(_)),
            ) => return Err(error.into()),
            Err(_) => false,
        };
        Ok(match record {
            OpenRecord::Payment(payment) => MayGiveUp::Payment { payment, since, mint_answers },
            OpenRecord::Receive(receive) => MayGiveUp::Receive { receive, since, mint_answers },
        })
    }

    /// Gives up a payment or received token: its mint is no longer asked, and the outcome stays
    /// unknown. A payment's reserve counts as spent at the time its request left; its proofs go to
    /// the archive.
    ///
    /// # Errors
    /// [`Cause::NotFound`], [`Cause::GiveUp`]: nothing was changed.
    ///
    /// # Cancel safety
    /// Safe to drop: atomic.
    pub async fn give_up(self, id: &str) -> Result<(), Failure> {
        let core = self.0;
        let (record, _) = open_record(core, id).await?;
        let guard = core.mints.even_unchecked(&mint_of(&record))?.lock().await;
        let (record, operations) = open_record(core, id).await?;
        let (at, since) = ((core.clock)(), since(&record));
        let record = match record {
            OpenRecord::Payment(payment) => OpenRecord::Payment(Payment {
                state: PaymentState::GivenUp { at, since },
                ..payment
            }),
            OpenRecord::Receive(receive) => {
                OpenRecord::Receive(Receive { state: ReceiveState::GivenUp { at }, ..receive })
            }
        };
        let mut coins = Ys::new();
        for operation in &operations {
            coins.extend(held(operation)?);
        }
        core.store.give_up(record, operations.iter().map(Operation::id).collect(), coins).await?;
        drop(guard);
        core.changed();
        Ok(())
    }

    /// Reopens a record that was given up, so that its mint is asked again.
    ///
    /// # Errors
    /// [`Cause::NotFound`], [`Cause::GiveUp`]: nothing was changed.
    ///
    /// # Cancel safety
    /// Safe to drop: atomic.
    pub async fn take_up(self, id: &str) -> Result<(), Failure> {
        let core = self.0;
        let record = match by_id(core, id).await? {
            OpenRecord::Payment(payment)
                if matches!(payment.state, PaymentState::GivenUp { .. }) =>
            {
                let state = PaymentState::Sent { since: payment.left_at(), acknowledged: false };
                OpenRecord::Payment(Payment { state, ..payment })
            }
            OpenRecord::Receive(receive)
                if matches!(receive.state, ReceiveState::GivenUp { .. }) =>
            {
                OpenRecord::Receive(Receive { state: ReceiveState::Open, ..receive })
            }
            _ => return Err(Cause::GiveUp(GiveUpRefusal::NotGivenUp).into()),
        };
        let mut operations = Vec::new();
        for operation in given_up_of(core, &subject(&record)).await? {
            operations.push((operation.id(), held(&operation)?));
        }
        core.store.take_up(record, operations).await?;
        core.changed();
        core.hurry(id);
        Ok(())
    }
}

async fn by_id(core: &Core, id: &str) -> Result<OpenRecord, Failure> {
    let payment = match id.parse::<PaymentId>() {
        Ok(id) => core.store.payment(&id).await?.map(OpenRecord::Payment),
        Err(_) => None,
    };
    let receive = match id.parse::<ReceiveId>() {
        Ok(id) => core.store.receive(&id).await?.map(OpenRecord::Receive),
        Err(_) => None,
    };
    payment.or(receive).ok_or_else(|| match id.parse::<DepositId>() {
        Ok(_) => Cause::GiveUp(GiveUpRefusal::Deposit).into(),
        Err(_) => Cause::NotFound(Missing::Record).into(),
    })
}

/// Returns the open record with this id, and its operations.
async fn open_record(core: &Core, id: &str) -> Result<(OpenRecord, Vec<Operation>), Failure> {
    let record = by_id(core, id).await?;
    let is_open = match &record {
        OpenRecord::Payment(payment) => payment.is_open(),
        OpenRecord::Receive(receive) => receive.state == ReceiveState::Open,
    };
    if !is_open {
        return Err(Cause::GiveUp(GiveUpRefusal::NotOpen).into());
    }
    let operations = operations_of(core, &subject(&record)).await?;
    // Without an operation nothing has been sent, and the next start ends the record.
    if operations.is_empty() || id.parse().is_ok_and(|id: PaymentId| core.live().contains_key(&id))
    {
        return Err(Cause::GiveUp(GiveUpRefusal::InHand).into());
    }
    Ok((record, operations))
}

/// Asks a mint once about one record's operations. Makes no request that could move money.
pub(crate) async fn ask(mint: &Mint, operations: &[Operation]) -> Result<MintVerdict, MintError> {
    // While a melt's proofs are being swapped away, the melt quote still tells if it was paid.
    match operations.iter().find(|one| matches!(one, Operation::Melt(_))).or(operations.first()) {
        Some(Operation::Melt(melt)) => match mint.melt_state(&melt.quote_id).await? {
            (MeltState::Paid | MeltState::Pending, _) => Ok(MintVerdict::UnderWay),
            (MeltState::Unpaid, _) => Ok(MintVerdict::NotDone),
        },
        Some(Operation::Swap(swap)) => match mint.lookup_swap(swap).await {
            SwapOutcome::Done { .. } => Ok(MintVerdict::UnderWay),
            SwapOutcome::Unknown(error) => Err(error),
            SwapOutcome::Refused(_) | SwapOutcome::SpentElsewhere => Ok(MintVerdict::NotDone),
        },
        Some(Operation::Issue(_)) | None => Ok(MintVerdict::NotDone),
    }
}

/// Returns our own proofs reserved by an operation. A melt's proofs belong to the melt even while
/// they are being swapped away.
fn held(operation: &Operation) -> Result<Ys, Failure> {
    let holds = match operation {
        Operation::Melt(_) => true,
        Operation::Swap(swap) => matches!(swap.purpose, SwapPurpose::Send(_)),
        Operation::Issue(_) => false,
    };
    Ok(if holds { operation.input_ys()? } else { Ys::new() })
}

fn subject(record: &OpenRecord) -> Subject {
    match record {
        OpenRecord::Payment(payment) => Subject::Payment(payment.id.clone()),
        OpenRecord::Receive(receive) => Subject::Receive(receive.id.clone()),
    }
}

fn since(record: &OpenRecord) -> u64 {
    match record {
        OpenRecord::Payment(payment) => payment.left_at(),
        OpenRecord::Receive(receive) => receive.created_at,
    }
}

fn mint_of(record: &OpenRecord) -> MintAddress {
    match record {
        OpenRecord::Payment(payment) => payment.mint.clone(),
        OpenRecord::Receive(receive) => receive.mint.clone(),
    }
}
