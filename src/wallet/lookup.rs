//! What became of a payment, a token handed out, or a received token.

use tokio::time::{Duration, sleep};

use super::Wallet;
use super::code::Code;
use super::deadline::Deadline;
use super::error::Error;
use super::gate::Name;
use super::pay::still_planned;
use super::request::{Caller, GetPayment};
use super::rules::Setup;
use super::show::{self, Replay};
use super::view::PaymentView;
use crate::model::id::{PaymentId, ReceiveId};
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::Receive;

const TOKEN_PATIENCE: Duration = Duration::from_secs(5);

/// A lookup waits at least so long for a payment that another call is planning.
const PLANNED_PATIENCE: Duration = Duration::from_secs(5);
/// How often the lookup looks whether that payment has been recorded.
const PLANNED_LOOK: Duration = Duration::from_millis(100);

impl Wallet {
    /// Looks a payment up by exactly one of its names; with `wait_seconds`, once it is final or the
    /// time is up. One that a call is planning right now is waited for 5 s at least.
    ///
    /// # Errors
    /// `invalid_input`, `not_found`; `mint_unreachable`: a call still plans it, and nothing was
    /// sent.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn get_payment(
        &self,
        caller: &Caller,
        request: GetPayment,
    ) -> Result<PaymentView, Error> {
        let call = self.deadline();
        let wait = Duration::from_secs(request.wait_seconds.unwrap_or(0));
        let (until, patience) = (call.within(wait), call.within(wait.max(PLANNED_PATIENCE)));
        let setup = self.setup().await?;
        let given = [&request.payment_id, &request.payment_hash, &request.idempotency_key];
        if given.iter().filter(|one| one.is_some()).count() != 1 {
            return Err(Error::invalid(
                "payment_id",
                "Give exactly one of payment_id, payment_hash and idempotency_key.",
            ));
        }
        if let Some(text) =
            request.payment_id.as_deref().filter(|text| text.starts_with(ReceiveId::PREFIX))
        {
            return self.get_receive(caller, text, until).await;
        }
        let mut payment = loop {
            // Before the journal is looked at: what is admitted between the two is found there.
            let planned = self.is_planned(caller, &request);
            match self.find(caller, &request).await {
                Err(error) if error.code == Code::NotFound => {
                    // A zap that was shared among several has a name of its own.
                    if let Some(shown) = self.find_group(&setup, caller, &request).await? {
                        return Ok(shown);
                    }
                    if !planned {
                        return Err(error);
                    }
                    if patience.is_past() {
                        return Err(still_planned(request.idempotency_key.as_deref()));
                    }
                    sleep(PLANNED_LOOK).await;
                }
                found => break found?,
            }
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
        self.show_payment(&setup, caller, payment, Replay::Asked).await
    }

    /// A call is planning the payment that is asked for.
    fn is_planned(&self, caller: &Caller, request: &GetPayment) -> bool {
        let hash = request.payment_hash.as_deref().map(read_hash);
        let names =
            [hash.as_deref().map(Name::Hash), request.idempotency_key.as_deref().map(Name::Key)];
        names.into_iter().flatten().any(|name| self.gates.is_announced(&caller.agent, name))
    }

    async fn find_group(
        &self,
        setup: &Setup,
        caller: &Caller,
        request: &GetPayment,
    ) -> Result<Option<PaymentView>, Error> {
        let named = request.payment_id.as_deref().and_then(|text| text.parse::<PaymentId>().ok());
        match named.or_else(|| {
            request.idempotency_key.as_deref().map(|key| super::zap::group(caller, Some(key)))
        }) {
            Some(group) => self.shown_group(setup, caller, &group).await,
            None => Ok(None),
        }
    }

    async fn find(&self, caller: &Caller, request: &GetPayment) -> Result<Payment, Error> {
        if let Some(text) = request.payment_id.as_deref() {
            return self.own_payment(caller, text).await;
        }
        let found = match (&request.payment_hash, &request.idempotency_key) {
            (Some(hash), _) => self.store.payment_by_hash(&read_hash(hash)).await?,
            (_, Some(key)) => self.store.payment_by_key(&caller.agent, key).await?,
            _ => None,
        };
        found
            .filter(|payment| payment.agent == caller.agent)
            .ok_or_else(|| Error::new(Code::NotFound, "No payment of this agent has that name."))
    }

    /// The agent's own payment of this id.
    pub(super) async fn own_payment(&self, caller: &Caller, text: &str) -> Result<Payment, Error> {
        let none = || Error::new(Code::NotFound, "No payment of this agent has that id.");
        if text.starts_with("dep_") {
            return Err(none().next("That is a deposit: call get_deposit with it."));
        }
        let id = text
            .parse::<PaymentId>()
            .map_err(|_| Error::invalid("payment_id", "payment_id is not the id of a payment."))?;
        self.store
            .payment(&id)
            .await?
            .filter(|payment| payment.agent == caller.agent)
            .ok_or_else(none)
    }

    /// The payment as it stands now. For an unclaimed token the mint is asked whether somebody has
    /// claimed it.
    async fn look_again(&self, payment: Payment, call: Deadline) -> Result<Payment, Error> {
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
        text: &str,
        until: Deadline,
    ) -> Result<PaymentView, Error> {
        let id = text.parse::<ReceiveId>().map_err(|_| {
            Error::invalid("payment_id", "payment_id is not the id of a received token.")
        })?;
        loop {
            let found: Option<Receive> =
                self.store.receive(&id).await?.filter(|receive| receive.agent == caller.agent);
            let found = found.ok_or_else(|| {
                Error::new(Code::NotFound, "No received token of this agent has that id.")
            })?;
            let mut view = show::receive(found, false);
            view.replayed = None;
            if view.is_final || until.is_past() {
                return Ok(view);
            }
            self.hurry(text);
            sleep(until.within(Duration::from_secs(1)).left()).await;
        }
    }
}

fn read_hash(text: &str) -> String {
    text.trim().to_lowercase()
}
