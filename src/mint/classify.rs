//! Classifies a mint's response: the answer, a definite refusal, or an unknown outcome.
//!
//! A request that moves money is definitely refused by an HTTP 4xx with a code of the NUT error
//! list. Exceptions are 408 and 425, and codes for requests in progress or already done (quote
//! pending, already paid, already issued, token pending, token spent, outputs pending). Anything
//! else after such a request was sent is unknown, including 429. No answer decides alone: before a
//! refusal counts, the caller asks the mint about the inputs or the outputs.

use cdk_common::error::ErrorCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{MintError, nut};
use super::read;
use crate::ports::{HttpFailure, HttpResponse};

const DEFAULT_PAUSE_SECONDS: u64 = 30;

/// Codes of requests that may be in progress or already done.
const UNDER_WAY: [u16; 6] = [
    nut::TOKEN_SPENT,
    nut::TOKEN_PENDING,
    nut::OUTPUTS_PENDING,
    nut::ALREADY_ISSUED,
    nut::QUOTE_PENDING,
    nut::ALREADY_PAID,
];

/// Parses a response.
///
/// # Errors
/// [`MintError::is_definite`] distinguishes a definite refusal from an unknown outcome.
pub(crate) fn classify<R: DeserializeOwned>(
    answer: Result<HttpResponse, HttpFailure>,
) -> Result<R, MintError> {
    let HttpResponse { status, body, retry_after_seconds, location } = answer?;
    match (status, retry_after_seconds) {
        (200..300, _) => {
            return serde_json::from_slice(&body)
                .map_err(|_| MintError::Unreadable("unexpected JSON".to_owned()));
        }
        (300..400, _) => return Err(MintError::Redirected { status, location }),
        (429, asked) => {
            return Err(MintError::Busy {
                status,
                retry_after_seconds: asked.unwrap_or(DEFAULT_PAUSE_SECONDS),
            });
        }
        (503, Some(retry_after_seconds)) => {
            return Err(MintError::Busy { status, retry_after_seconds });
        }
        _ => {}
    }
    let (code, reason) = read::refusal(&serde_json::from_slice::<Value>(&body).unwrap_or_default());
    if !(400..500).contains(&status) || matches!(status, 408 | 425) {
        return Err(MintError::Failed { status, reason });
    }
    match code {
        Some(code) if UNDER_WAY.contains(&code) => Err(MintError::UnderWay { code }),
        Some(code) if is_listed(code) => {
            Err(MintError::Refused { code, reason: reason.unwrap_or_default() })
        }
        _ => Err(MintError::Unexplained { status, reason }),
    }
}

fn is_listed(code: u16) -> bool {
    !matches!(ErrorCode::from_code(code), ErrorCode::Unknown(_) | ErrorCode::ConcurrentUpdate)
}

#[cfg(test)]
mod tests;
