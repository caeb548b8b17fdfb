//! Lookup of a payment, a sent token or a received token.

use tokio::time::{Duration, sleep};

use crate::model::id::{PaymentId, ReceiveId};
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::ReceiveState;
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::deadline::Deadline;
use crate::wallet::core::failure::{Cause, Failure, Late, Missing};
use crate::wallet::core::lock::Name;
use crate::wallet::door::record::{Outcome, ReceiveRecord, Replay, SharedZap, describe};
use crate::wallet::engine::journal::is_being_reclaimed;
use crate::wallet::payment::Payments;
use crate::wallet::token::watch::check_claimed;
use crate::wallet::zap::group;
use crate::wallet::zap::shares::shared_zap;

/// Name by which a record is looked up.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Id of a payment or shared zap.
    Id(PaymentId),
    /// Id of a received token.
    Received(ReceiveId),
    /// Payment hash of a payment's invoice, in lower-case hex.
    Hash(String),
    /// Idempotency key of a payment or shared zap.
    Key(String),
}

const TOKEN_PATIENCE: Duration = Duration::from_secs(5);

/// Least wait for a payment that another call is planning.
const PLANNED_PATIENCE: Duration = Duration::from_secs(5);
/// Interval between checks for that payment's record.
const PLANNED_LOOK: Duration = Duration::from_millis(100);

impl Payments<'_> {
    /// Returns a payment or received token once it is final, or its current state after `wait`. A
    /// payment that a call is still planning is awaited for at least 5 s.
    ///
    /// # Errors
    /// [`Cause::NotFound`]; [`Late::Planned`]: a call is still planning it, and nothing was sent.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn get(
        self,
        caller: &Caller,
        lookup: &Lookup,
        wait: Duration,
    ) -> Result<Outcome, Failure> {
        let core = self.0;
        let call = core.deadline();
        let (until, patience) = (call.within(wait), call.within(wait.max(PLANNED_PATIENCE)));
        let setup = core.setup().await?;
        if let Lookup::Received(id) = lookup {
            return get_receive(core, caller, id, until).await;
        }
        let mut payment = loop {
            // Check this before the journal, which then has what is admitted in between.
            let planned = is_planned(core, caller, lookup);
            if let Some(found) = find(core, caller, lookup).await? {
                break found;
            }
            // A zap split among several recipients has its own id.
            if let Some(shared) = find_group(core, &setup, caller, lookup).await? {
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
        let mut changes = core.notices.subscribe();
        loop {
            changes.mark_unchanged();
            payment = look_again(core, payment, call).await?;
            let open = payment.is_open() || is_being_reclaimed(core, &payment).await?;
            if !open || until.is_past() {
                break;
            }
            core.hurry(payment.id.as_str());
            let _news = until.within(Duration::from_secs(2)).wait(changes.changed()).await;
        }
        Ok(describe(core, &setup, caller, payment, Replay::Asked).await?.into())
    }
}

/// Returns whether a call is planning the requested payment.
fn is_planned(core: &Core, caller: &Caller, lookup: &Lookup) -> bool {
    let name = match lookup {
        Lookup::Hash(hash) => Name::Hash(hash),
        Lookup::Key(key) => Name::Key(key),
        Lookup::Id(_) | Lookup::Received(_) => return false,
    };
    core.locks.is_announced(&caller.agent, name)
}

async fn find_group(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    lookup: &Lookup,
) -> Result<Option<SharedZap>, Failure> {
    match lookup {
        Lookup::Id(group) => shared_zap(core, setup, caller, group).await,
        Lookup::Key(key) => shared_zap(core, setup, caller, &group(caller, Some(key))).await,
        Lookup::Hash(_) | Lookup::Received(_) => Ok(None),
    }
}

async fn find(core: &Core, caller: &Caller, lookup: &Lookup) -> Result<Option<Payment>, Failure> {
    let found = match lookup {
        Lookup::Id(id) => core.store.payment(id).await?,
        Lookup::Hash(hash) => core.store.payment_by_hash(hash).await?,
        Lookup::Key(key) => core.store.payment_by_key(&caller.agent, key).await?,
        Lookup::Received(_) => None,
    };
    Ok(found.filter(|payment| payment.agent == caller.agent))
}

/// Reads the payment again. For an unclaimed token, also asks the mint if it was claimed.
async fn look_again(core: &Core, payment: Payment, call: Deadline) -> Result<Payment, Failure> {
    let payment = core.store.payment(&payment.id).await?.unwrap_or(payment);
    if matches!(payment.state, PaymentState::Settled { claimed: false, .. })
        && let Some(row) = core.store.token(&payment.id).await?
    {
        let (owned, this) = (core.clone(), payment.clone());
        let asked = core
            .run_to_end(call.within(TOKEN_PATIENCE).left(), async move {
                check_claimed(&owned, this, row).await
            })
            .await;
        return Ok(asked.and_then(Result::ok).unwrap_or(payment));
    }
    Ok(payment)
}

async fn get_receive(
    core: &Core,
    caller: &Caller,
    id: &ReceiveId,
    until: Deadline,
) -> Result<Outcome, Failure> {
    loop {
        let found = core.store.receive(id).await?;
        let receive = found
            .filter(|receive| receive.agent == caller.agent)
            .ok_or(Cause::NotFound(Missing::Receive))?;
        let is_open = matches!(receive.state, ReceiveState::Open | ReceiveState::GivenUp { .. });
        if !is_open || until.is_past() {
            return Ok(ReceiveRecord { receive, replay: Replay::Asked }.into());
        }
        core.hurry(id.as_str());
        sleep(until.within(Duration::from_secs(1)).left()).await;
    }
}

fn missing(lookup: &Lookup) -> Missing {
    match lookup {
        Lookup::Id(_) => Missing::Payment,
        Lookup::Received(_) => Missing::Receive,
        Lookup::Hash(_) | Lookup::Key(_) => Missing::PaymentName,
    }
}
