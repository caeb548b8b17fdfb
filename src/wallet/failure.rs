//! Why a verb did not do it, as types: the cause with its sources, whether money moved, and the
//! payment and the mint at hand.
//!
//! Retries and states are decided from these types. Holds no sentence and no code for agents:
//! `api::explain` has them.

pub use crate::mint::error::{MintError, nut};
use crate::model::id::PaymentId;
use crate::model::lnurl::{AnswerError, Misfit};
use crate::model::mint::MintAddress;
use crate::model::payment::{FailureReason, StoredFailure};
use crate::model::text::{self, SecretKind};
pub use crate::policy::Denial;
pub use crate::ports::HttpFailure;
pub use crate::store::StoreError;

/// Whether money has left because of the failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Nothing moved and nothing may move.
    No,
    /// It may have.
    Unknown,
}

/// A verb that was not done.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// Why.
    #[source]
    pub cause: Cause,
    /// Whether money moved.
    pub moved: Moved,
    /// The payment at hand. `None`: none was recorded.
    pub payment: Option<PaymentId>,
    /// The mint it is about, where the cause is about one.
    pub mint: Option<MintAddress>,
}

/// Why. Amounts are sats.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The owner's policy.
    #[error("the policy denies it")]
    Denied {
        /// What stands in the way.
        denial: Denial,
        /// Left of the day's limit, where it was looked up.
        left_sats: Option<u64>,
    },
    /// A mint.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The wallet's file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something in the wallet's file contradicts itself.
    #[error("the wallet file is damaged: {0}")]
    Damaged(&'static str),
    /// The owner's settings cannot be used.
    #[error("the settings cannot be used")]
    Settings(SettingsProblem),
    /// A payee's server.
    #[error(transparent)]
    Payee(#[from] PayeeError),
    /// The server of a Nostr name (NIP-05).
    #[error("the name's server does not help")]
    NameServer(NameServerError),
    /// No relay could be read.
    #[error("no relay could be read")]
    RelaysSilent,
    /// There is to be no nutzap (NIP-61).
    #[error("no nutzap can be sent")]
    Nutzap(NutzapRefusal),
    /// A zap that cannot be made as it was asked for.
    #[error("the zap cannot be made")]
    Zap(ZapRefusal),
    /// Too little is held.
    #[error("too little is held")]
    Funds {
        /// Amount and fee reserve.
        need_sats: u64,
        /// What can be spent.
        held_sats: u64,
        /// Coins that another device has perhaps handed out, which do not count.
        left_out_sats: u64,
    },
    /// More would come in at a mint than the owner allows.
    #[error("the owner's cap would be passed")]
    OverCap {
        /// The cap.
        cap_sats: u64,
        /// What is there, or on its way.
        held_sats: u64,
        /// What would come in.
        more_sats: u64,
    },
    /// The owner has not listed the mint, or it is set aside; its address is in [`Failure::mint`].
    #[error("the mint is not trusted")]
    NotTrusted,
    /// No usable mint is listed.
    #[error("no usable mint is listed")]
    NoMint,
    /// None of the listed mints pays the invoice.
    #[error("no listed mint can pay")]
    NoMintPays,
    /// No mint at hand pays an invoice without an amount; a mint's own words, not cleaned.
    #[error("no mint pays an invoice without an amount")]
    Amountless(String),
    /// Words of ours that must not go out.
    #[error("{field} is refused")]
    Text {
        /// The parameter.
        field: &'static str,
        /// The secret that it holds. `None`: it is too long.
        holds: Option<SecretKind>,
    },
    /// Neither the payee nor the caller names an amount.
    #[error("no amount")]
    AmountMissing {
        /// The payee is an invoice, not an address.
        invoice: bool,
    },
    /// The caller's amount is not the invoice's.
    #[error("another amount than the invoice's")]
    AmountMismatch {
        /// The invoice's.
        invoice_sats: u64,
        /// The caller's.
        asked_sats: u64,
    },
    /// The invoice is of a test network, and the money is real.
    #[error("the invoice is of another network")]
    WrongNetwork,
    /// The invoice has run out.
    #[error("the invoice has run out")]
    InvoiceExpired,
    /// Another device has paid the invoice, as its history on relays says.
    #[error("another device has paid it")]
    PaidElsewhere,
    /// The key was used for another request.
    #[error("the key was used for another request")]
    Conflict,
    /// The caller's time ended before anything left.
    #[error("not done in time")]
    Late(Late),
    /// The caller has gone, so that nothing was admitted.
    #[error("the caller has gone")]
    CallerGone,
    /// The mint calls coins spent that this wallet has not spent.
    #[error("the coins were spent elsewhere")]
    SpentElsewhere {
        /// What they were for is a token.
        token: bool,
    },
    /// A swap into exact coins has no answer yet; its coins are held.
    #[error("the swap is undecided")]
    SwapUndecided,
    /// The payment did not go through, and its coins were swapped back.
    #[error("the coins came back")]
    CameBack,
    /// The process ended before anything was sent.
    #[error("stopped before anything was sent")]
    NeverSent {
        /// It was a token to be taken in.
        receive: bool,
    },
    /// The mint's fee is as much as the token is worth.
    #[error("the fee is as much as the token")]
    FeeEatsToken,
    /// A token that cannot be taken in, or taken back.
    #[error("the token cannot be used")]
    Token(TokenRefusal),
    /// A mint's quote that is not what was asked for; it was thrown away.
    #[error("the mint's quote is wrong")]
    Quote(WrongQuote),
    /// Nothing is recorded under that name.
    #[error("not found")]
    NotFound(Missing),
    /// The owner's way out is not open for it.
    #[error("it cannot be given up")]
    GiveUp(GiveUpRefusal),
    /// A payment that failed earlier, as it is recorded.
    #[error("the payment failed")]
    Failed(StoredFailure),
    /// A mistake of ours.
    #[error("a mistake of ours: {0}")]
    Internal(&'static str),
}

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
    /// Its invoice was given before; [`Failure::payment`] had it.
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

impl Failure {
    /// This cause, of no payment and no mint in particular.
    pub fn new(cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        let moved = match &cause {
            Cause::Store(StoreError::OverCap) => Moved::No,
            Cause::Store(_)
            | Cause::Damaged(_)
            | Cause::Internal(_)
            | Cause::Mint(MintError::Store(_))
            | Cause::Failed(StoredFailure {
                reason:
                    FailureReason::StorageFailed
                    | FailureReason::WalletDamaged
                    | FailureReason::OutcomeUnknown
                    | FailureReason::Internal,
                ..
            }) => Moved::Unknown,
            _ => Moved::No,
        };
        Self { cause, moved, payment: None, mint: None }
    }

    /// Names the payment at hand.
    #[must_use]
    pub fn of(self, payment: &PaymentId) -> Self {
        Self { payment: Some(payment.clone()), ..self }
    }

    /// Names the mint that it is about.
    #[must_use]
    pub fn at(self, mint: &MintAddress) -> Self {
        Self { mint: Some(mint.clone()), ..self }
    }

    /// The NUT error code, where a mint gave one.
    pub(in crate::wallet) fn nut_code(&self) -> Option<u16> {
        if let Cause::Mint(error) = &self.cause { error.code() } else { None }
    }

    /// What is kept of it with a payment or a received token.
    pub(in crate::wallet) fn to_store(&self) -> StoredFailure {
        let untrusted = match &self.cause {
            Cause::Mint(MintError::Refused { reason, .. }) | Cause::Amountless(reason) => {
                Some(reason.as_str())
            }
            Cause::Mint(
                MintError::Unexplained { reason, .. } | MintError::Failed { reason, .. },
            ) => reason.as_deref(),
            _ => None,
        };
        let untrusted_reason = untrusted.map(text::clean).filter(|words| !words.is_empty());
        StoredFailure { reason: self.cause.reason(), untrusted_reason }
    }
}

impl Cause {
    /// What is kept of it.
    fn reason(&self) -> FailureReason {
        match self {
            Self::Mint(error) => of_mint(error),
            Self::Store(StoreError::Stopping) => FailureReason::OutcomeUnknown,
            Self::Store(StoreError::OverCap) | Self::OverCap { .. } => {
                FailureReason::OverBalanceLimit
            }
            Self::Store(error) if error.is_damage() => FailureReason::WalletDamaged,
            Self::Store(_) => FailureReason::StorageFailed,
            Self::Damaged(_) => FailureReason::WalletDamaged,
            Self::Settings(_) => FailureReason::SettingsInvalid,
            Self::Amountless(_) => FailureReason::PayeeUnsupported,
            Self::FeeEatsToken => FailureReason::AmountOutOfRange,
            Self::Token(TokenRefusal::Spent(_)) => FailureReason::TokenSpent,
            Self::CameBack => FailureReason::RouteNotFound,
            Self::SpentElsewhere { .. } => FailureReason::MintRefused,
            Self::SwapUndecided | Self::NeverSent { .. } => FailureReason::MintUnreachable,
            Self::Failed(failure) => failure.reason,
            _ => FailureReason::Internal,
        }
    }
}

fn of_mint(error: &MintError) -> FailureReason {
    match error {
        MintError::NotSent(_)
        | MintError::Unchecked
        | MintError::Lost(_)
        | MintError::Failed { .. }
        | MintError::Moved { .. } => FailureReason::MintUnreachable,
        MintError::TooMany { .. } | MintError::Busy { status: 429, .. } => {
            FailureReason::TooManyRequests
        }
        MintError::Busy { .. } => FailureReason::MintUnreachable,
        MintError::AddressRefused(_) => FailureReason::AddressRefused,
        MintError::Refused { code, .. } => match *code {
            nut::LIGHTNING_FAILED => FailureReason::RouteNotFound,
            nut::OUT_OF_RANGE => FailureReason::AmountOutOfRange,
            nut::AMOUNTLESS => FailureReason::PayeeUnsupported,
            nut::TOKEN_NOT_VERIFIED => FailureReason::TokenInvalid,
            _ => FailureReason::MintRefused,
        },
        MintError::SpentElsewhere
        | MintError::UnderWay { .. }
        | MintError::Unexplained { .. }
        | MintError::Unreadable(_)
        | MintError::Wrong(_) => FailureReason::MintRefused,
        MintError::Store(_) => FailureReason::StorageFailed,
    }
}

impl<T: Into<Cause>> From<T> for Failure {
    fn from(cause: T) -> Self {
        Self::new(cause)
    }
}

impl From<Denial> for Cause {
    fn from(denial: Denial) -> Self {
        Self::Denied { denial, left_sats: None }
    }
}
