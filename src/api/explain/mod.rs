//! The table that turns the wallet's failures into errors for agents.
//!
//! A message says what happened and what moved. Text from strangers goes only into `details`.

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

/// Seconds to wait when all melt permits are in use.
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

/// Returns the code of a failure.
pub(super) fn code(failure: Failure) -> Code {
    Error::from(failure).code
}

/// Returns the code of a stored failure.
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
                Some(kind) => format!("{field} contains {}.", words::secret(kind)),
                None => format!("{field} is longer than {} characters.", text::MAX_OUTGOING),
            };
            Error::new(Code::TextRefused, message).with("field", field)
        }
        Cause::AmountMissing { invoice: true } => {
            Error::new(Code::AmountMissing, "The invoice has no amount.")
        }
        Cause::AmountMissing { invoice: false } => {
            Error::new(Code::AmountMissing, "An address has no amount.")
        }
        Cause::AmountMismatch { invoice_sats, asked_sats } => Error::new(
            Code::AmountMismatch,
            format!("The invoice is for {invoice_sats} sats, not for {asked_sats}."),
        )
        .with("invoice_sats", invoice_sats)
        .with("asked_sats", asked_sats),
        Cause::WrongNetwork => Error::new(
            Code::WrongNetwork,
            "The invoice is for a test network; this wallet holds real money.",
        ),
        Cause::InvoiceExpired => Error::new(Code::InvoiceExpired, "The invoice has expired."),
        Cause::PaidElsewhere => Error::new(
            Code::PossibleDuplicate,
            "Another device with this wallet has already paid this invoice, according to its history on the relays.",
        )
        .next("Tell the user and do not pay it again; if the payee says it is unpaid, ask for a new invoice."),
        Cause::Conflict => {
            Error::new(Code::KeyConflict, "This idempotency key was already used for a different request.")
        }
        Cause::Late(late) => too_late(late),
        Cause::CallerGone => {
            Error::new(Code::InsufficientFunds, "The caller disconnected; nothing was paid.")
        }
        Cause::SpentElsewhere { token: true } => Error::new(
            Code::MintRefused,
            "The mint says these coins were spent elsewhere; the token was not made.",
        )
        .next(SYNC_AGAIN),
        Cause::SpentElsewhere { token: false } => Error::new(
            Code::MintRefused,
            "The mint says these coins were spent elsewhere; nothing was paid.",
        )
        .next(SYNC_AGAIN),
        Cause::SwapUndecided => Error::new(
            Code::MintUnreachable,
            "The mint did not answer; nothing was paid. The coins it was asked to swap are held until it answers.",
        ),
        Cause::CameBack => Error::new(
            Code::RouteNotFound,
            "The payment did not go through; its coins came back.",
        ),
        Cause::NeverSent { receive: false } => {
            Error::new(Code::MintUnreachable, "The wallet stopped before anything was sent.")
        }
        Cause::NeverSent { receive: true } => {
            Error::new(Code::MintUnreachable, "The wallet stopped before the token was redeemed.")
        }
        Cause::FeeEatsToken => {
            Error::new(Code::AmountOutOfRange, "The mint's fee would use up the whole token.")
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
            format!("The per-payment limit is {limit_sats} sats; you asked for {asked_sats}."),
        )
        .with("limit_sats", limit_sats)
        .with("asked_sats", asked_sats)
        .next(format!(
            "Tell the user: the per-payment limit is {limit_sats} sats; only they can change it. Do not split it."
        )),
        Denial::OverBudget { limit_sats, asked_sats, left_sats, retry_after_seconds } => Error::new(
            Code::OverBudget,
            format!("The 24-hour limit is {limit_sats} sats; {left_sats} are left, and this could need {asked_sats}, fees included."),
        )
        .with("limit_sats", limit_sats)
        .with("asked_sats", asked_sats)
        .with("left_sats", left_sats)
        .next(format!("Tell the user: the 24-hour limit is {limit_sats} sats; only they can change it. Do not split it."))
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
            format!("A payment of the same amount to the same payee was made {age_seconds} s ago and may already have paid for this; its state is {state}."),
        )
        .next("Tell the user about the earlier payment (get_payment with this payment_id); if this is a new purchase, only they can allow it.")
    } else {
        Error::new(Code::PossibleDuplicate, format!("The same payment was made {age_seconds} s ago; its state is {state}."))
            .next("Tell the user about the earlier payment (get_payment). Only if they really want a second one, call again with repeat_of set to this payment_id.")
    };
    error
        .with("earlier_payment_id", id)
        .with("earlier_state", state)
        .with("age_seconds", age_seconds)
        .with("person_only", person_only)
}

