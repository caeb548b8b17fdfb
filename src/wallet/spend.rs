//! The one door through which value leaves.
//!
//! ```text
//!  known? -> deny? -> plan -> admit -> act -> record -> wake
//! ```
//! `known?` and `deny?` contact nobody. `admit` is one durable transaction: the policy decides there,
//! from the ledger as that same transaction reads it. From there to `record` everything runs on a tracked task, whoever
//! waits. Nothing else in this project makes value leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Duration;

use super::code::Code;
use super::deadline::Deadline;
use super::error::Error;
use super::gate::Pass;
use super::inputs::{Inputs, need_of, no_place};
use super::journal::journaled;
use super::pay::silent;
use super::rules::Setup;
use super::{Wallet, coins};
use crate::mint::Mint;
use crate::mint::melt::{Melt, MeltQuote};
use crate::mint::operation::Operation;
use crate::mint::swap::Lock;
use crate::model::id::PaymentId;
use crate::model::ledger::Ledger;
use crate::model::payment::{Failure, Payment, PaymentState};
use crate::policy::{Ask, Denial, Policy};
use crate::store::{Admission, Change};

/// After this a melt's request counts as having left.
const LEAVING: Duration = Duration::from_millis(500);

/// How the value leaves.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A melt of this quote.
    Melt(MeltQuote),
    /// A token; its lock and the words inside.
    Token { lock_to: Option<Lock>, memo: Option<String> },
}

/// A payment that is planned: who, how much, from where, how.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) payment: Payment,
    pub(super) mint: Arc<Mint>,
    pub(super) act: Act,
    pub(super) max_fee_sats: Option<u64>,
    /// Held until the payment is admitted.
    pub(super) pass: Option<Pass>,
}

/// What a payment waits for before it is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// A place among the melts that are leaving.
    Place,
    /// The mint, or another exchange with it.
    Mint,
    /// Coins that other payments hold.
    Coins,
}

/// Set when the caller no longer waits: it may never learn what became of its payment. Says what
/// was waited for until then.
#[derive(Clone, Debug)]
pub(super) struct Gone(Arc<(AtomicBool, Mutex<Awaits>)>);

impl Default for Gone {
    fn default() -> Self {
        Self(Arc::new((AtomicBool::new(false), Mutex::new(Awaits::Place))))
    }
}

impl Gone {
    pub(super) fn is_gone(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    pub(super) fn awaits(&self, what: Awaits) {
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Why nothing was admitted in time.
    fn too_late(&self) -> Error {
        match *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) {
            Awaits::Place => no_place(),
            Awaits::Mint => silent(),
            Awaits::Coins => Error::new(
                Code::InsufficientFunds,
                "Coins that other payments hold did not come back in time; nothing was paid.",
            )
            .next("Make the same call again in a minute."),
        }
    }
}

/// Lives as long as the caller waits.
#[derive(Debug)]
struct Waiting(Gone);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.0.store(true, Ordering::Release);
    }
}

/// A payment in this process's hands.
#[derive(Debug)]
struct Carried {
    wallet: Wallet,
    id: PaymentId,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.wallet.live().remove(&self.id);
    }
}

impl Wallet {
    /// Step 2, deny? What no quote can save.
    pub(super) async fn deny(&self, setup: &Setup, payment: &Payment) -> Result<(), Error> {
        let now = (self.clock)();
        let probe = Some((payment.kind, payment.payee.clone(), payment.amount_sats));
        let mut ledger = self.store.ledger(&payment.agent, probe, now).await?;
        self.doubt_lookalikes(&mut ledger, &payment.id);
        let ask = ask(payment, 0, None);
        let denied = |denial| {
            denied(denial, &setup.policy, &payment.agent, &ledger).keyed(payment.key.as_deref())
        };
        setup.policy.precheck(&ask, &ledger, now).map_err(denied)
    }

