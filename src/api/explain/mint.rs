//! Errors for what a mint did while nothing moved: it refused, failed or did not answer.

use crate::api::code::Code;
use crate::api::error::{Error, Retry};
use crate::wallet::core::failure::{MintError, WrongQuote, nut};

pub(super) fn explain(error: MintError) -> Error {
    match error {
        MintError::NotSent(_) => Error::new(
            Code::MintUnreachable,
            "The mint could not be reached; nothing was sent.",
        ),
        MintError::Unchecked => Error::new(
            Code::MintUnreachable,
            "The wallet's file is an older copy: this mint will be used once it has confirmed its balance.",
        )
        .next("Make the same call again in a minute; if that fails too, tell the user that the mint does not answer."),
        MintError::RateLimited { retry_after_seconds } | MintError::Busy { status: 429, retry_after_seconds } => {
            let message =
                format!("This mint had too many requests or asked to wait; the wallet contacts it again in {retry_after_seconds} s.");
            Error::new(Code::TooManyRequests, message).after(Some(retry_after_seconds))
        }
        MintError::Busy { retry_after_seconds, .. } => Error::new(
            Code::MintUnreachable,
            format!("The mint is out of service and asks to wait {retry_after_seconds} s."),
        )
        .after(Some(retry_after_seconds)),
        MintError::AddressRefused(_) => {
            Error::new(Code::AddressRefused, "The mint's address is private or forbidden.")
        }
        MintError::Refused { code, reason } => refused(code, &reason),
        MintError::SpentElsewhere => Error::new(
            Code::MintRefused,
            "Another device with this wallet spent these coins at the same time; this call paid nothing.",
        )
        .with("nut_code", nut::TOKEN_SPENT)
        .next(super::SYNC_AGAIN),
        MintError::UnderWay { code } => Error::new(
            Code::MintRefused,
            "The mint says this is in progress or already done.",
        )
        .with("nut_code", code),
        MintError::Lost(_) => {
            Error::new(Code::MintUnreachable, "The mint did not answer; nothing was paid.")
        }
        MintError::Failed { status, reason } => Error::new(
            Code::MintUnreachable,
            format!("The mint's server failed (status {status}); nothing was paid."),
        )
        .with_untrusted("reason", reason.as_deref().unwrap_or("")),
        MintError::Redirected { location, .. } => moved(location.as_deref().unwrap_or("")),
        MintError::Unexplained { status, reason } => Error::new(
            Code::MintRefused,
            format!("The mint refused without a known reason (status {status}); nothing moved."),
        )
        .with_untrusted("reason", reason.as_deref().unwrap_or("")),
        MintError::Unreadable(why) => Error::new(
            Code::MintRefused,
            "The mint's answer cannot be read; nothing was paid.",
        )
        .with("unreadable", why)
        .next("Tell the user that this mint's answers cannot be read. Make the same call again, or use another mint."),
        MintError::Wrong(_) => Error::new(
            Code::MintRefused,
            "The mint's answer is invalid; nothing was paid.",
        ),
        MintError::Store(_) => {
            Error::new(Code::StorageFailed, "The wallet's file could not be read or written.")
        }
    }
}

/// Explains that no mint pays without an amount. `reason`: a mint's own text, or empty.
pub(super) fn amountless(reason: &str) -> Error {
    Error::new(
        Code::PayeeUnsupported,
        "The invoice has no amount, and no usable mint pays such invoices.",
    )
    .with("kind", "bolt11")
    .with_untrusted("reason", reason)
    .next("Ask the payee for an invoice with an amount.")
}

pub(super) fn wrong_quote(wrong: WrongQuote) -> Error {
    let message = match wrong {
        WrongQuote::MeltAmount => "The mint's quote is not for this invoice's amount.",
        WrongQuote::InvoiceAmount => {
            "The mint's invoice is for a different amount; it was discarded."
        }
        WrongQuote::InvoiceExpired => "The mint's invoice has already expired; it was discarded.",
        WrongQuote::InvoiceNetwork => "The mint's invoice is for a test network; it was discarded.",
    };
    Error::new(Code::MintRefused, message)
}

/// Explains a redirect. None is followed, because the owner trusts one address.
fn moved(location: &str) -> Error {
    Error::new(Code::MintUnreachable, "The mint redirects to another address; nothing was sent there, and nothing was paid.")
        .with_untrusted("location", location)
        .retrying(Retry::AfterChange)
        .next("Tell the user that this mint redirects to details.untrusted_location; if its operator confirms it, only the user can change the mint's address.")
}

fn refused(code: u16, reason: &str) -> Error {
    let error = match code {
        nut::LIGHTNING_FAILED => Error::new(
            Code::RouteNotFound,
            "The mint found no route to the payee; nothing was paid.",
        ),
        nut::OUT_OF_RANGE => {
            Error::new(Code::AmountOutOfRange, "The amount is outside the mint's range.")
        }
        nut::AMOUNTLESS => amountless(""),
        nut::TOKEN_NOT_VERIFIED => {
            Error::new(Code::TokenInvalid, "The mint does not know these coins.")
        }
        _ => Error::new(Code::MintRefused, "The mint refused; nothing moved."),
    };
    error.with("nut_code", code).with_untrusted("reason", reason)
}
