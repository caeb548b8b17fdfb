//! Asking a payee's server: what it takes, and an invoice for an amount (LUD-06, LUD-16).
//!
//! Two requests, each made once, each short. Neither moves money, and neither is trusted: what
//! comes back is an invoice that was checked, to be paid through the one door like any other. Sends
//! nobody's key, and no name of ours.

use std::time::Duration;

use url::Url;

use super::Wallet;
use super::code::Code;
use super::error::Error;
use super::payable::check;
use super::rules::Setup;
use crate::model::id::PaymentId;
use crate::model::invoice::Invoice;
use crate::model::lnurl::{AnswerError, Misfit, PayRequest, Target, ZapNote, read_invoice, reason};
use crate::model::payment::{Fetched, Payment, PaymentState};
use crate::ports::{HttpFailure, HttpRequest, JSON, Method, UNRESOLVED};

/// How long one exchange with a payee's server may take.
const EXCHANGE: Duration = Duration::from_secs(10);

/// The longest answer of one that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// The pause after a server's "too many" that names none, in seconds.
const PAUSE_SECONDS: u64 = 30;

/// What an invoice is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// What the payee shall get.
    pub(super) amount_sats: u64,
    /// Words for the payee. Sent where the server takes them as they are, never cut; with a zap the
    /// words are in its request.
    pub(super) comment: Option<&'a str>,
    /// The request that makes it a zap.
    pub(super) zap: Option<&'a ZapNote>,
    /// The failed payment that is tried again: its own invoice may come once more.
    pub(super) again: Option<&'a PaymentId>,
}

/// An invoice of a payee's server that may be paid.
#[derive(Clone, Debug)]
pub(super) struct FetchedInvoice {
    pub(super) invoice: Invoice,
    /// What the payment remembers of it.
    pub(super) fetched: Fetched,
}

impl Wallet {
    /// Asks a payee's server what it takes. One request.
    ///
    /// # Errors
    /// `address_refused`, `recipient_unknown`, `recipient_refuses`, `payee_unsupported`,
    /// `server_unreachable`, `too_many_requests`: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub(super) async fn resolve_lnurl(&self, target: &Target) -> Result<PayRequest, Error> {
        let body = self.ask_server(&target.url).await?;
        PayRequest::read(target.clone(), &body).map_err(refusal)
    }

    /// Asks for an invoice, and checks it: exact amount, network, time left, and that no payment of
    /// ours has had its hash. One request.
    ///
    /// Some servers name by their invoices' hash something else than what they were asked for. The
    /// amount is right all the same and the preimage proves that it was paid; only what for it does
    /// not prove. So that is told, not refused.
    ///
    /// # Errors
    /// As [`Wallet::resolve_lnurl`], and `amount_out_of_range`, `wrong_network`, `invoice_expired`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub(super) async fn fetch_invoice(
        &self,
        setup: &Setup,
        request: &PayRequest,
        wanted: Wanted<'_>,
    ) -> Result<FetchedInvoice, Error> {
        let amount_msat = takes(request, wanted.amount_sats)?;
        let comment = wanted.comment.filter(|words| wanted.zap.is_none() && !words.is_empty());
        let sent = comment.filter(|words| request.takes_comment(words));
        let body = self.ask_server(&request.ask(amount_msat, sent, wanted.zap)).await?;
        let invoice = read_invoice(&body).map_err(refusal)?;
        let now = (self.clock)();
        check(setup, &invoice, now)?;
        PayRequest::fits(&invoice, amount_msat, now)
            .map_err(|misfit| unfit(misfit, wanted.amount_sats))?;
        if let Some(seen) = self.store.payment_by_hash(&invoice.payment_hash).await?
            && !is_same_again(&seen, wanted.again)
        {
            let again = Error::new(
                Code::RecipientRefuses,
                "The payee's server gave an invoice that it had given before; it was not paid again.",
            );
            return Err(again
                .of(&seen.id)
                .next("Look at the earlier payment with get_payment, and tell the user."));
        }
        let fetched = Fetched {
            comment_sent: comment.map(|_| sent.is_some()),
            description_hash_ok: request.is_named_by(&invoice, wanted.zap),
        };
        Ok(FetchedInvoice { invoice, fetched })
    }

    async fn ask_server(&self, url: &Url) -> Result<Vec<u8>, Error> {
        let request = HttpRequest {
            method: Method::Get,
            url: url.to_string(),
            body: None,
            accept: JSON,
            deadline: EXCHANGE,
        };
        let answer = self.http.send(request).await.map_err(|failure| unheard(&failure))?;
        let says_no = |code, message: &str| {
            let error = Error::new(code, message).with("status", answer.status);
            error.with_untrusted("reason", &reason(&answer.body).unwrap_or_default())
        };
        match answer.status {
            200..=299 if answer.body.len() > MAX_ANSWER => Err(Error::new(
                Code::RecipientRefuses,
                "The payee's server answers with more than an answer can be; it was not read.",
            )),
            200..=299 => Ok(answer.body),
            300..=399 => Err(says_no(
                Code::RecipientRefuses,
                "The payee's server sends us to another place, which is not followed.",
            )),
            404 | 410 => {
                Err(says_no(Code::RecipientUnknown, "The payee's server does not know this payee."))
            }
            429 => {
                let pause = answer.retry_after_seconds.unwrap_or(PAUSE_SECONDS);
                Err(says_no(Code::TooManyRequests, "The payee's server has had too many requests.")
                    .after(Some(pause)))
            }
            400..=499 => Err(says_no(Code::RecipientRefuses, "The payee's server refuses.")),
            _ => Err(says_no(
                Code::ServerUnreachable,
                "The payee's server is out of order; nothing was paid.",
            )),
        }
    }
}

