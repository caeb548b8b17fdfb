//! Requests to a payee's server: its accepted range, and an invoice for an amount (LUD-06, LUD-16).
//!
//! Two short requests, neither of which is retried or moves money. An invoice is checked here, then
//! paid through the door like any other. Except in a zap request (NIP-57), no key or name is sent.

use std::time::Duration;

use url::Url;

use crate::model::id::PaymentId;
use crate::model::invoice::{BitcoinNetwork, Invoice};
use crate::model::lnurl::{LnurlEndpoint, PayRequest, ZapNote, read_invoice, reason};
use crate::model::mint::MoneyKind;
use crate::model::payment::{Fetched, Payment, PaymentState};
use crate::ports::{HttpRequest, JSON, Method};
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure, PayeeError};

/// Time limit for one request to a payee's server.
const EXCHANGE: Duration = Duration::from_secs(10);

/// Largest response body that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Pause after a 429 without `Retry-After`, in seconds.
const PAUSE_SECONDS: u64 = 30;

/// Parameters of an invoice request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Amount for the payee, in sats.
    pub(crate) amount_sats: u64,
    /// Message for the payee. Sent whole or not at all; a zap's request contains it already.
    pub(crate) comment: Option<&'a str>,
    /// The zap request (NIP-57). `None`: a plain payment.
    pub(crate) zap: Option<&'a ZapNote>,
    /// The failed payment being retried; the server may return its invoice again.
    pub(crate) again: Option<&'a PaymentId>,
}

/// An invoice from a payee's server that passed all checks.
#[derive(Clone, Debug)]
pub(crate) struct FetchedInvoice {
    pub(crate) invoice: Invoice,
    /// Facts about the fetch that the payment records.
    pub(crate) fetched: Fetched,
}

/// Asks a payee's server for its payment parameters. One request.
///
/// # Errors
/// [`Cause::Payee`]: nothing moved.
///
/// # Cancel safety
/// Safe to drop.
pub(crate) async fn resolve_lnurl(
    core: &Core,
    target: &LnurlEndpoint,
) -> Result<PayRequest, Failure> {
    let body = ask_server(core, &target.url).await?;
    Ok(PayRequest::read(target.clone(), &body).map_err(PayeeError::Answer)?)
}

/// Fetches an invoice and checks it: exact amount, network, expiry, and a payment hash that no
/// payment of this wallet has used. One request.
///
/// A description hash that does not match the request is recorded, not refused: some servers set a
/// wrong one. The amount is still exact and the preimage still proves the payment, but not what it
/// was for.
///
/// # Errors
/// [`Cause::Payee`], [`Cause::WrongNetwork`], [`Cause::InvoiceExpired`], and those of the store.
/// Nothing moved.
///
/// # Cancel safety
/// Safe to drop.
pub(crate) async fn fetch_invoice(
    core: &Core,
    setup: &Setup,
    request: &PayRequest,
    wanted: Wanted<'_>,
) -> Result<FetchedInvoice, Failure> {
    let amount_msat = takes(request, wanted.amount_sats)?;
    let comment = wanted.comment.filter(|words| wanted.zap.is_none() && !words.is_empty());
    let sent = comment.filter(|words| request.takes_comment(words));
    let body = ask_server(core, &request.ask(amount_msat, sent, wanted.zap)).await?;
    let invoice = read_invoice(&body).map_err(PayeeError::Answer)?;
    let now = (core.clock)();
    check(setup, &invoice, now)?;
    PayRequest::fits(&invoice, amount_msat, now)
        .map_err(|misfit| PayeeError::Misfit { misfit, asked_sats: wanted.amount_sats })?;
    if let Some(seen) = core.store.payment_by_hash(&invoice.payment_hash).await?
        && !is_same_again(&seen, wanted.again)
    {
        return Err(Failure::new(PayeeError::InvoiceAgain).of(&seen.id));
    }
    let fetched = Fetched {
        comment_sent: comment.map(|_| sent.is_some()),
        description_hash_ok: request.is_named_by(&invoice, wanted.zap),
    };
    Ok(FetchedInvoice { invoice, fetched })
}

async fn ask_server(core: &Core, url: &Url) -> Result<Vec<u8>, Failure> {
    let request = HttpRequest {
        method: Method::Get,
        url: url.to_string(),
        body: None,
        accept: JSON,
        deadline: EXCHANGE,
    };
    let answer = core.http.send(request).await.map_err(PayeeError::Http)?;
    match answer.status {
        200..=299 if answer.body.len() > MAX_ANSWER => Err(PayeeError::TooLong.into()),
        200..=299 => Ok(answer.body),
        status => {
            let pause = || answer.retry_after_seconds.unwrap_or(PAUSE_SECONDS);
            Err(PayeeError::Status {
                status,
                reason: reason(&answer.body),
                retry_after_seconds: (status == 429).then(pause),
            }
            .into())
        }
    }
}

/// Refuses an expired invoice, and one for a test network if the money is real.
pub(crate) fn check(setup: &Setup, invoice: &Invoice, now: u64) -> Result<(), Failure> {
    if setup.money == MoneyKind::Real && invoice.network != BitcoinNetwork::Bitcoin {
        return Err(Cause::WrongNetwork.into());
    }
    if invoice.is_expired(now) { Err(Cause::InvoiceExpired.into()) } else { Ok(()) }
}

/// Converts the amount to millisats, or refuses it if the server does not accept it.
pub(crate) fn takes(request: &PayRequest, amount_sats: u64) -> Result<u64, Failure> {
    if let Some(amount_msat) = request.asks_msat(amount_sats) {
        return Ok(amount_msat);
    }
    let (min_sats, max_sats) = (request.min_sats(), request.max_sats());
    Err(PayeeError::OutOfRange { min_sats, max_sats, asked_sats: amount_sats }.into())
}

/// Returns whether the known payment is the one being retried and has failed for good.
fn is_same_again(seen: &Payment, again: Option<&PaymentId>) -> bool {
    again == Some(&seen.id) && matches!(seen.state, PaymentState::Failed { .. })
}
