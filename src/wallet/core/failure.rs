//! Failures as types: cause, effect on money, and the payment and mint concerned.
//!
//! Retries and states depend on these types. Texts for agents are in `api::explain`.

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

/// Effect of the failed call on money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// No money moved, and none may move later.
    No,
    /// Money may have moved.
    Unknown,
}

/// A failed operation.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// The cause.
    #[source]
    pub cause: Cause,
    /// Effect on money.
    pub moved: Moved,
    /// The payment concerned. `None`: no payment was recorded.
    pub payment: Option<PaymentId>,
    /// The mint concerned, if any.
    pub mint: Option<MintAddress>,
}

/// Cause of a failure. Amounts are in sats.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The owner's policy denies it.
    #[error("the policy denies it")]
    Denied {
        /// The rule that denies it.
        denial: Denial,
        /// Sats left of the daily limit, if they were looked up.
        left_sats: Option<u64>,
    },
    /// The mint failed or refused.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The wallet's file contradicts itself.
    #[error("the wallet file is damaged: {0}")]
    Damaged(&'static str),
    /// The owner's settings cannot be used.
    #[error("the settings cannot be used")]
    Settings(SettingsProblem),
    /// A payee's server failed or refused.
    #[error(transparent)]
    Payee(#[from] PayeeError),
    /// The server of a NIP-05 name gave no usable answer.
    #[error("the NIP-05 server gave no usable answer")]
    NameServer(NameServerError),
    /// No relay could be read.
    #[error("no relay could be read")]
    RelaysSilent,
    /// No nutzap (NIP-61) can be sent.
    #[error("no nutzap can be sent")]
    Nutzap(NutzapRefusal),
    /// The zap cannot be made as requested.
    #[error("the zap cannot be made as requested")]
    Zap(ZapRefusal),
    /// The balance is too low.
    #[error("the balance is too low")]
    Funds {
        /// Amount plus fee reserve.
        need_sats: u64,
        /// Spendable balance.
        held_sats: u64,
        /// Sats that another device may have handed out; not part of `held_sats`.
        left_out_sats: u64,
    },
    /// A mint's balance would exceed the owner's cap.
    #[error("this would exceed the owner's cap")]
    OverCap {
        /// The cap.
        cap_sats: u64,
        /// Sats held at the mint or on their way to it.
        held_sats: u64,
        /// Sats that would be added.
        more_sats: u64,
    },
    /// The owner has not listed the mint, or it is set aside. Its address is in [`Failure::mint`].
    #[error("the mint is not trusted")]
    NotTrusted,
    /// No usable mint is listed.
    #[error("no usable mint is listed")]
    NoMint,
    /// None of the listed mints can pay the invoice.
    #[error("no listed mint can pay")]
    NoMintPays,
    /// No mint pays an invoice without an amount. Contains a mint's own text, not cleaned.
    #[error("no mint pays an invoice without an amount")]
    Amountless(String),
    /// Outgoing text contains a secret or is too long.
    #[error("{field} is refused")]
    Text {
        /// Name of the parameter.
        field: &'static str,
        /// The kind of secret found. `None`: the text is too long.
        holds: Option<SecretKind>,
    },
    /// Neither the payee nor the caller gave an amount.
    #[error("no amount")]
    AmountMissing {
        /// `true` if the payee is an invoice, `false` if it is an address.
        invoice: bool,
    },
    /// The caller's amount does not match the invoice.
    #[error("the amount does not match the invoice")]
    AmountMismatch {
        /// Amount of the invoice.
        invoice_sats: u64,
        /// Amount given by the caller.
        asked_sats: u64,
    },
    /// The invoice is for a test network, but the money is real.
    #[error("the invoice is for a different network")]
    WrongNetwork,
    /// The invoice has expired.
    #[error("the invoice has expired")]
    InvoiceExpired,
    /// Another device has already paid the invoice, according to its history on the relays.
    #[error("another device has already paid it")]
    PaidElsewhere,
    /// The idempotency key was used for a different request.
    #[error("the key was used for a different request")]
    Conflict,
    /// The call's time ended before anything was sent.
    #[error("the call's time ended before anything was sent")]
    Late(Late),
    /// The caller disconnected, so nothing was admitted.
    #[error("the caller disconnected")]
    CallerGone,
    /// The mint reports proofs as spent that this wallet did not spend.
    #[error("the coins were spent elsewhere")]
    SpentElsewhere {
        /// `true` if the proofs were for a token.
        token: bool,
    },
    /// A swap for exact proofs has no answer yet; its inputs stay reserved.
    #[error("the swap is undecided")]
    SwapUndecided,
    /// The payment failed, and its proofs were swapped back.
    #[error("the coins were returned")]
    CameBack,
    /// The process ended before anything was sent.
    #[error("stopped before anything was sent")]
    NeverSent {
        /// `true` if a token was to be redeemed, `false` for a payment.
        receive: bool,
    },
    /// The mint's fee is at least the token's value.
    #[error("the fee is at least the token's value")]
    FeeEatsToken,
    /// A token cannot be redeemed or reclaimed.
    #[error("the token cannot be used")]
    Token(TokenRefusal),
    /// The mint's quote does not match the request; it was discarded.
    #[error("the mint's quote does not match the request")]
    Quote(WrongQuote),
    /// No record was found.
    #[error("not found")]
    NotFound(Missing),
    /// The record cannot be given up or resumed.
    #[error("it cannot be given up or resumed")]
    GiveUp(GiveUpRefusal),
    /// A recorded failure of an earlier payment.
    #[error("the payment failed")]
    Failed(StoredFailure),
    /// A bug in this wallet.
    #[error("bug in this wallet: {0:?}")]
    Internal(Mistake),
}

impl Failure {
    /// Creates a failure from its cause, without a payment or mint.
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

    /// Sets the payment concerned.
    #[must_use]
    pub fn of(self, payment: &PaymentId) -> Self {
        Self { payment: Some(payment.clone()), ..self }
    }

    /// Sets the mint concerned.
    #[must_use]
    pub fn at(self, mint: &MintAddress) -> Self {
        Self { mint: Some(mint.clone()), ..self }
    }

    /// Returns the mint's NUT error code, if it gave one.
    pub(crate) fn nut_code(&self) -> Option<u16> {
        if let Cause::Mint(error) = &self.cause { error.code() } else { None }
    }

    /// Returns the part that is stored with a payment or a received token.
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