    /// Steps 3 (the coins) to 7. Answers the payment as it stands when it ends, or when the
    /// caller's time is up.
    ///
    /// # Cancel safety
    /// Safe to drop: the payment goes on, and is remembered as one whose caller is in doubt.
    pub(super) async fn spend(&self, order: Order, until: Deadline) -> Result<Payment, Error> {
        let gone = Gone::default();
        let waiting = Waiting(gone.clone());
        let (wallet, id) = (self.clone(), order.payment.id.clone());
        let key = order.payment.key.clone();
        let wait = until.left().max(Duration::from_millis(100));
        let this = gone.clone();
        let done = self.run_to_end(wait, async move { wallet.carry_out(order, gone).await }).await;
        drop(waiting);
        let outcome = match done {
            Some(outcome) => outcome,
            None => match self.as_admitted(&id).await? {
                Some(payment) => Ok(payment),
                None => Err(this.too_late()),
            },
        };
        outcome.map_err(|error| error.keyed(key.as_deref()))
    }

    /// The payment, if it has been admitted. The barrier waits for an admission that is being
    /// written; later ones see that the caller has gone and are denied.
    async fn as_admitted(&self, id: &PaymentId) -> Result<Option<Payment>, Error> {
        self.store.barrier().await?;
        Ok(self.store.payment(id).await?)
    }

    async fn carry_out(&self, mut order: Order, gone: Gone) -> Result<Payment, Error> {
        let place = self.take_place(&order).await?;
        let (turn, inputs) = self.take_inputs(&order, &gone).await?;
        let fees = inputs.fee_sats.saturating_add(match &order.act {
            Act::Melt(quote) => quote.fee_reserve_sats,
            Act::Token { .. } => 0,
        });
        order.payment.reserved_sats = order.payment.amount_sats.saturating_add(fees);
        let _carried = self.carry(&order.payment.id, gone.clone());
        let melt = match &order.act {
            Act::Melt(quote) => {
                order.payment.state =
                    PaymentState::Sent { since: (self.clock)(), acknowledged: false };
                let mut melt = order
                    .mint
                    .plan_melt(order.payment.id.clone(), quote, inputs.coins.proofs.clone(), &turn)
                    .await?;
                melt.prepared_sats = inputs.prepared_sats;
                Some(melt)
            }
            Act::Token { .. } => None,
        };
        let admission = self.admit(&order, &inputs, melt.as_ref(), gone).await?;
        drop(order.pass.take());
        let payment = match admission {
            Admission::Admitted(payment) => payment,
            Admission::Known(payment) => return Ok(payment),
            Admission::Denied(error) => return Err(error),
        };
        let ended = match (&order.act, melt) {
            (Act::Melt(_), Some(melt)) => {
                // The inputs are held and the counters taken: the next payment may choose while
                // this one is on its way.
                drop(turn);
                let mut act = std::pin::pin!(self.act_melt(payment, &order.mint, melt));
                tokio::select! {
                    ended = &mut act => ended,
                    // The request has left by now. Lightning may hold it for long, and holds up no
                    // other payment.
                    () = tokio::time::sleep(LEAVING) => {
                        drop(place);
                        act.await
                    }
                }
            }
            (Act::Token { lock_to, memo }, _) => {
                self.act_token(payment, &order.mint, lock_to.clone(), memo.clone(), inputs, turn)
                    .await
            }
            (Act::Melt(_), None) => Err(Error::new(Code::Internal, "A payment was not planned.")),
        };
        self.wake();
        ended
    }

    /// Step 4 asked beforehand, where getting ready for it costs something: it would be admitted
    /// now with inputs that cost so much.
    pub(super) async fn would_admit(
        &self,
        order: &Order,
        input_fee_sats: u64,
    ) -> Result<(), Error> {
        let (setup, now, mut payment) =
            (self.setup().await?, (self.clock)(), order.payment.clone());
        let mut ledger = self
            .store
            .ledger(
                &payment.agent,
                Some((payment.kind, payment.payee.clone(), payment.amount_sats)),
                now,
            )
            .await?;
        self.doubt_lookalikes(&mut ledger, &payment.id);
        payment.reserved_sats = need_of(order).saturating_add(input_fee_sats);
        let decided =
            setup.policy.decide(&ask(&payment, input_fee_sats, order.max_fee_sats), &ledger, now);
        decided.map_err(|denial| denied(denial, &setup.policy, &payment.agent, &ledger))
    }

    /// This process has the payment in its hands until the guard is dropped, also by a panic.
    fn carry(&self, id: &PaymentId, gone: Gone) -> Carried {
        self.live().insert(id.clone(), gone);
        Carried { wallet: self.clone(), id: id.clone() }
    }