/// The server takes this amount: what it is to be asked for, in thousandths of a sat.
pub(super) fn takes(request: &PayRequest, amount_sats: u64) -> Result<u64, Error> {
    if let Some(amount_msat) = request.asks_msat(amount_sats) {
        return Ok(amount_msat);
    }
    let (min, max) = (request.min_sats(), request.max_sats());
    let refusal = Error::new(
        Code::AmountOutOfRange,
        format!("The payee takes {min} to {max} sats at a time, not {amount_sats}."),
    );
    Err(refusal.with("min_sats", min).with("max_sats", max))
}

/// Only a payment that failed for good, and that is being tried again, may meet its own invoice.
fn is_same_again(seen: &Payment, again: Option<&PaymentId>) -> bool {
    again == Some(&seen.id) && matches!(seen.state, PaymentState::Failed { .. })
}

fn unheard(failure: &HttpFailure) -> Error {
    match failure {
        HttpFailure::Refused(why) => Error::new(
            Code::AddressRefused,
            "The payee's server has an address that is not allowed; it was not contacted.",
        )
        .with("reason", why.as_str()),
        HttpFailure::TooMany { retry_after_seconds } => {
            Error::new(Code::TooManyRequests, "The payee's server is being asked too often.")
                .after(Some(*retry_after_seconds))
        }
        HttpFailure::NotSent(why) if why == UNRESOLVED => Error::new(
            Code::RecipientUnknown,
            "The payee's server was not found: its name does not resolve, or this machine is offline.",
        ),
        HttpFailure::NotSent(why) | HttpFailure::Lost(why) => Error::new(
            Code::ServerUnreachable,
            "The payee's server does not answer; nothing was paid.",
        )
        .with("reason", why.as_str()),
    }
}

fn refusal(why: AnswerError) -> Error {
    let refuses = |message: &str| Error::new(Code::RecipientRefuses, message);
    match why {
        AnswerError::Says(words) => {
            refuses("The payee's server says no.").with_untrusted("reason", &words)
        }
        AnswerError::Other(kind) => {
            Error::new(Code::PayeeUnsupported, "That LNURL is for something else than paying.")
                .with("kind", kind.unwrap_or("lnurl"))
                .next("Tell the user that this LNURL is not for paying.")
        }
        AnswerError::WantsPayer => {
            refuses("The payee's server wants to know who pays; this wallet does not tell.")
        }
        AnswerError::Identifier(other) => {
            refuses("The payee's server answers for another address than the one given.")
                .with_untrusted("address", &other)
                .next("Tell the user the other address in details; pay it only if they say so.")
        }
        AnswerError::Elsewhere(host) => refuses(
            "The payee's server sends us to another server for the invoice, which was not asked.",
        )
        .with_untrusted("host", &host)
        .next(
            "Ask the payee for the address that they have at that other server, or for an invoice.",
        ),
        AnswerError::Unreadable(what) => {
            refuses("The payee's server does not answer as one that takes Lightning payments does.")
                .with("unreadable", what)
        }
    }
}

fn unfit(misfit: Misfit, amount_sats: u64) -> Error {
    match misfit {
        Misfit::Amount(other) => {
            let error = Error::new(
                Code::RecipientRefuses,
                "The payee's server gave an invoice for another amount; it was not paid.",
            );
            let error = error.with("asked_msat", amount_sats.saturating_mul(1000));
            let error =
                if let Some(msat) = other { error.with("invoice_msat", msat) } else { error };
            error.next("Tell the user that the payee's server asks for another amount than it was told; do not pay it in another way.")
        }
        Misfit::Expired => Error::new(
            Code::InvoiceExpired,
            "The payee's server gave an invoice that has run out, or nearly so.",
        )
        .next("Make the same call again; if it stays so, tell the user."),
    }
}
