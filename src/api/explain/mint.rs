//! What mints' refusals and silences are told as, while nothing has moved.

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
            "The wallet's file is an older copy: this mint is used once it has said what it holds for it.",
        )
        .next("Make the same call again in a minute; if it stays so, tell the user that the mint does not answer."),
        MintError::RateLimited { retry_after_seconds } | MintError::Busy { status: 429, retry_after_seconds } => {
            let message =
                format!("Nothing is asked of this mint for {retry_after_seconds} s: too many requests, or it has asked to wait.");
            Error::new(Code::TooManyRequests, message).after(Some(retry_after_seconds))
        }
        MintError::Busy { retry_after_seconds, .. } => Error::new(
            Code::MintUnreachable,
            format!("The mint is out of service; it asks to wait {retry_after_seconds} s."),
        )
        .after(Some(retry_after_seconds)),
        MintError::AddressRefused(_) => {
            Error::new(Code::AddressRefused, "The mint's address is private or forbidden.")
        }
        MintError::Refused { code, reason } => refused(code, &reason),
        MintError::SpentElsewhere => Error::new(
            Code::MintRefused,
            "Another device of this wallet spent these coins at the same time; nothing was paid by this call.",
        )
        .with("nut_code", nut::TOKEN_SPENT)
        .next(super::SYNC_AGAIN),
        MintError::UnderWay { code } => Error::new(
            Code::MintRefused,
            "The mint says that this is under way or done already.",
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
            format!("The mint refused without a reason that is known (status {status}); nothing moved."),
        )
        .with_untrusted("reason", reason.as_deref().unwrap_or("")),
        MintError::Unreadable(why) => Error::new(
            Code::MintRefused,
            "The mint answered, but what it said cannot be read; nothing was paid.",
        )
        .with("unreadable", why)
        .next("Tell the user that this mint's answers cannot be read; the same call may be made again, or with another mint."),
        MintError::Wrong(_) => Error::new(
            Code::MintRefused,
            "The mint's answer cannot be right; nothing was paid.",
        ),
        MintError::Store(_) => {
            Error::new(Code::StorageFailed, "The wallet's file could not be read or written.")
        }
    }
}

/// No mint at hand pays an invoice without an amount; a mint's own words, where one was asked.
pub(super) fn amountless(reason: &str) -> Error {
    Error::new(
        Code::PayeeUnsupported,
        "The invoice names no amount, and no mint at hand pays such an invoice.",
    )
    .with("kind", "bolt11")
    .with_untrusted("reason", reason)
    .next("Ask the payee for an invoice that names the amount.")
}

pub(super) fn wrong_quote(wrong: WrongQuote) -> Error {
    let message = match wrong {
        WrongQuote::MeltAmount => "The mint's quote is not for this invoice's amount.",
        WrongQuote::InvoiceAmount => {
            "The mint's invoice is not for the amount asked for; it was thrown away."
        }
        WrongQuote::InvoiceExpired => "The mint's invoice has run out already; it was thrown away.",
        WrongQuote::InvoiceNetwork => {
            "The mint's invoice is of a test network; it was thrown away."
        }
    };
    Error::new(Code::MintRefused, message)
}

/// A redirect is never followed: the owner trusts an address.
fn moved(location: &str) -> Error {
    Error::new(Code::MintUnreachable, "The mint's address sends to another one; nothing was sent there, and nothing was paid.")
        .with_untrusted("location", location)
        .retrying(Retry::AfterChange)
        .next("Tell the user that this mint sends to details.untrusted_location; if its operator says so too, only they can change the mint's address.")
}

fn refused(code: u16, reason: &str) -> Error {
    let error = match code {
        nut::LIGHTNING_FAILED => {
            Error::new(Code::RouteNotFound, "The mint found no way to the payee; nothing was paid.")
        }
        nut::OUT_OF_RANGE => {
            Error::new(Code::AmountOutOfRange, "The amount is outside what the mint handles.")
        }
        nut::AMOUNTLESS => amountless(""),
        nut::TOKEN_NOT_VERIFIED => {
            Error::new(Code::TokenInvalid, "The mint does not know these coins.")
        }
        _ => Error::new(Code::MintRefused, "The mint refused; nothing moved."),
    };
    error.with("nut_code", code).with_untrusted("reason", reason)
}
