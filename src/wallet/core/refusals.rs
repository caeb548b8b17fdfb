//! Failure causes that have several cases.

use crate::model::lnurl::{AnswerError, Misfit};
use crate::ports::HttpFailure;

/// Location of an error in the owner's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// Path of the settings file.
    pub file: String,
    /// Line number, from 1.
    pub line: Option<usize>,
    /// Settings key, not cleaned.
    pub key: Option<String>,
}

/// Failure of a payee's server.
#[derive(Debug, thiserror::Error)]
pub enum PayeeError {
    /// The HTTP exchange failed.
    #[error(transparent)]
    Http(HttpFailure),
    /// The server answered with an error status.
    #[error("the payee's server answered with status {status}")]
    Status {
        /// HTTP status, not 200 to 299.
        status: u16,
        /// The server's own text, not cleaned.
        reason: Option<String>,
        /// Seconds until a retry, by the server or our default; only for status 429.
        retry_after_seconds: Option<u64>,
    },
    /// The answer is too long.
    #[error("the payee's server sent an oversized answer")]
    TooLong,
    /// The answer cannot be used.
    #[error(transparent)]
    Answer(AnswerError),
    /// The invoice does not match the request.
    #[error("the payee's server gave an invoice that does not match the request")]
    Misfit {
        /// The mismatch.
        misfit: Misfit,
        /// Requested amount in sats.
        asked_sats: u64,
    },
    /// The invoice is that of [`Failure::payment`](super::failure::Failure::payment).
    #[error("the payee's server gave an earlier invoice")]
    InvoiceAgain,
    /// The amount is outside the payee's range.
    #[error("the amount is outside the payee's range")]
    OutOfRange {
        /// Minimum in sats.
        min_sats: u64,
        /// Maximum in sats.
        max_sats: u64,
        /// Requested amount in sats.
        asked_sats: u64,
    },
}

/// Failure of a NIP-05 name's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameServerError {
    /// The server's address is not allowed.
    Refused,
    /// The server did not answer.
    Silent,
    /// The answer cannot be used.
    OutOfOrder,
}

/// Reason why no nutzap can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NutzapRefusal {
    /// None of the recipient's own relays answered, so what is known of them may be out of date.
    RelaysSilent,
    /// The recipient does not advertise nutzap support.
    TakesNone,
    /// The recipient has not published a separate key for nutzaps.
    NoKey,
    /// The recipient accepts no mint that this wallet uses.
    OtherMints,
    /// The shared mint does not advertise NUT-11 and NUT-12.
    NoLocks,
    /// The balance at the recipient's mints is too low.
    TooLittle,
}

/// Reason why a zap cannot be made as requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZapRefusal {
    /// Nostr is off.
    NostrOff,
    /// The event was changed since the first call with this key.
    EventChanged,
    /// The event splits its zaps among too many recipients.
    TooManyShares,
    /// None of the relays asked has the event.
    EventUnknown,
    /// The NIP-05 server does not know the name.
    NameUnknown,
    /// The recipient has published no payment method that this wallet supports.
    NoWay,
    /// Both `to` and `event` name an event.
    TwoEvents,
    /// `event` names an event, but `to` is not a person.
    NotAPerson,
    /// `to` is not the author of `event`.
    NotItsAuthor,
    /// `event` does not name an event.
    NotAnEvent,
}

/// Resource that a call still waited for when its time ended; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// A mint's answer.
    Mint,
    /// A mint's answer; no invoice exists yet.
    Invoice,
    /// An earlier call for the same payment, which still waits for answers.
    Planned,
    /// A free slot for another melt.
    Place,
    /// Proofs reserved by other payments.
    Coins,
}

/// Reason why a token cannot be redeemed or reclaimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The token has another unit; a stranger's text, not cleaned.
    Unit(String),
    /// The token is locked to someone else's key.
    Locked,
    /// The token is spent, except for this many sats.
    Spent(u64),
    /// The token is our own and locked to its recipient.
    LockedByUs,
    /// The token is our own, and part of it was claimed.
    PartlyClaimed,
}

/// Mismatch between a mint's quote and the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongQuote {
    /// The melt quote is for another amount.
    MeltAmount,
    /// The invoice is for another amount.
    InvoiceAmount,
    /// The invoice has expired.
    InvoiceExpired,
    /// The invoice is for a test network.
    InvoiceNetwork,
}

/// The record that was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A payment of this agent with that id.
    Payment,
    /// A payment of this agent with that hash or key.
    PaymentName,
    /// A received token of this agent with that id.
    Receive,
    /// A deposit of this agent with that id.
    Deposit,
    /// Any deposit of this agent.
    AnyDeposit,
    /// A token: the payment has none.
    Token,
    /// A payment or received token with that id.
    Record,
}

/// Reason why a record cannot be given up or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUpRefusal {
    /// The mint answers, so the outcome follows from it.
    MintAnswers,
    /// It is not open.
    NotOpen,
    /// It is being carried out.
    InHand,
    /// It is a deposit.
    Deposit,
    /// It was not given up.
    NotGivenUp,
}

/// An internal error of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// No seed could be derived from the mnemonic.
    NoSeed,
    /// The system's random generator failed.
    NoRandomness,
    /// A zap request could not be signed.
    ZapRequest,
    /// A Nostr event could not be created.
    RelayEvent,
}
