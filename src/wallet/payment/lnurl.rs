//! Asking a payee's server: what it takes, and an invoice for an amount (LUD-06, LUD-16).
//!
//! Two requests, each made once, each short. Neither moves money, and neither is trusted: what
//! comes back is an invoice that was checked, to be paid through the one door like any other. Sends
//! nobody's key, and no name of ours.

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

/// How long one exchange with a payee's server may take.
const EXCHANGE: Duration = Duration::from_secs(10);

/// The longest answer of one that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// The pause after a server's "too many" that names none, in seconds.
const PAUSE_SECONDS: u64 = 30;

/// What an invoice is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// What the payee shall get.
    pub(crate) amount_sats: u64,
    /// Words for the payee. Sent where the server takes them as they are, never cut; with a zap the
    /// words are in its request.
    pub(crate) comment: Option<&'a str>,
    /// The request that makes it a zap.
    pub(crate) zap: Option<&'a ZapNote>,
    /// The failed payment that is tried again: its own invoice may come once more.
    pub(crate) again: Option<&'a PaymentId>,
}

/// An invoice of a payee's server that may be paid.
#[derive(Clone, Debug)]
pub(crate) struct FetchedInvoice {
    pub(crate) invoice: Invoice,
    /// What the payment remembers of it.
    pub(crate) fetched: Fetched,
}

/// Asks a payee's server what it takes. One request.
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

/// Asks for an invoice, and checks it: exact amount, network, time left, and that no payment of
/// ours has had its hash. One request.
///
/// Some servers name by their invoices' hash something else than what they were asked for. The
/// amount is right all the same and the preimage proves that it was paid; only what for it does
/// not prove. So that is told, not refused.
///
/// # Errors
/// [`Cause::Payee`], [`Cause::WrongNetwork`], [`Cause::InvoiceExpired`], and those of the store.
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

/// What stands against paying an invoice, whoever pays.
pub(crate) fn check(setup: &Setup, invoice: &Invoice, now: u64) -> Result<(), Failure> {
    if setup.money == MoneyKind::Real && invoice.network != BitcoinNetwork::Bitcoin {
        return Err(Cause::WrongNetwork.into());
    }
    if invoice.is_expired(now) { Err(Cause::InvoiceExpired.into()) } else { Ok(()) }
}

/// The server takes this amount: what it is to be asked for, in thousandths of a sat.
pub(crate) fn takes(request: &PayRequest, amount_sats: u64) -> Result<u64, Failure> {
    if let Some(amount_msat) = request.asks_msat(amount_sats) {
        return Ok(amount_msat);
    }
    let (min_sats, max_sats) = (request.min_sats(), request.max_sats());
    Err(PayeeError::OutOfRange { min_sats, max_sats, asked_sats: amount_sats }.into())
}

/// Only a payment that failed for good, and that is being tried again, may meet its own invoice.
fn is_same_again(seen: &Payment, again: Option<&PaymentId>) -> bool {
    again == Some(&seen.id) && matches!(seen.state, PaymentState::Failed { .. })
}
