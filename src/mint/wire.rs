//! cdk's HTTP and websockets over our own network port.
//!
//! Never repeats a request, never follows a redirect, never sends a credential. A failure keeps its kind through cdk's error type, which
//! has room for a text only: `read_failure` is the inverse of `write_failure`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cdk::http_client::{HttpError, RawResponse};
use cdk::nuts::AuthToken;
use cdk::wallet::HttpTransport;
use cdk_common::ws_client::{WsError, WsReceiver, WsSender, from_websocket_stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::ports::{Http, HttpFailure, HttpRequest, Method};

/// How long any exchange with a mint may take, but a melt.
pub(crate) const EXCHANGE: Duration = Duration::from_secs(15);

/// How long a melt's exchange may take. Nobody waits for it this long: the operation runs on its own.
pub(crate) const MELT_EXCHANGE: Duration = Duration::from_secs(600);

const REFUSED: &str = "nutpurse/refused: ";
const TOO_MANY: &str = "nutpurse/too-many: ";
const NOT_SENT: &str = "nutpurse/not-sent: ";
const LOST: &str = "nutpurse/lost: ";

/// A failure as a text that keeps its kind.
fn write_failure(failure: &HttpFailure) -> String {
    match failure {
        HttpFailure::Refused(why) => format!("{REFUSED}{why}"),
        HttpFailure::TooMany { retry_after_seconds } => format!("{TOO_MANY}{retry_after_seconds}"),
        HttpFailure::NotSent(why) => format!("{NOT_SENT}{why}"),
        HttpFailure::Lost(why) => format!("{LOST}{why}"),
    }
}

/// The failure in such a text. `None`: the text is somebody else's.
pub(crate) fn read_failure(text: &str) -> Option<HttpFailure> {
    if let Some(why) = text.strip_prefix(REFUSED) {
        return Some(HttpFailure::Refused(why.to_owned()));
    }
    if let Some(seconds) = text.strip_prefix(TOO_MANY) {
        return Some(HttpFailure::TooMany { retry_after_seconds: seconds.parse().unwrap_or(30) });
    }
    if let Some(why) = text.strip_prefix(NOT_SENT) {
        return Some(HttpFailure::NotSent(why.to_owned()));
    }
    text.strip_prefix(LOST).map(|why| HttpFailure::Lost(why.to_owned()))
}

/// cdk's transport, over ours.
#[derive(Clone, Debug)]
pub(crate) struct Wire(pub(crate) Arc<dyn Http>);

impl Wire {
    async fn exchange(&self, method: Method, url: Url, body: Option<Vec<u8>>) -> Result<RawResponse, HttpError> {
        let request = HttpRequest { method, url: url.to_string(), body, deadline: EXCHANGE };
        match self.0.send(request).await {
            Ok(answer) => Ok(RawResponse::new(answer.status, answer.body)),
            Err(failure) => Err(HttpError::Other(write_failure(&failure))),
        }
    }
}

#[async_trait]
impl HttpTransport for Wire {
    async fn ws_connect(&self, url: &str, _headers: &[(&str, &str)]) -> Result<(WsSender, WsReceiver), WsError> {
        match self.0.websocket(url).await {
            Ok(socket) => Ok(from_websocket_stream(socket)),
            Err(failure) => Err(WsError::Terminal(failure.to_string())),
        }
    }

    fn with_proxy(&mut self, _proxy: Url, _host: Option<&str>, _any_certificate: bool) -> Result<(), HttpError> {
        Err(HttpError::Proxy("the proxy is the network port's affair".to_owned()))
    }

    async fn http_get<R: DeserializeOwned>(&self, url: Url, auth: Option<AuthToken>) -> Result<R, HttpError> {
        self.http_get_raw(url, auth).await?.json_or_status_error()
    }

    async fn http_get_raw(&self, url: Url, _auth: Option<AuthToken>) -> Result<RawResponse, HttpError> {
        self.exchange(Method::Get, url, None).await
    }

    async fn http_post<P, R>(&self, url: Url, _auth: Option<AuthToken>, payload: &P) -> Result<R, HttpError>
    where
        P: Serialize + Send + Sync,
        R: DeserializeOwned,
    {
        let body = serde_json::to_vec(payload)?;
        self.exchange(Method::Post, url, Some(body)).await?.json_or_status_error()
    }

    async fn http_post_form_raw<P>(&self, _url: Url, _auth: Option<AuthToken>, _payload: &P) -> Result<RawResponse, HttpError>
    where
        P: Serialize + Send + Sync,
    {
        Err(HttpError::Other("forms are not sent to mints".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_kind_through_cdk() {
        for failure in [
            HttpFailure::Refused("a".into()),
            HttpFailure::TooMany { retry_after_seconds: 7 },
            HttpFailure::NotSent("b".into()),
            HttpFailure::Lost("c".into()),
        ] {
            assert_eq!(read_failure(&write_failure(&failure)), Some(failure));
        }
        assert_eq!(read_failure("something else"), None);
    }
}
