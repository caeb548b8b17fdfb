//! A mint's node on the simulated network, as cdk sees a Lightning backend: `MintPayment` for
//! BOLT11 in sat. It tells the mint only what the network did; an invoice of the mint itself never
//! comes here, because cdk settles that one inside, without a preimage.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cdk_common::amount::Amount;
use cdk_common::database::DynMintDatabase;
use cdk_common::nuts::{CurrencyUnit, MeltOptions, MeltQuoteState};
use cdk_common::payment::{
    Bolt11OutgoingPaymentOptions, Bolt11Settings, CreateIncomingPaymentResponse, Error, Event,
    IncomingPaymentOptions, MakePaymentResponse, MintPayment, OutgoingPaymentOptions,
    PaymentIdentifier, PaymentQuoteResponse, SettingsResponse, WaitPaymentResponse,
};
use cdk_common::util::{hex, unix_time};
use futures::{Stream, StreamExt, stream};
use lightning_invoice::Bolt11Invoice;
use tokio_util::sync::CancellationToken;

use crate::invoice::InvoiceSpec;
use crate::lightning::Lightning;
use crate::network::{Attempt, NodeEvent, NodeId, Order, Progress};

/// How often an invoice that pays itself looks whether its mint has written the quote down.
const QUOTE_POLL: Duration = Duration::from_millis(2);

/// What a mint's backend charges and accepts.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) fee_reserve_min: u64,
    pub(crate) fee_reserve_percent: u64,
    pub(crate) amountless: bool,
    pub(crate) auto_pay: Option<Duration>,
}

pub(crate) struct Backend {
    lightning: Lightning,
    node: NodeId,
    terms: Terms,
    quotes: DynMintDatabase,
    listening: AtomicBool,
    cancel: CancellationToken,
}

impl Backend {
    pub(crate) fn new(
        lightning: Lightning,
        node: NodeId,
        terms: Terms,
        quotes: DynMintDatabase,
    ) -> Self {
        let (listening, cancel) = (AtomicBool::new(false), CancellationToken::new());
        Self { lightning, node, terms, quotes, listening, cancel }
    }

    /// Pays an invoice of this node from outside once the mint knows its quote, after the delay.
    fn pay_by_itself(&self, invoice: Bolt11Invoice, id: PaymentIdentifier, delay: Duration) {
        let (lightning, quotes) = (self.lightning.clone(), self.quotes.clone());
        tokio::spawn(async move {
            while !matches!(quotes.get_mint_quote_by_request_lookup_id(&id).await, Ok(Some(_))) {
                tokio::time::sleep(QUOTE_POLL).await;
            }
            tokio::time::sleep(delay).await;
            if let Err(why) = lightning.pay(&invoice) {
                tracing::debug!("an invoice did not pay itself: {why}");
            }
        });
    }
}

#[async_trait]
impl MintPayment for Backend {
    type Err = Error;

    async fn get_settings(&self) -> Result<SettingsResponse, Error> {
        let amountless = self.terms.amountless;
        Ok(SettingsResponse {
            unit: CurrencyUnit::Sat.to_string(),
            bolt11: Some(Bolt11Settings { mpp: false, amountless, invoice_description: true }),
            bolt12: None,
            onchain: None,
            custom: HashMap::new(),
        })
    }

    async fn create_incoming_payment_request(
        &self,
        options: IncomingPaymentOptions,
    ) -> Result<CreateIncomingPaymentResponse, Error> {
        let IncomingPaymentOptions::Bolt11(options) = options else {
            return Err(Error::UnsupportedPaymentOption);
        };
        let amount = options.amount.convert_to(&CurrencyUnit::Sat)?.value();
        let mut spec = InvoiceSpec::sats(amount, &options.description.unwrap_or_default());
        if let Some(expiry) = options.unix_expiry {
            spec.expiry_seconds = expiry.saturating_sub(unix_time());
        }
        let invoice = self.lightning.issue(self.node, &spec)?;
        let id = identifier(&invoice);
        if let Some(delay) = self.terms.auto_pay {
            self.pay_by_itself(invoice.clone(), id.clone(), delay);
        }
        Ok(CreateIncomingPaymentResponse {
            request_lookup_id: id,
            request: invoice.to_string(),
            expiry: invoice.expires_at().map(|at| at.as_secs()),
            extra_json: None,
        })
    }

    async fn get_payment_quote(
        &self,
        unit: &CurrencyUnit,
        options: OutgoingPaymentOptions,
    ) -> Result<PaymentQuoteResponse, Error> {
        let options = bolt11(unit, options)?;
        let amount = amount_msat(&options)?.div_ceil(1000);
        let share = amount * self.terms.fee_reserve_percent / 100;
        Ok(PaymentQuoteResponse {
            request_lookup_id: Some(identifier(&options.bolt11)),
            amount: sat(amount),
            fee: sat(share.max(self.terms.fee_reserve_min)),
            state: MeltQuoteState::Unpaid,
            extra_json: None,
            estimated_blocks: None,
            fee_options: None,
        })
    }