fn stored(error: &StoreError) -> Error {
    match error {
        StoreError::Stopping => Error::new(Code::OutcomeUnknown, "The wallet is stopping."),
        StoreError::OverCap => {
            Error::new(Code::OverBalanceLimit, "This would exceed the owner's cap at this mint.")
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
        "A settings file cannot be used; spending is off until it is fixed.",
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

/// Explains how much is missing, and how much another program may have sent already.
fn funds(need_sats: u64, held_sats: u64, left_out_sats: u64) -> Error {
    let missing = need_sats.saturating_sub(held_sats).max(1);
    let mut message = format!(
        "{need_sats} sats and the mint's input fee are needed; {held_sats} sats can be spent there."
    );
    if left_out_sats > 0 {
        message += &format!(
            " Another program with this wallet may have sent {left_out_sats} sats more as a token: they count again after a week if the mint \
             still calls them unspent."
        );
    }
    let error = Error::new(Code::InsufficientFunds, message);
    let error = if left_out_sats > 0 {
        error.with("perhaps_handed_out_sats", left_out_sats)
    } else {
        error
    };
    error
        .with("missing_sats", missing)
        .with("spendable_sats", held_sats)
        .next(format!("Deposit at least {missing} sats and a little for fees, then call again."))
}

fn over_cap(cap_sats: u64, held_sats: u64, more_sats: u64) -> Error {
    let refusal = Error::new(
        Code::OverBalanceLimit,
        format!(
            "The owner's cap at this mint is {cap_sats} sats; it already holds or expects {held_sats}, and {more_sats} more would exceed it."
        ),
    );
    refusal.with("limit_sats", cap_sats).with("held_sats", held_sats).with("asked_sats", more_sats)
}

fn too_late(late: Late) -> Error {
    let silent = |message: &str| Error::new(Code::MintUnreachable, message);
    match late {
        Late::Mint => silent("The mint did not answer in time; nothing was paid."),
        Late::Invoice => silent("The mint did not answer in time; there is no invoice yet."),
        Late::Planned => silent("An earlier call for this payment is still waiting for an answer; this call sent nothing.")
            .next("Look the payment up with get_payment or list_history before calling again."),
        Late::Place => Error::new(Code::TooManyRequests, "Too many payments at this mint are in progress.")
            .after(Some(PLACE_PAUSE_SECONDS)),
        Late::Coins => Error::new(
            Code::InsufficientFunds,
            "Other payments hold the coins and did not release them in time; nothing was paid.",
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
            let error = Error::new(Code::TokenSpent, "The token has already been spent.");
            if left > 0 { error.with("left_sats", left) } else { error }
        }
        TokenRefusal::LockedByUs => Error::new(
            Code::TokenLocked,
            "The token is locked to its recipient's key and cannot be taken back.",
        )
        .next("Ask the recipient; only they can claim it."),
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
        Mistake::NoSeed => "A seed could not be derived.",
        Mistake::NoRandomness => "The system's random generator failed.",
        Mistake::ZapRequest => "The zap request could not be created.",
        Mistake::RelayEvent => "An event for the relays could not be created.",
    }
}

fn give_up(refusal: GiveUpRefusal) -> &'static str {
    match refusal {
        GiveUpRefusal::MintAnswers => {
            "Its mint answers, so the wallet resolves it automatically: it asks within seconds of its next start, and then at least \
             every ten minutes. Nothing was given up."
        }
        GiveUpRefusal::NotOpen => "It is not open: there is nothing to give up.",
        GiveUpRefusal::InHand => "It is in progress right now.",
        GiveUpRefusal::Deposit => {
            "A deposit reserves nothing and is never given up. The mint of a disputed one is asked once a day."
        }
        GiveUpRefusal::NotGivenUp => "It was not given up.",
    }
}

/// Creates the error of a failed payment from its record.
fn failed(failure: &StoredFailure) -> Error {
    Error::new(stored_code(failure.reason), "The payment failed; nothing moved.")
        .with_untrusted("reason", failure.untrusted_reason.as_deref().unwrap_or(""))
}
