//! Why a request to a mint failed: whether it had left, and whether the answer is a definite
//! refusal.

use crate::ports::{HttpFailure, StoreFailure};

/// Why a mint's verb did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// Nothing was sent: no connection.
    #[error("the mint could not be reached: {0}")]
    NotSent(String),
    /// Nothing was sent: the wallet's file may be older than what the mint knows, and the mint has
    /// not been asked yet.
    #[error("the mint has not been asked yet what it holds for this older file")]
    Unchecked,
    /// Nothing was sent: our own limiter says wait.
    #[error("too many requests")]
    RateLimited {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// Sent, and answered with status 429, or with 503 and a time to wait, by the mint or by
    /// something before it: decides nothing by itself.
    #[error("the mint asks us to wait (status {status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// Nothing was sent: our own rules forbid the address.
    #[error("the address is not allowed")]
    AddressRefused(String),
    /// A definite no in the words of the NUT error list; nothing moved.
    #[error("the mint refused (code {code})")]
    Refused {
        /// The NUT error code.
        code: u16,
        /// The mint's own words, not cleaned.
        reason: String,
    },
    /// The mint says that the same thing is under way or done already: decides nothing by itself.
    #[error("the mint says it is under way or done (code {code})")]
    UnderWay {
        /// The NUT error code.
        code: u16,
    },
    /// A definite no: another holder of the same coins has spent them, so this cannot be done with
    /// them any more.
    #[error("these coins were spent by another device or program that holds them too")]
    SpentElsewhere,
    /// A refusal without a reason of the NUT error list, by the mint or by something before it:
    /// decides nothing by itself.
    #[error("a refusal without a reason (status {status})")]
    Unexplained {
        /// The HTTP status, 400 to 499.
        status: u16,
        /// The words that came with it, not cleaned.
        reason: Option<String>,
    },
    /// Sent, and answered with an error of the server, or with 408 or 425: decides nothing by
    /// itself.
    #[error("the mint's server failed (status {status})")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// The words that came with it, not cleaned.
        reason: Option<String>,
    },
    /// Sent, and answered with a redirect, which is never followed: decides nothing by itself.
    #[error("the mint's address sends elsewhere (status {status})")]
    Redirected {
        /// The HTTP status, 300 to 399.
        status: u16,
        /// Where to, not cleaned. `None`: it does not say.
        location: Option<String>,
    },
    /// Sent, and no answer came.
    #[error("the mint's answer was lost: {0}")]
    Lost(String),
    /// Answered with something that cannot be read: decides nothing by itself.
    #[error("the mint's answer cannot be read: {0}")]
    Unreadable(String),
    /// The mint's answer cannot be true.
    #[error("the mint's answer cannot be right: {0}")]
    Wrong(String),
    /// Our own store failed.
    #[error(transparent)]
    Store(StoreFailure),
}

/// NUT error codes that decide what we do.
pub mod nut {
    /// The coin is not this mint's.
    pub const TOKEN_NOT_VERIFIED: u16 = 10_001;
    /// The coin is spent.
    pub const TOKEN_SPENT: u16 = 11_001;
    /// The coin is in use.
    pub const TOKEN_PENDING: u16 = 11_002;
    /// The outputs were signed before.
    pub const OUTPUTS_SIGNED: u16 = 11_003;
    /// The outputs are in use.
    pub const OUTPUTS_PENDING: u16 = 11_004;
    /// Inputs and outputs do not balance.
    pub const UNBALANCED: u16 = 11_005;
    /// Outside the mint's limits.
    pub const OUT_OF_RANGE: u16 = 11_006;
    /// The mint cannot pay an invoice that names no amount.
    pub const AMOUNTLESS: u16 = 11_011;
    /// The keyset signs no more.
    pub const KEYSET_INACTIVE: u16 = 12_002;
    /// The Lightning payment failed.
    pub const LIGHTNING_FAILED: u16 = 20_004;
    /// The quote's coins were made.
    pub const ALREADY_ISSUED: u16 = 20_002;
    /// The quote is being paid.
    pub const QUOTE_PENDING: u16 = 20_005;
    /// The invoice is paid.
    pub const ALREADY_PAID: u16 = 20_006;
    /// The lock of a coin, or of a quote, was not opened.
    pub const NOT_OPENED: u16 = 20_008;
}

impl MintError {
    /// The NUT error code, where the mint gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } | Self::UnderWay { code } => Some(*code),
            _ => None,
        }
    }

    /// A definite no because of one of the coins: it is none of this mint's, or its lock was not
    /// opened.
    pub fn is_about_a_proof(&self) -> bool {
        matches!(self, Self::Refused { code: nut::TOKEN_NOT_VERIFIED | nut::NOT_OPENED, .. })
    }

    /// Nothing can have moved.
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

    /// The mint does not serve what it was asked, or something before it does not know it: silence,
    /// which says nothing else.
    pub fn is_not_served(&self) -> bool {
        matches!(self, Self::Unexplained { status: 404 | 405, .. })
    }

    /// Something answered at the mint's address, and not only a gateway that did not reach the
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
