//! Origins (scheme, host and port), the key for permissions, rate limits and pauses.
//!
//! `ws` counts as `http` and `wss` as `https`, because a mint's websocket uses the mint's own port.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// A URL's scheme, host and port, normalized and always with the port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// The error for text that is not exactly an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an origin: a scheme (http, https, ws, wss), a host and optionally a port, and nothing else"
)]
pub struct NotAnOrigin;

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the origin of a URL. `None` unless its scheme is `http`, `https`, `ws` or `wss`.
pub fn origin_of(url: &Url) -> Option<Origin> {
    let scheme = match url.scheme() {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        _ => return None,
    };
    let host = url.host_str()?;
    let port = url.port_or_known_default()?;
    Some(Origin(format!("{scheme}://{host}:{port}")))
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let url = Url::parse(text.trim()).map_err(|_| NotAnOrigin)?;
        let alone = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if alone { origin_of(&url).ok_or(NotAnOrigin) } else { Err(NotAnOrigin) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_origin_has_one_form() {
        let table = [
            ("http://127.0.0.1:3338", "http://127.0.0.1:3338"),
            ("ws://127.0.0.1:3338/", "http://127.0.0.1:3338"),
            ("HTTPS://Mint.Example", "https://mint.example:443"),
            ("wss://mint.example:443", "https://mint.example:443"),
            ("http://0x7f.1", "http://127.0.0.1:80"),
            ("http://[::1]:80", "http://[::1]:80"),
        ];
        for (text, form) in table {
            assert_eq!(
                text.parse::<Origin>().map(|origin| origin.to_string()),
                Ok(form.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn more_or_less_than_an_origin_is_refused() {
        for text in [
            "",
            "mint.example",
            "ftp://m.example",
            "http://m.example/a",
            "http://m.example?a",
            "http://u@m.example",
            "http://",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(NotAnOrigin), "{text}");
        }
    }
}
