//! The causes of failures that have cases of their own.

use crate::model::lnurl::{AnswerError, Misfit};
use crate::ports::HttpFailure;

/// Where settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The key, not cleaned.
    pub key: Option<String>,
}

/// What a payee's server did instead of helping.
#[derive(Debug, thiserror::Error)]
pub enum PayeeError {
    /// There was no exchange.
    #[error(transparent)]
    Http(HttpFailure),
    /// It answered with a status that says no.
    #[error("the payee's server answers with status {status}")]
    Status {
        /// The HTTP status, not 200 to 299.
        status: u16,
        /// Its words, not cleaned.
        reason: Option<String>,
        /// Seconds that it asks us to wait, or that we wait.
        retry_after_seconds: Option<u64>,
    },
    /// Its answer is longer than an answer can be.
    #[error("the payee's server answers with too much")]
    TooLong,
    /// Its answer is of no use.
    #[error(transparent)]
    Answer(AnswerError),
    /// Its invoice is not what was asked for.
    #[error("the payee's server gave another invoice")]
    Misfit {
        /// How it differs.
        misfit: Misfit,
        /// What was asked for, in sats.
        asked_sats: u64,
    },
    /// Its invoice was given before; [`Failure::payment`](super::failure::Failure::payment) had it.
    #[error("the payee's server gave an earlier invoice")]
    InvoiceAgain,
    /// It does not take this amount.
    #[error("the payee does not take this amount")]
    OutOfRange {
        /// Least.
        min_sats: u64,
        /// Most.
        max_sats: u64,
        /// What was asked for.
        asked_sats: u64,
    },
}

/// What the server of a Nostr name did instead of helping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameServerError {
    /// Its address is not allowed.
    Refused,
    /// It does not answer.
    Silent,
    /// Its answer cannot be used.
    OutOfOrder,
}

/// Why there is to be no nutzap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NutzapRefusal {
    /// None of the recipient's own relays answers: what is known of them may be old.
    RelaysSilent,
    /// They do not say that they take any.
    TakesNone,
    /// They have published no key of its own for them.
    NoKey,
    /// They take none from a mint that we use.
    OtherMints,
    /// The mint that both use does not promise NUT-11 and NUT-12.
    NoLocks,
    /// We hold too little at their mints.
    TooLittle,
}

/// Why a zap cannot be made as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZapRefusal {
    /// Nostr is off.
    NostrOff,
    /// The event was changed since the first call with this key.
    EventChanged,
    /// The event shares its zaps among too many.
    TooManyShares,
    /// No relay that was asked has the event.
    EventUnknown,
    /// The name's server does not know the name.
    NameUnknown,
    /// The recipient has published no way to be paid that we can use.
    NoWay,
    /// `to` is an event already, and `event` names one as well.
    TwoEvents,
    /// `to` is not a person, where `event` names the event.
    NotAPerson,
    /// `event` was not written by `to`.
    NotItsAuthor,
    /// `event` names no event.
    NotAnEvent,
}

/// Why the caller's time ended before anything left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// A mint did not answer.
    Mint,
    /// A mint did not answer; there is no invoice yet.
    Invoice,
    /// Another call for the same payment still waits for its answers.
    Planned,
    /// All places for melts stayed taken.
    Place,
    /// Coins that other payments hold did not come back.
    Coins,
}

/// Why a token cannot be taken in, or taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// It is of another unit; a stranger's word, not cleaned.
    Unit(String),
    /// It is locked to a key that is not ours.
    Locked,
    /// Its coins are spent, but for so many sats.
    Spent(u64),
    /// It is ours and locked to its receiver.
    LockedByUs,
    /// It is ours, and part of it was claimed.
    PartlyClaimed,
}

/// How a mint's quote differs from what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongQuote {
    /// The price is for another amount.
    MeltAmount,
    /// The invoice is for another amount.
    InvoiceAmount,
    /// The invoice has run out.
    InvoiceExpired,
    /// The invoice is of a test network.
    InvoiceNetwork,
}

/// What is not there.
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
    /// A token: the payment is none.
    Token,
    /// A payment or a received token with that id.
    Record,
}

/// Why something cannot be given up, or taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUpRefusal {
    /// Its mint answers.
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

/// What went wrong in this program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// No seed could be made of the wallet's words.
    NoSeed,
    /// The system gave no randomness.
    NoRandomness,
    /// A zap request could not be signed.
    ZapRequest,
    /// An event for the relays could not be made.
    RelayEvent,
}
