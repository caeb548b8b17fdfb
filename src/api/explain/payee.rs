//! Errors for what a payee's server (LUD-06, LUD-16) or a name server (NIP-05) did.

use crate::api::code::Code;
use crate::api::error::Error;
use crate::api::words;
use crate::model::lnurl::{AnswerError, Misfit};
use crate::wallet::core::failure::{HttpFailure, NameServerError, PayeeError};

pub(super) fn explain(error: PayeeError) -> Error {
    match error {
        PayeeError::Http(failure) => no_exchange(&failure),
        PayeeError::Status { status, reason, retry_after_seconds } => {
            of_status(status, retry_after_seconds)
                .with("status", status)
                .with_untrusted("reason", &reason.unwrap_or_default())
        }
        PayeeError::TooLong => Error::new(
            Code::RecipientRefuses,
            "The payee's server sent an oversized answer; it was ignored.",
        ),
        PayeeError::Answer(why) => answer(why),
        PayeeError::Misfit { misfit, asked_sats } => unfit(misfit, asked_sats),
        PayeeError::InvoiceAgain => Error::new(
            Code::RecipientRefuses,
            "The payee's server returned an invoice that it had returned before; it was not paid again.",
        )
        .next("Check the earlier payment with get_payment, and tell the user."),
        PayeeError::OutOfRange { min_sats, max_sats, asked_sats } => Error::new(
            Code::AmountOutOfRange,
            format!("The payee accepts {min_sats} to {max_sats} sats at a time, not {asked_sats}."),
        )
        .with("min_sats", min_sats)
        .with("max_sats", max_sats),
    }
}

fn of_status(status: u16, retry_after_seconds: Option<u64>) -> Error {
    match status {
        300..=399 => Error::new(
            Code::RecipientRefuses,
            "The payee's server redirected us; redirects are not followed.",
        ),
        404 | 410 => {
            Error::new(Code::RecipientUnknown, "The payee's server does not know this payee.")
        }
        429 => Error::new(Code::TooManyRequests, "The payee's server reports too many requests.")
            .after(retry_after_seconds),
        400..=499 => Error::new(Code::RecipientRefuses, "The payee's server refused the request."),
        _ => Error::new(
            Code::ServerUnreachable,
            "The payee's server is failing (HTTP 5xx); nothing was paid.",
        ),
    }
}

fn no_exchange(failure: &HttpFailure) -> Error {
    match failure {
        HttpFailure::Refused(why) => Error::new(
            Code::AddressRefused,
            "The address of the payee's server is not allowed; it was not contacted.",
        )
        .with("reason", why.as_str()),
        HttpFailure::RateLimited { retry_after_seconds } => {
            Error::new(Code::TooManyRequests, "Too many requests to the payee's server.")
                .after(Some(*retry_after_seconds))
        }
        HttpFailure::Unresolved => Error::new(
            Code::RecipientUnknown,
            "The payee's server was not found: its name does not resolve, or this machine is offline.",
        ),
        HttpFailure::NotSent(why) | HttpFailure::Lost(why) => Error::new(
            Code::ServerUnreachable,
            "The payee's server did not answer; nothing was paid.",
        )
        .with("reason", why.as_str()),
    }
}

fn answer(why: AnswerError) -> Error {
    let refuses = |message: &str| Error::new(Code::RecipientRefuses, message);
    match why {
        AnswerError::Says(words) => {
            refuses("The payee's server refused the payment.").with_untrusted("reason", &words)
        }
        AnswerError::Other(tag) => {
            Error::new(Code::PayeeUnsupported, "That LNURL is not for payments.")
                .with("kind", words::lnurl(tag))
                .next("Tell the user that this LNURL is not for payments.")
        }
        AnswerError::WantsPayer => {
            refuses("The payee's server requires payer data, which this wallet does not share.")
        }
        AnswerError::Identifier(other) => {
            refuses("The payee's server answered for a different address than the one given.")
                .with_untrusted("address", &other)
                .next("Tell the user the other address in details; pay it only if they agree.")
        }
        AnswerError::Elsewhere(host) => refuses(
            "The payee's server names another server for the invoice; that server was not contacted.",
        )
        .with_untrusted("host", &host)
        .next(
            "Ask the payee for their address at that other server, or for an invoice.",
        ),
        AnswerError::Unreadable(what) => {
            refuses("The payee's server does not behave like a Lightning payment server.")
                .with("unreadable", what)
        }
    }
}

fn unfit(misfit: Misfit, asked_sats: u64) -> Error {
    match misfit {
        Misfit::Amount(other) => {
            let error = Error::new(
                Code::RecipientRefuses,
                "The payee's server returned an invoice for a different amount; it was not paid.",
            );
            let error = error.with("asked_msat", asked_sats.saturating_mul(1000));
            let error =
                if let Some(msat) = other { error.with("invoice_msat", msat) } else { error };
            error.next("Tell the user that the payee's server asks for a different amount; do not pay it another way.")
        }
        Misfit::Expired => Error::new(
            Code::InvoiceExpired,
            "The payee's server returned an invoice that has expired or is about to.",
        )
        .next("Make the same call again; if that fails too, tell the user."),
    }
}

pub(super) fn name_server(error: NameServerError) -> Error {
    match error {
        NameServerError::Refused => Error::new(
            Code::AddressRefused,
            "The address of the name's server is not allowed; it was not contacted.",
        ),
        NameServerError::Silent => Error::new(
            Code::ServerUnreachable,
            "The name's server did not answer; nothing was paid.",
        ),
        NameServerError::OutOfOrder => {
            Error::new(Code::ServerUnreachable, "The name's server is failing; nothing was paid.")
        }
    }
}