    async fn make_payment(
        &self,
        unit: &CurrencyUnit,
        options: OutgoingPaymentOptions,
    ) -> Result<MakePaymentResponse, Error> {
        let options = bolt11(unit, options)?;
        let hash = options.bolt11.payment_hash().to_string();
        match self.lightning.attempt(self.node, &hash).map(|attempt| attempt.progress) {
            Some(Progress::Settled { .. }) => return Err(Error::InvoiceAlreadyPaid),
            Some(Progress::InFlight) => return Err(Error::InvoicePaymentPending),
            Some(Progress::Failed { .. }) | None => {}
        }
        let order = Order {
            payer: self.node,
            amount_msat: amount_msat(&options)?,
            invoice: options.bolt11,
            max_fee_msat: options.max_fee_amount.map(|most| most.value() * 1000),
            quote: Some(options.quote_id),
        };
        let attempt = self.lightning.send(order).await.ok_or(Error::UnknownPaymentState)?;
        answer(&attempt)
    }

    async fn wait_payment_event(&self) -> Result<Pin<Box<dyn Stream<Item = Event> + Send>>, Error> {
        self.listening.store(true, Ordering::SeqCst);
        let events = self.lightning.listen(self.node);
        let events = stream::unfold(events, |mut events| async move {
            let event = events.recv().await?;
            Some((event, events))
        });
        let cancelled = self.cancel.clone().cancelled_owned();
        let events = events.filter_map(|event| async move { translate(event) });
        Ok(Box::pin(events.take_until(cancelled)))
    }

    fn is_payment_event_stream_active(&self) -> bool {
        self.listening.load(Ordering::SeqCst)
    }

    fn cancel_payment_event_stream(&self) {
        self.listening.store(false, Ordering::SeqCst);
        self.cancel.cancel();
    }

    async fn check_incoming_payment_status(
        &self,
        id: &PaymentIdentifier,
    ) -> Result<Vec<WaitPaymentResponse>, Error> {
        let hash = id.to_string();
        let received = self.lightning.received(&hash);
        received.map(|amount_msat| arrival(&hash, amount_msat)).transpose().map(Vec::from_iter)
    }

    async fn check_outgoing_payment(
        &self,
        id: &PaymentIdentifier,
    ) -> Result<MakePaymentResponse, Error> {
        match self.lightning.attempt(self.node, &id.to_string()) {
            Some(attempt) => answer(&attempt),
            None => Ok(MakePaymentResponse {
                payment_lookup_id: id.clone(),
                payment_proof: None,
                status: MeltQuoteState::Unpaid,
                total_spent: sat(0),
            }),
        }
    }
}

fn sat(amount: u64) -> Amount<CurrencyUnit> {
    Amount::new(amount, CurrencyUnit::Sat)
}

fn identifier(invoice: &Bolt11Invoice) -> PaymentIdentifier {
    PaymentIdentifier::PaymentHash(*invoice.payment_hash().as_ref())
}

fn bolt11(
    unit: &CurrencyUnit,
    options: OutgoingPaymentOptions,
) -> Result<Bolt11OutgoingPaymentOptions, Error> {
    match options {
        _ if unit != &CurrencyUnit::Sat => Err(Error::UnsupportedUnit),
        OutgoingPaymentOptions::Bolt11(options) => Ok(*options),
        _ => Err(Error::UnsupportedPaymentOption),
    }
}

fn amount_msat(options: &Bolt11OutgoingPaymentOptions) -> Result<u64, Error> {
    let asked = options.bolt11.amount_milli_satoshis();
    match options.melt_options {
        Some(MeltOptions::Amountless { amountless }) => match u64::from(amountless.amount_msat) {
            given if asked.is_some_and(|asked| asked != given) => Err(Error::AmountMismatch),
            given => Ok(given),
        },
        Some(MeltOptions::Mpp { .. }) => Err(Error::UnsupportedPaymentOption),
        None => asked.ok_or_else(|| Error::Custom("the invoice names no amount".to_owned())),
    }
}

fn answer(attempt: &Attempt) -> Result<MakePaymentResponse, Error> {
    let spent = (attempt.amount_msat + attempt.fee_msat).div_ceil(1000);
    let (status, payment_proof, total_spent) = match &attempt.progress {
        Progress::Settled { preimage } => {
            (MeltQuoteState::Paid, Some(hex::encode(preimage)), sat(spent))
        }
        Progress::InFlight => (MeltQuoteState::Pending, None, sat(0)),
        Progress::Failed { .. } => (MeltQuoteState::Failed, None, sat(0)),
    };
    let payment_lookup_id = PaymentIdentifier::new("payment_hash", &attempt.hash)?;
    Ok(MakePaymentResponse { payment_lookup_id, payment_proof, status, total_spent })
}

fn arrival(hash: &str, amount_msat: u64) -> Result<WaitPaymentResponse, Error> {
    Ok(WaitPaymentResponse {
        payment_identifier: PaymentIdentifier::new("payment_hash", hash)?,
        payment_amount: sat(amount_msat / 1000),
        payment_id: hash.to_owned(),
    })
}

fn translate(event: NodeEvent) -> Option<Event> {
    match event {
        NodeEvent::Received { hash, amount_msat } => {
            arrival(&hash, amount_msat).ok().map(Event::PaymentReceived)
        }
        NodeEvent::Resolved(attempt) => {
            let quote_id = attempt.quote.clone()?;
            match &attempt.progress {
                Progress::Settled { .. } => {
                    let details = answer(&attempt).ok()?;
                    Some(Event::PaymentSuccessful { quote_id, details })
                }
                Progress::Failed { reason } => {
                    Some(Event::PaymentFailed { quote_id, reason: (*reason).to_owned() })
                }
                Progress::InFlight => None,
            }
        }
    }
}
