//! The one table from a failure of the wallet to what an agent is told: a code, a sentence, facts,
//! and the next step.
//!
//! A sentence says what happened and what moved; a stranger's words go into `details` alone.

mod mint;
mod payee;
#[cfg(test)]
mod tests;
mod zap;

use super::code::Code;
use super::error::{Error, MoneyMoved, damaged};
use super::words;
use crate::model::history_line::EntryState;
use crate::model::payment::{FailureReason, StoredFailure};
use crate::model::text;
use crate::wallet::core::failure::{
    Cause, Denial, Failure, GiveUpRefusal, Late, Missing, Mistake, Moved, SettingsProblem,
    StoreError, TokenRefusal,
};

/// When to come back if all places for melts are taken, in seconds.
const PLACE_PAUSE_SECONDS: u64 = 30;

const SYNC_AGAIN: &str = "Call sync, then make the same call again.";

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { cause, moved, payment, mint } = failure;
        let mut error = explain(cause, mint.as_ref().map(|mint| mint.as_str()));
        error.money_moved = match moved {
            Moved::No => MoneyMoved::No,
            Moved::Unknown => MoneyMoved::Unknown,
        };
        error.payment_id = payment.or(error.payment_id);
        error
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

/// The code of a failure, where only that is told.
pub(super) fn code(failure: Failure) -> Code {
    Error::from(failure).code
}

/// The code of what was kept of a failure.
pub(super) fn stored_code(reason: FailureReason) -> Code {
    match reason {
        FailureReason::RouteNotFound => Code::RouteNotFound,
        FailureReason::MintRefused | FailureReason::Unknown => Code::MintRefused,
        FailureReason::MintUnreachable => Code::MintUnreachable,
        FailureReason::AmountOutOfRange => Code::AmountOutOfRange,
        FailureReason::PayeeUnsupported => Code::PayeeUnsupported,
        FailureReason::TokenInvalid => Code::TokenInvalid,
        FailureReason::TokenSpent => Code::TokenSpent,
        FailureReason::OverBalanceLimit => Code::OverBalanceLimit,
        FailureReason::TooManyRequests => Code::TooManyRequests,
        FailureReason::AddressRefused => Code::AddressRefused,
        FailureReason::SettingsInvalid => Code::SettingsInvalid,
        FailureReason::StorageFailed => Code::StorageFailed,
        FailureReason::WalletDamaged => Code::WalletDamaged,
        FailureReason::OutcomeUnknown => Code::OutcomeUnknown,
        FailureReason::Internal => Code::Internal,
    }
}

fn explain(cause: Cause, at: Option<&str>) -> Error {
    let error = match cause {
        Cause::Mint(error) => mint::explain(error),
        Cause::Payee(error) => payee::explain(error),
        Cause::NameServer(error) => payee::name_server(error),
        Cause::RelaysSilent => {
            Error::new(Code::RelayUnreachable, "No relay could be read; nothing was paid.")
        }
        Cause::Zap(refusal) => zap::explain(refusal),
        Cause::Nutzap(refusal) => zap::nutzap(refusal),
        Cause::Quote(wrong) => mint::wrong_quote(wrong),
        Cause::Amountless(reason) => mint::amountless(&reason),
        Cause::Denied { denial, left_sats } => denied(denial, left_sats),
        Cause::Store(error) => stored(&error),
        Cause::Damaged(what) => damaged(what),
        Cause::Settings(problem) => settings(&problem),
        Cause::Funds { need_sats, held_sats, left_out_sats } => {
            funds(need_sats, held_sats, left_out_sats)
        }
        Cause::OverCap { cap_sats, held_sats, more_sats } => over_cap(cap_sats, held_sats, more_sats),
        Cause::NotTrusted => {
            return Error::new(Code::MintNotTrusted, "That mint is not one this wallet uses.")
                .with_untrusted("mint", at.unwrap_or(""));
        }
        Cause::NoMint => Error::new(Code::NoMint, "No usable mint is listed."),
        Cause::NoMintPays => Error::new(Code::NoMint, "No listed mint can pay this."),
        Cause::Text { field, holds } => {
            let message = match holds {
                Some(kind) => format!("{field} holds {}.", words::secret(kind)),
                None => format!("{field} is longer than {} characters.", text::MAX_OUTGOING),
            };
            Error::new(Code::TextRefused, message).with("field", field)
        }
        Cause::AmountMissing { invoice: true } => {
            Error::new(Code::AmountMissing, "The invoice names no amount.")
        }
        Cause::AmountMissing { invoice: false } => {
            Error::new(Code::AmountMissing, "An address names no amount.")
        }
        Cause::AmountMismatch { invoice_sats, asked_sats } => Error::new(
            Code::AmountMismatch,
            format!("The invoice is for {invoice_sats} sats, not for {asked_sats}."),
        )
        .with("invoice_sats", invoice_sats)
        .with("asked_sats", asked_sats),
        Cause::WrongNetwork => Error::new(
            Code::WrongNetwork,
            "The invoice is of a test network; this wallet holds real money.",
        ),
        Cause::InvoiceExpired => Error::new(Code::InvoiceExpired, "The invoice has run out."),
        Cause::PaidElsewhere => Error::new(
            Code::PossibleDuplicate,
            "Another device of this wallet has paid this invoice, as its history on the relays says.",
        )
        .next("Do not pay it again. Tell the user; if the payee says that it is unpaid, ask for a new invoice."),
        Cause::Conflict => {
            Error::new(Code::KeyConflict, "This idempotency key was used for another request.")
        }
        Cause::Late(late) => too_late(late),
        Cause::CallerGone => {
            Error::new(Code::InsufficientFunds, "The caller has gone; nothing was paid.")
        }
        Cause::SpentElsewhere { token: true } => Error::new(
            Code::MintRefused,
            "The mint says that these coins were spent elsewhere; the token was not made.",
        )
        .next(SYNC_AGAIN),
        Cause::SpentElsewhere { token: false } => Error::new(
            Code::MintRefused,
            "The mint says that these coins were spent elsewhere; nothing was paid.",
        )
        .next(SYNC_AGAIN),
        Cause::SwapUndecided => Error::new(
            Code::MintUnreachable,
            "The mint did not answer; nothing was paid. Coins that were to be changed are held until it does.",
        ),
        Cause::CameBack => Error::new(
            Code::RouteNotFound,
            "The payment did not go through; its coins came back.",
        ),
        Cause::NeverSent { receive: false } => {
            Error::new(Code::MintUnreachable, "The wallet stopped before anything was sent.")
        }
        Cause::NeverSent { receive: true } => {
            Error::new(Code::MintUnreachable, "The wallet stopped before the token was taken in.")
        }
        Cause::FeeEatsToken => {
            Error::new(Code::AmountOutOfRange, "The mint's fee is as much as the token is worth.")
        }
        Cause::Token(refusal) => token(refusal),
        Cause::NotFound(missing) => not_found(missing),
        Cause::GiveUp(refusal) => Error::invalid("id", give_up(refusal)),
        Cause::Failed(failure) => failed(&failure),
        Cause::Internal(mistake) => Error::new(Code::Internal, internal(mistake)),
    };
    match at {
        Some(mint) => error.with("mint", mint),
        None => error,
    }
}

