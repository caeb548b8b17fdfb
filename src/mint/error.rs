//! Errors of requests to a mint: whether the request was sent, and whether the answer is a definite
//! refusal.

use crate::ports::{HttpFailure, StoreFailure};

/// Failure of a request to a mint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// Not sent: no connection.
    #[error("the mint could not be reached: {0}")]
    NotSent(String),
    /// Not sent: the wallet file may be older than what the mint knows, and the mint has not been
    /// asked about it yet.
    #[error("the wallet file may be outdated and the mint has not been checked yet")]
    Unchecked,
    /// Not sent: this wallet's rate limit.
    #[error("too many requests")]
    RateLimited {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// Answered with status 429, or 503 with `Retry-After`, by the mint or a gateway. Outcome
    /// unknown.
    #[error("the mint is rate-limiting (status {status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// Not sent: the address is not allowed.
    #[error("the address is not allowed")]
    AddressRefused(String),
    /// A definite refusal with a code of the NUT error list. Nothing moved.
    #[error("the mint refused (code {code})")]
    Refused {
        /// The NUT error code.
        code: u16,
        /// The mint's text, not cleaned.
        reason: String,
    },
    /// The mint says that the request is in progress or already done. Outcome unknown.
    #[error("the mint says this is in progress or already done (code {code})")]
    UnderWay {
        /// The NUT error code.
        code: u16,
    },
    /// A definite refusal: another holder of the same proofs has spent them.
    #[error("another device or program has already spent these coins")]
    SpentElsewhere,
    /// A refusal without a listed NUT code, by the mint or a gateway. Outcome unknown.
    #[error("refused without a listed reason (status {status})")]
    Unexplained {
        /// The HTTP status, 400 to 499.
        status: u16,
        /// Text of the answer, not cleaned.
        reason: Option<String>,
    },
    /// Answered with a server error, or with 408 or 425. Outcome unknown.
    #[error("the mint's server failed (status {status})")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// Text of the answer, not cleaned.
        reason: Option<String>,
    },
    /// Answered with a redirect, which is never followed. Outcome unknown.
    #[error("the mint's address redirects elsewhere (status {status})")]
    Redirected {
        /// The HTTP status, 300 to 399.
        status: u16,
        /// The `Location` header, not cleaned.
        location: Option<String>,
    },
    /// Sent, but no answer came. Outcome unknown.
    #[error("the mint's answer was lost: {0}")]
    Lost(String),
    /// The answer could not be parsed. Outcome unknown.
    #[error("the mint's answer is unreadable: {0}")]
    Unreadable(String),
    /// The answer is invalid. Outcome unknown.
    #[error("the mint's answer is invalid: {0}")]
    Wrong(String),
    /// This wallet's store failed.
    #[error(transparent)]
    Store(StoreFailure),
}

/// NUT error codes that the wallet acts on.
pub mod nut {
    /// The proof is not from this mint.
    pub const TOKEN_NOT_VERIFIED: u16 = 10_001;
    /// The proof is spent.
    pub const TOKEN_SPENT: u16 = 11_001;
    /// The proof is in use.
    pub const TOKEN_PENDING: u16 = 11_002;
    /// The outputs are already signed.
    pub const OUTPUTS_SIGNED: u16 = 11_003;
    /// The outputs are in use.
    pub const OUTPUTS_PENDING: u16 = 11_004;
    /// Inputs and outputs do not balance.
    pub const UNBALANCED: u16 = 11_005;
    /// The amount is outside the mint's limits.
    pub const OUT_OF_RANGE: u16 = 11_006;
    /// The mint cannot pay an invoice without an amount.
    pub const AMOUNTLESS: u16 = 11_011;
    /// The keyset no longer signs.
    pub const KEYSET_INACTIVE: u16 = 12_002;
    /// The Lightning payment failed.
    pub const LIGHTNING_FAILED: u16 = 20_004;
    /// The quote's proofs are already issued.
    pub const ALREADY_ISSUED: u16 = 20_002;
    /// The quote is being paid.
    pub const QUOTE_PENDING: u16 = 20_005;
    /// The invoice is already paid.
    pub const ALREADY_PAID: u16 = 20_006;
    /// The lock of a proof or quote was not opened.
    pub const NOT_OPENED: u16 = 20_008;
}

impl MintError {
    /// Returns the NUT error code, if the mint gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } | Self::UnderWay { code } => Some(*code),
            _ => None,
        }
    }

    /// Returns `true` for a definite refusal caused by one proof: it is not from this mint, or its
    /// lock was not opened.
    pub fn is_about_a_proof(&self) -> bool {
        matches!(self, Self::Refused { code: nut::TOKEN_NOT_VERIFIED | nut::NOT_OPENED, .. })
    }

    /// Returns whether nothing can have moved.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::NotSent(_)
            | Self::Unchecked
            | Self::RateLimited { .. }
            | Self::AddressRefused(_)
            | Self::Refused { .. }
            | Self::SpentElsewhere => true,
            Self::Busy { .. }
            | Self::UnderWay { .. }
            | Self::Unexplained { .. }
            | Self::Failed { .. }
            | Self::Redirected { .. }
            | Self::Lost(_)
            | Self::Unreadable(_)
            | Self::Wrong(_)
            | Self::Store(_) => false,
        }
    }

    /// Returns whether the mint or a gateway does not know the endpoint, which says nothing else.
    pub fn is_not_served(&self) -> bool {
        matches!(self, Self::Unexplained { status: 404 | 405, .. })
    }

    /// Returns whether the mint's address answered, other than a gateway that could not reach the
    /// mint.
    pub fn was_answered(&self) -> bool {
        match self {
            Self::Failed { status, .. } | Self::Busy { status, .. } => !matches!(status, 502..=504),
            Self::Refused { .. }
            | Self::UnderWay { .. }
            | Self::Unexplained { .. }
            | Self::Redirected { .. }
            | Self::Unreadable(_)
            | Self::Wrong(_) => true,
            Self::NotSent(_)
            | Self::Unchecked
            | Self::RateLimited { .. }
            | Self::AddressRefused(_)
            | Self::SpentElsewhere
            | Self::Lost(_)
            | Self::Store(_) => false,
        }
    }
}

impl From<StoreFailure> for MintError {
    fn from(failure: StoreFailure) -> Self {
        Self::Store(failure)
    }
}

impl From<HttpFailure> for MintError {
    fn from(failure: HttpFailure) -> Self {
        match failure {
            HttpFailure::Refused(why) => Self::AddressRefused(why),
            HttpFailure::RateLimited { retry_after_seconds } => {
                Self::RateLimited { retry_after_seconds }
            }
            HttpFailure::Unresolved => Self::NotSent(failure.to_string()),
            HttpFailure::NotSent(why) => Self::NotSent(why),
            HttpFailure::Lost(why) => Self::Lost(why),
        }
    }
}
