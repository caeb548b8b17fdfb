//! Judges an answer to a request that can move money: yes, a definite no, or unknown.
//!
//! A definite no is an HTTP 4xx with a code of the NUT error list, apart from those that say that something is under way or done
//! already (quote pending, already paid, already issued, token pending, token spent, outputs pending) and apart from 408 and 425.
//! Everything else after the request has left is unknown, 429 included. No answer decides alone: the caller asks the mint about the
//! inputs or the outputs before a definite no counts.

use cdk_common::error::{ErrorCode, ErrorResponse};
use serde::de::DeserializeOwned;

use super::error::{MintError, nut};
use crate::ports::{HttpFailure, HttpResponse};

const DEFAULT_PAUSE_SECONDS: u64 = 30;

/// Codes that say that the same thing may be under way or done: no decision.
const UNDER_WAY: [u16; 6] =
    [nut::TOKEN_SPENT, nut::TOKEN_PENDING, nut::OUTPUTS_PENDING, nut::ALREADY_ISSUED, nut::QUOTE_PENDING, nut::ALREADY_PAID];

/// Reads an answer.
///
/// # Errors
/// [`MintError::is_definite`] tells a definite no from an unknown outcome.
pub(crate) fn judge<R: DeserializeOwned>(answer: Result<HttpResponse, HttpFailure>) -> Result<R, MintError> {
    let answer = answer?;
    if (200..300).contains(&answer.status) {
        return serde_json::from_slice(&answer.body).map_err(|_| MintError::Lost("the answer cannot be read".to_owned()));
    }
    if answer.status == 429 {
        return Err(MintError::Busy { retry_after_seconds: answer.retry_after_seconds.unwrap_or(DEFAULT_PAUSE_SECONDS) });
    }
    let told = serde_json::from_slice::<ErrorResponse>(&answer.body).ok();
    let definite_status = (400..500).contains(&answer.status) && !matches!(answer.status, 408 | 425);
    match told {
        Some(ErrorResponse { code, detail }) => {
            let number = code.to_code();
            let listed = !matches!(code, ErrorCode::Unknown(_) | ErrorCode::ConcurrentUpdate);
            if definite_status && UNDER_WAY.contains(&number) {
                Err(MintError::UnderWay { code: number })
            } else if definite_status && listed {
                Err(MintError::Refused { code: number, reason: detail })
            } else if definite_status {
                Err(MintError::Unexplained { status: answer.status })
            } else {
                Err(MintError::Lost(format!("status {}, code {number}", answer.status)))
            }
        }
        None if definite_status => Err(MintError::Unexplained { status: answer.status }),
        None => Err(MintError::Lost(format!("status {}", answer.status))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Result<serde_json::Value, MintError> {
        judge(Ok(HttpResponse { status, body: body.as_bytes().to_vec(), retry_after_seconds: None }))
    }

    #[test]
    fn a_listed_code_with_a_client_status_is_a_definite_no() {
        let no = told(400, r#"{"code":20004,"detail":"no route"}"#);
        assert_eq!(no, Err(MintError::Refused { code: 20_004, reason: "no route".into() }));
    }

    #[test]
    fn what_may_be_under_way_decides_nothing() {
        for (status, code) in [
            (400, 11_001),
            (400, 11_002),
            (400, 20_002),
            (400, 20_005),
            (400, 20_006),
            (500, 20_004),
            (408, 20_004),
            (425, 20_004),
            (400, 999),
        ] {
            let body = format!(r#"{{"code":{code},"detail":"x"}}"#);
            assert!(told(status, &body).is_err_and(|error| !error.is_definite()), "{status} {code}");
        }
        assert!(told(400, "<html>").is_err_and(|error| !error.is_definite()));
        assert!(told(200, "garbage").is_err_and(|error| !error.is_definite()));
    }

    #[test]
    fn too_many_requests_decides_nothing() {
        assert_eq!(told(429, ""), Err(MintError::Busy { retry_after_seconds: 30 }));
        assert!(told(429, r#"{"code":20004,"detail":"x"}"#).is_err_and(|error| !error.is_definite()));
    }
}
