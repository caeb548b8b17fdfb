//! Refusals of siblings as failures an agent can act on: the policy's, the mints', the store's.

use super::code::Code;
use super::error::{Error, Retry, damaged};
use crate::mint::error::{MintError, nut};
use crate::policy::Denial;
use crate::store::StoreError;

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Paused => Self::new(Code::SpendingPaused, "The owner has paused all spending."),
            Denial::OverPaymentLimit { limit_sats, asked_sats } => {
                Self::new(Code::OverPaymentLimit, format!("The limit for one payment is {limit_sats} sats; {asked_sats} were asked for."))
                    .with("limit_sats", limit_sats)
                    .with("asked_sats", asked_sats)
                    .next(format!(
                        "Tell the user: the limit for one payment is {limit_sats} sats; only they can change it. Do not split it."
                    ))
            }
            Denial::OverBudget { limit_sats, asked_sats, left_sats, retry_after_seconds } => Self::new(
                Code::OverBudget,
                format!("The limit for a day is {limit_sats} sats; {left_sats} are left and {asked_sats} could be needed, fees included."),
            )
            .with("limit_sats", limit_sats)
            .with("asked_sats", asked_sats)
            .with("left_sats", left_sats)
            .next(format!("Tell the user: the limit for a day is {limit_sats} sats; only they can change it. Do not split it."))
            .after(retry_after_seconds),
            Denial::FeeTooHigh { limit_sats, asked_sats } => Self::new(
                Code::FeeTooHigh,
                format!("Fees could be up to {asked_sats} sats; the ceiling for this payment is {limit_sats} sats."),
            )
            .with("limit_sats", limit_sats)
            .with("asked_sats", asked_sats),
            Denial::PossibleDuplicate { id, state, age_seconds, person_only } => {
                duplicate(id.as_str(), state, age_seconds, person_only).of(&id)
            }
        }
    }
}

fn duplicate(id: &str, state: &str, age_seconds: u64, person_only: bool) -> Error {
    let error = if person_only {
        Error::new(
            Code::PossibleDuplicate,
            format!("A payment to the same payee of the same amount was made {age_seconds} s ago, is {state}, and may have paid for this already."),
        )
        .next("Call get_payment with this payment_id and tell the user; if the purchase is really a new one, only they can allow it.")
    } else {
        Error::new(Code::PossibleDuplicate, format!("The same was done {age_seconds} s ago and is {state}."))
            .next("Use the earlier one (get_payment). Only if a second is really wanted, call again with repeat_of set to this payment_id.")
    };
    error
        .with("earlier_payment_id", id)
        .with("earlier_state", state)
        .with("age_seconds", age_seconds)
        .with("person_only", person_only)
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Stopping) {
            return Self::new(Code::OutcomeUnknown, "The wallet is being stopped.");
        }
        if matches!(error, StoreError::OverCap) {
            return Self::new(
                Code::OverBalanceLimit,
                "The owner's cap at this mint would be passed.",
            );
        }
        tracing::error!(%error, "the store failed");
        if error.is_damage() {
            damaged(&error.to_string())
        } else {
            Self::new(Code::StorageFailed, "The wallet's file could not be read or written.")
        }
    }
}

/// A mint's no, while nothing has moved.
impl From<MintError> for Error {
    fn from(error: MintError) -> Self {
        match error {
            MintError::NotSent(_) => Self::new(Code::MintUnreachable, "The mint could not be reached; nothing was sent."),
            MintError::Unchecked => Self::new(
                Code::MintUnreachable,
                "The wallet's file is an older copy: this mint is used once it has said what it holds for it.",
            )
            .next("Make the same call again in a minute; if it stays so, tell the user that the mint does not answer."),
            MintError::TooMany { retry_after_seconds } | MintError::Busy { status: 429, retry_after_seconds } => {
                let message =
                    format!("Nothing is asked of this mint for {retry_after_seconds} s: too many requests, or it has asked to wait.");
                Self::new(Code::TooManyRequests, message).after(Some(retry_after_seconds))
            }
            MintError::Busy { retry_after_seconds, .. } => {
                Self::new(Code::MintUnreachable, format!("The mint is out of service; it asks to wait {retry_after_seconds} s."))
                    .after(Some(retry_after_seconds))
            }
            MintError::AddressRefused(_) => Self::new(Code::AddressRefused, "The mint's address is private or forbidden."),
            MintError::Refused { code, reason } => refused(code, &reason),
            MintError::SpentElsewhere => Self::new(
                Code::MintRefused,
                "Another device of this wallet spent these coins at the same time; nothing was paid by this call.",
            )
            .with("nut_code", nut::TOKEN_SPENT)
            .next("Call sync, then make the same call again."),
            MintError::UnderWay { code } => {
                Self::new(Code::MintRefused, "The mint says that this is under way or done already.").with("nut_code", code)
            }
            MintError::Lost(_) => Self::new(Code::MintUnreachable, "The mint did not answer; nothing was paid."),
            MintError::Failed { status, reason } => {
                Self::new(Code::MintUnreachable, format!("The mint's server failed (status {status}); nothing was paid."))
                    .with_untrusted("reason", reason.as_deref().unwrap_or(""))
            }
            MintError::Moved { location, .. } => moved(location.as_deref().unwrap_or("")),
            MintError::Unexplained { status, reason } => {
                Self::new(Code::MintRefused, format!("The mint refused without a reason that is known (status {status}); nothing moved."))
                    .with_untrusted("reason", reason.as_deref().unwrap_or(""))
            }
            MintError::Unreadable(why) => {
                Self::new(Code::MintRefused, "The mint answered, but what it said cannot be read; nothing was paid.")
                    .with("unreadable", why)
                    .next("Tell the user that this mint's answers cannot be read; the same call may be made again, or with another mint.")
            }
            MintError::Wrong(_) => Self::new(Code::MintRefused, "The mint's answer cannot be right; nothing was paid."),
            MintError::Store(_) => Self::new(Code::StorageFailed, "The wallet's file could not be read or written."),
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
