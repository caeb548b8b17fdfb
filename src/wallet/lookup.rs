//! What became of a payment, a token handed out, or a received token.

use tokio::time::{Duration, sleep};

use super::deadline::Deadline;
use super::failure::{Cause, Failure, Late, Missing};
use super::gate::Name;
use super::record::{Outcome, ReceiveRecord, Replay, SharedZap};
use super::rules::Setup;
use super::{Caller, Wallet};
use crate::model::id::{PaymentId, ReceiveId};
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::ReceiveState;

/// The name under which something is looked up.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// A payment, or a shared zap.
    Id(PaymentId),
    /// A received token.
    Received(ReceiveId),
    /// A payment by its invoice's payment hash, in lower-case hex.
    Hash(String),
    /// A payment, or a shared zap, by its idempotency key.
    Key(String),
}

const TOKEN_PATIENCE: Duration = Duration::from_secs(5);

/// A lookup waits at least so long for a payment that another call is planning.
const PLANNED_PATIENCE: Duration = Duration::from_secs(5);
/// How often the lookup looks whether that payment has been recorded.
const PLANNED_LOOK: Duration = Duration::from_millis(100);

impl Wallet {
    /// Looks a payment or a received token up, once it is final or `wait` is over. One that a call
    /// is planning right now is waited for 5 s at least.
    ///
    /// # Errors
    /// [`Cause::NotFound`]; [`Late::Planned`]: a call still plans it, and nothing was sent.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn get_payment(
        &self,
        caller: &Caller,
        lookup: &Lookup,
        wait: Duration,
    ) -> Result<Outcome, Failure> {
        let call = self.deadline();
        let (until, patience) = (call.within(wait), call.within(wait.max(PLANNED_PATIENCE)));
        let setup = self.setup().await?;
        if let Lookup::Received(id) = lookup {
            return self.get_receive(caller, id, until).await;
        }
        let mut payment = loop {
            // Before the journal is looked at: what is admitted between the two is found there.
            let planned = self.is_planned(caller, lookup);
            if let Some(found) = self.find(caller, lookup).await? {
                break found;
            }
            // A zap that was shared among several has a name of its own.
            if let Some(shared) = self.find_group(&setup, caller, lookup).await? {
                return Ok(Outcome::Shared(shared));
            }
            if !planned {
                return Err(Cause::NotFound(missing(lookup)).into());
            }
            if patience.is_past() {
                return Err(Cause::Late(Late::Planned).into());
            }
            sleep(PLANNED_LOOK).await;
        };
        let mut changes = self.notices.subscribe();
        loop {
            changes.mark_unchanged();
            payment = self.look_again(payment, call).await?;
            let open = payment.is_open() || self.is_being_reclaimed(&payment).await?;
            if !open || until.is_past() {
                break;
            }
            self.hurry(payment.id.as_str());
            let _news = until.within(Duration::from_secs(2)).wait(changes.changed()).await;
        }
        Ok(self.describe(&setup, caller, payment, Replay::Asked).await?.into())
    }

    /// A call is planning the payment that is asked for.
    fn is_planned(&self, caller: &Caller, lookup: &Lookup) -> bool {
        let name = match lookup {
            Lookup::Hash(hash) => Name::Hash(hash),
            Lookup::Key(key) => Name::Key(key),
            Lookup::Id(_) | Lookup::Received(_) => return false,
        };
        self.gates.is_announced(&caller.agent, name)
    }

    async fn find_group(
        &self,
        setup: &Setup,
        caller: &Caller,
        lookup: &Lookup,
    ) -> Result<Option<SharedZap>, Failure> {
        match lookup {
            Lookup::Id(group) => self.shared_zap(setup, caller, group).await,
            Lookup::Key(key) => {
                self.shared_zap(setup, caller, &super::zap::group(caller, Some(key))).await
            }
            Lookup::Hash(_) | Lookup::Received(_) => Ok(None),
        }
    }

    async fn find(&self, caller: &Caller, lookup: &Lookup) -> Result<Option<Payment>, Failure> {
        let found = match lookup {
            Lookup::Id(id) => self.store.payment(id).await?,
            Lookup::Hash(hash) => self.store.payment_by_hash(hash).await?,
            Lookup::Key(key) => self.store.payment_by_key(&caller.agent, key).await?,
            Lookup::Received(_) => None,
        };
        Ok(found.filter(|payment| payment.agent == caller.agent))
    }

    /// The payment as it stands now. For an unclaimed token the mint is asked whether somebody has
    /// claimed it.
    async fn look_again(&self, payment: Payment, call: Deadline) -> Result<Payment, Failure> {
        let payment = self.store.payment(&payment.id).await?.unwrap_or(payment);
        if matches!(payment.state, PaymentState::Settled { claimed: false, .. })
            && let Some(row) = self.store.token(&payment.id).await?
        {
            let (wallet, this) = (self.clone(), payment.clone());
            let asked = self
                .run_to_end(call.within(TOKEN_PATIENCE).left(), async move {
                    wallet.check_claimed(this, row).await
                })
                .await;
            return Ok(asked.and_then(Result::ok).unwrap_or(payment));
        }
        Ok(payment)
    }

    async fn get_receive(
        &self,
        caller: &Caller,
        id: &ReceiveId,
        until: Deadline,
    ) -> Result<Outcome, Failure> {
        loop {
            let found = self.store.receive(id).await?;
            let receive = found
                .filter(|receive| receive.agent == caller.agent)
                .ok_or(Cause::NotFound(Missing::Receive))?;
            let is_open =
                matches!(receive.state, ReceiveState::Open | ReceiveState::GivenUp { .. });
            if !is_open || until.is_past() {
                return Ok(ReceiveRecord { receive, replay: Replay::Asked }.into());
            }
            self.hurry(id.as_str());
            sleep(until.within(Duration::from_secs(1)).left()).await;
        }
    }
}

fn missing(lookup: &Lookup) -> Missing {
    match lookup {
        Lookup::Id(_) => Missing::Payment,
        Lookup::Received(_) => Missing::Receive,
        Lookup::Hash(_) | Lookup::Key(_) => Missing::PaymentName,
    }
}