    /// Step 4. The rules are read and asked inside the transaction that reserves. A melt's row is
    /// written in it, with its inputs and its counters: from then on its request may have left.
    async fn admit(
        &self,
        order: &Order,
        inputs: &Inputs,
        melt: Option<&Melt>,
        gone: Gone,
    ) -> Result<Admission<Error>, Error> {
        let now = (self.clock)();
        let (wallet, payment) = (self.clone(), order.payment.clone());
        let (max_fee, input_fee) = (order.max_fee_sats, inputs.fee_sats);
        let beside = match melt {
            Some(melt) => vec![
                coins::reserve(melt.input_ys()?, melt.id),
                Change::UseCounters(melt.counters()),
                journaled(&Operation::Melt(melt.clone()))?,
            ],
            None => Vec::new(),
        };
        let admission = self
            .store
            .admit(order.payment.clone(), now, beside, move |ledger| {
                if gone.is_gone() {
                    return Err(Error::new(
                        Code::InsufficientFunds,
                        "The caller has gone; nothing was paid.",
                    ));
                }
                let policy = wallet.rules.current()?;
                let mut ledger = ledger.clone();
                wallet.doubt_lookalikes(&mut ledger, &payment.id);
                let decided = policy.decide(&ask(&payment, input_fee, max_fee), &ledger, now);
                decided.map_err(|denial| denied(denial, &policy, &payment.agent, &ledger))
            })
            .await;
        Ok(admission?)
    }

    /// A payment whose caller has gone while it was under way is in doubt before that is written
    /// down.
    fn doubt_lookalikes(&self, ledger: &mut Ledger, this: &PaymentId) {
        let live = self.live();
        ledger.lookalikes.retain(|one| one.id != *this);
        for one in &mut ledger.lookalikes {
            one.caller_in_doubt |= live.get(&one.id).is_some_and(Gone::is_gone);
        }
    }

    /// Step 6: a payment's new state, durably, with whatever has to be written beside it.
    pub(super) async fn record(
        &self,
        mut payment: Payment,
        state: PaymentState,
        mut beside: Vec<Change>,
    ) -> Result<Payment, Error> {
        let gone = self.live().get(&payment.id).is_none_or(Gone::is_gone);
        payment.caller_in_doubt = match &state {
            PaymentState::Failed { .. } | PaymentState::Returned { .. } => false,
            PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => true,
            PaymentState::Reserved | PaymentState::Settled { .. } => {
                payment.caller_in_doubt || gone
            }
        };
        payment.state = state;
        if self.nostr.is_some()
            && payment.payment_hash.is_some()
            && matches!(payment.state, PaymentState::Settled { .. })
        {
            beside.push(Change::Tell(payment.id.clone()));
        }
        beside.push(Change::Payment(payment.clone()));
        self.store.commit(beside).await?;
        self.changed();
        Ok(payment)
    }

    /// Step 6 for a definite no: nothing moved, and the same call may be made again.
    pub(super) async fn record_failure(
        &self,
        payment: Payment,
        error: Error,
        beside: Vec<Change>,
    ) -> Error {
        let reason = error
            .details
            .get("untrusted_reason")
            .and_then(|reason| reason.as_str())
            .map(str::to_owned);
        let failure = Failure { code: error.code.as_str().to_owned(), untrusted_reason: reason };
        let id = payment.id.clone();
        let state = PaymentState::Failed { at: (self.clock)(), failure };
        match self.record(payment, state, beside).await {
            Ok(_) => error.of(&id),
            Err(storage) => storage.of(&id),
        }
    }
}

fn ask(payment: &Payment, input_fee_sats: u64, caller_max_fee_sats: Option<u64>) -> Ask<'_> {
    Ask {
        agent: &payment.agent,
        amount_sats: payment.amount_sats,
        fee_ceiling_sats: payment.reserved_sats.saturating_sub(payment.amount_sats),
        input_fee_sats,
        caller_max_fee_sats,
        repeat_of: payment.repeat_of.as_ref(),
        invoice: payment.is_of_invoice(),
    }
}

/// A denial, and what is left of the day where a limit was in the way.
fn denied(denial: Denial, policy: &Policy, agent: &str, ledger: &Ledger) -> Error {
    let error = Error::from(denial);
    if matches!(error.code, Code::OverPaymentLimit | Code::FeeTooHigh) {
        return error.with("left_sats", policy.left_today(agent, ledger));
    }
    error
}