fn denied(denial: Denial, left_sats: Option<u64>) -> Error {
    let error = match denial {
        Denial::Paused => Error::new(Code::SpendingPaused, "The owner has paused all spending."),
        Denial::OverPaymentLimit { limit_sats, asked_sats } => Error::new(
            Code::OverPaymentLimit,
            format!("The limit for one payment is {limit_sats} sats; {asked_sats} were asked for."),
        )
        .with("limit_sats", limit_sats)
        .with("asked_sats", asked_sats)
        .next(format!(
            "Tell the user: the limit for one payment is {limit_sats} sats; only they can change it. Do not split it."
        )),
        Denial::OverBudget { limit_sats, asked_sats, left_sats, retry_after_seconds } => Error::new(
            Code::OverBudget,
            format!("The limit for a day is {limit_sats} sats; {left_sats} are left and {asked_sats} could be needed, fees included."),
        )
        .with("limit_sats", limit_sats)
        .with("asked_sats", asked_sats)
        .with("left_sats", left_sats)
        .next(format!("Tell the user: the limit for a day is {limit_sats} sats; only they can change it. Do not split it."))
        .after(retry_after_seconds),
        Denial::FeeTooHigh { limit_sats, asked_sats } => Error::new(
            Code::FeeTooHigh,
            format!("Fees could be up to {asked_sats} sats; the ceiling for this payment is {limit_sats} sats."),
        )
        .with("limit_sats", limit_sats)
        .with("asked_sats", asked_sats),
        Denial::PossibleDuplicate { id, state, age_seconds, person_only } => {
            duplicate(id.as_str(), state, age_seconds, person_only).of(&id)
        }
    };
    match left_sats {
        Some(left) => error.with("left_sats", left),
        None => error,
    }
}

