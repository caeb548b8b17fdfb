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
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Result<serde_json::Value, MintError> {
        answered(status, body, None, None)
    }

    fn answered(
        status: u16,
        body: &str,
        after: Option<u64>,
        location: Option<&str>,
    ) -> Result<serde_json::Value, MintError> {
        let (body, location) = (body.as_bytes().to_vec(), location.map(str::to_owned));
        classify(Ok(HttpResponse { status, body, retry_after_seconds: after, location }))
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
            assert!(
                told(status, &body).is_err_and(|error| !error.is_definite()),
                "{status} {code}"
            );
        }
        assert!(told(400, "<html>").is_err_and(|error| !error.is_definite()));
        assert!(told(200, "garbage").is_err_and(|error| !error.is_definite()));
    }

    #[test]
    fn too_many_requests_decides_nothing() {
        assert_eq!(told(429, ""), Err(MintError::Busy { status: 429, retry_after_seconds: 30 }));
        assert!(
            told(429, r#"{"code":20004,"detail":"x"}"#).is_err_and(|error| !error.is_definite())
        );
    }

    #[test]
    fn what_the_mint_asks_us_to_wait_is_kept() {
        assert_eq!(
            answered(429, "", Some(7), None),
            Err(MintError::Busy { status: 429, retry_after_seconds: 7 })
        );
        assert_eq!(
            answered(503, "", Some(90), None),
            Err(MintError::Busy { status: 503, retry_after_seconds: 90 })
        );
        assert_eq!(told(503, "<html>"), Err(MintError::Failed { status: 503, reason: None }));
    }

    #[test]
    fn a_redirect_names_its_place_and_decides_nothing() {
        for status in [301, 302, 307, 308] {
            let moved = answered(status, "", None, Some("https://new.example/v1/info"));
            assert_eq!(
                moved,
                Err(MintError::Redirected {
                    status,
                    location: Some("https://new.example/v1/info".into())
                })
            );
            assert!(moved.is_err_and(|error| !error.is_definite() && error.was_answered()));
        }
    }

    #[test]
    fn a_refusal_without_a_code_keeps_its_words() {
        for (body, reason) in [
            (r#"{"detail":"no such quote"}"#, Some("no such quote")),
            (
                r#"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"},{"msg":"and this"}]}"#,
                Some("field required; and this"),
            ),
            (r#"{"detail":{"a":1}}"#, Some(r#"{"a":1}"#)),
            (r#"{"error":"old words","code":0}"#, Some("old words")),
            (r#"{"detail":null}"#, None),
            ("[]", None),
            ("<html>", None),
        ] {
            let no = told(422, body);
            assert_eq!(
                no,
                Err(MintError::Unexplained { status: 422, reason: reason.map(str::to_owned) }),
                "{body}"
            );
        }
        assert_eq!(
            told(400, r#"{"code":"20004"}"#),
            Err(MintError::Refused { code: 20_004, reason: String::new() })
        );
    }
}
