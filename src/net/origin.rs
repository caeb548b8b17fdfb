//! Scheme, host and port of a URL, by which it is allowed, limited and paused.
//!
//! `ws` counts as `http` and `wss` as `https`: a mint's websocket lives at the mint's own port.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Scheme, host and port of an address, in their one written form; the port is always there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// The text is not an origin alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an origin: scheme (http, https, ws, wss), host and perhaps a port, and nothing after them"
)]
pub struct NotAnOrigin;

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origin of an address. `None` for schemes other than `http`, `https`, `ws` and `wss`.
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