fn duplicate(id: &str, state: EntryState, age_seconds: u64, person_only: bool) -> Error {
    let state = words::entry_state(state);
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

fn stored(error: &StoreError) -> Error {
    match error {
        StoreError::Stopping => Error::new(Code::OutcomeUnknown, "The wallet is being stopped."),
        StoreError::OverCap => {
            Error::new(Code::OverBalanceLimit, "The owner's cap at this mint would be passed.")
        }
        error => {
            if error.is_damage() {
                damaged(&error.to_string())
            } else {
                Error::new(Code::StorageFailed, "The wallet's file could not be read or written.")
            }
        }
    }
}

fn settings(problem: &SettingsProblem) -> Error {
    let error = Error::new(
        Code::SettingsInvalid,
        "A settings file cannot be used; spending is off until it is mended.",
    );
    let error = error.with("file", problem.file.as_str());
    let error = match problem.line {
        Some(line) => error.with("line", line),
        None => error,
    };
    match &problem.key {
        Some(key) => error.with("key", text::clean(key)),
        None => error,
    }
}

/// How much is missing, and what does not count because another program has perhaps handed it out.
fn funds(need_sats: u64, held_sats: u64, left_out_sats: u64) -> Error {
    let missing = need_sats.saturating_sub(held_sats).max(1);
    let mut message = format!(
        "{need_sats} sats and the mint's input fee are needed; {held_sats} sats can be spent there."
    );
    if left_out_sats > 0 {
        message += &format!(
            " {left_out_sats} sats more were perhaps handed out as a token by another program of this wallet: they count again when a week \
             has passed and the mint still calls them unspent."
        );
    }
    let error = Error::new(Code::InsufficientFunds, message);
    let error = if left_out_sats > 0 {
        error.with("perhaps_handed_out_sats", left_out_sats)
    } else {
        error
    };
    error.with("missing_sats", missing).with("spendable_sats", held_sats).next(format!(
        "Make a deposit of at least {missing} sats and a little for fees, then call again."
    ))
}

fn over_cap(cap_sats: u64, held_sats: u64, more_sats: u64) -> Error {
    let refusal = Error::new(
        Code::OverBalanceLimit,
        format!(
            "The owner's cap at this mint is {cap_sats} sats; {held_sats} are there or on their way and {more_sats} more would pass it."
        ),
    );
    refusal.with("limit_sats", cap_sats).with("held_sats", held_sats).with("asked_sats", more_sats)
}

fn too_late(late: Late) -> Error {
    let silent = |message: &str| Error::new(Code::MintUnreachable, message);
    match late {
        Late::Mint => silent("The mint did not answer in time; nothing was paid."),
        Late::Invoice => silent("The mint did not answer in time; there is no invoice yet."),
        Late::Planned => silent("Another call for this payment still waits for its answers; nothing was sent by this one.")
            .next("Look the payment up with get_payment or list_history before calling again."),
        Late::Place => Error::new(Code::TooManyRequests, "Too many payments are leaving for this mint.")
            .after(Some(PLACE_PAUSE_SECONDS)),
        Late::Coins => Error::new(
            Code::InsufficientFunds,
            "Coins that other payments hold did not come back in time; nothing was paid.",
        )
        .next("Make the same call again in a minute."),
    }
}

fn token(refusal: TokenRefusal) -> Error {
    match refusal {
        TokenRefusal::Unit(unit) => Error::new(Code::TokenInvalid, "The token is not in sats.")
            .with_untrusted("unit", &unit),
        TokenRefusal::Locked => {
            Error::new(Code::TokenLocked, "The token is locked to a key that is not this wallet's.")
        }
        TokenRefusal::Spent(left) => {
            let error = Error::new(Code::TokenSpent, "The token is spent already.");
            if left > 0 { error.with("left_sats", left) } else { error }
        }
        TokenRefusal::LockedByUs => Error::new(
            Code::TokenLocked,
            "The token is locked to its receiver's key and cannot be taken back.",
        )
        .next("Ask the receiver; only they can claim it."),
        TokenRefusal::PartlyClaimed => Error::new(
            Code::TokenSpent,
            "Part of the token was claimed; the rest stays with whoever has it.",
        ),
    }
}

fn not_found(missing: Missing) -> Error {
    let message = match missing {
        Missing::Payment => "No payment of this agent has that id.",
        Missing::PaymentName => "No payment of this agent has that name.",
        Missing::Receive => "No received token of this agent has that id.",
        Missing::Deposit => "No deposit of this agent has that id.",
        Missing::AnyDeposit => "There is no deposit yet.",
        Missing::Token => "That payment is not a token; a paid invoice cannot be taken back.",
        Missing::Record => "No payment and no received token has this id.",
    };
    Error::new(Code::NotFound, message)
}

fn internal(mistake: Mistake) -> &'static str {
    match mistake {
        Mistake::NoSeed => "A seed could not be made.",
        Mistake::NoRandomness => "The system gave no randomness.",
        Mistake::ZapRequest => "The zap's request could not be made.",
        Mistake::RelayEvent => "An event for the relays could not be made.",
    }
}

fn give_up(refusal: GiveUpRefusal) -> &'static str {
    match refusal {
        GiveUpRefusal::MintAnswers => {
            "Its mint answers, so the wallet ends it by itself: it asks within seconds of its next start, and then at least every \
             ten minutes. Nothing was given up."
        }
        GiveUpRefusal::NotOpen => "It is not open: there is nothing to give up.",
        GiveUpRefusal::InHand => "It is being carried out at this moment.",
        GiveUpRefusal::Deposit => {
            "A deposit holds nothing back, and is never given up. A disputed one is asked about once a day."
        }
        GiveUpRefusal::NotGivenUp => "It was not given up.",
    }
}

/// The error that a payment failed with, from its record.
fn failed(failure: &StoredFailure) -> Error {
    Error::new(stored_code(failure.reason), "The payment failed; nothing moved.")
        .with_untrusted("reason", failure.untrusted_reason.as_deref().unwrap_or(""))
}
