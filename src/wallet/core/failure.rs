//! Why a verb did not do it, as types: the cause with its sources, whether money moved, and the
//! payment and the mint at hand.
//!
//! Retries and states are decided from these types. Holds no sentence and no code for agents:
//! `api::explain` has them.

pub use crate::mint::error::{MintError, nut};
use crate::model::id::PaymentId;
use crate::model::mint::MintAddress;
use crate::model::payment::{FailureReason, StoredFailure};
use crate::model::text::{self, SecretKind};
pub use crate::policy::Denial;
pub use crate::ports::HttpFailure;
pub use crate::store::StoreError;

pub use crate::wallet::core::refusals::{
    GiveUpRefusal, Late, Missing, Mistake, NameServerError, NutzapRefusal, PayeeError,
    SettingsProblem, TokenRefusal, WrongQuote, ZapRefusal,
};

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
    #[error("a mistake of ours: {0:?}")]
    Internal(Mistake),
}

impl Failure {
    /// This cause, of no payment and no mint in particular.
    pub fn new(cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        if let Cause::Store(error) = &cause
            && !matches!(error, StoreError::Stopping | StoreError::OverCap)
        {
            tracing::error!(%error, "the store failed");
        }
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
    pub(crate) fn nut_code(&self) -> Option<u16> {
        if let Cause::Mint(error) = &self.cause { error.code() } else { None }
    }

    /// What is kept of it with a payment or a received token.
    pub(crate) fn to_store(&self) -> StoredFailure {
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
        | MintError::Redirected { .. } => FailureReason::MintUnreachable,
        MintError::RateLimited { .. } | MintError::Busy { status: 429, .. } => {
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
