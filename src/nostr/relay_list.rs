//! Relay lists (NIP-65, kind 10002), and the check of relay URLs.
//!
//! Other people choose these URLs, so the network layer checks again whether one may be reached.

use url::{Host, Url};

use super::Unreadable;
use super::event::Event;

/// The kind of a relay list; relays keep only the newest.
pub const KIND: u16 = 10_002;

/// Maximum number of URLs of one list that are used.
pub const MAX_RELAYS: usize = 10;

/// Maximum length of a URL, in bytes.
const MAX_URL: usize = 512;

/// An author's relays, in order and without duplicates.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RelayList {
    /// Relays that the author reads for mentions.
    pub read: Vec<String>,
    /// Relays that the author publishes to.
    pub write: Vec<String>,
}

/// Reads the relay list of any author.
///
/// # Errors
/// [`Unreadable::Kind`].
pub fn read(event: &Event) -> Result<RelayList, Unreadable> {
    if event.kind() != KIND {
        return Err(Unreadable::Kind);
    }
    let marked = |wanted: &str| {
        let lines = event
            .tags_named("r")
            .filter(|line| line.get(2).is_none_or(|marker| marker.is_empty() || marker == wanted));
        usable(lines.filter_map(|line| line.get(1)))
    };
    Ok(RelayList { read: marked("read"), write: marked("write") })
}

/// Filters a list to usable URLs: at most [`MAX_RELAYS`], normalized, without duplicates.
pub fn usable<T: AsRef<str>>(relays: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for relay in relays {
        if let Some(relay) = address(relay.as_ref())
            && list.len() < MAX_RELAYS
            && !list.contains(&relay)
        {
            list.push(relay);
        }
    }
    list
}

/// Normalizes a relay URL. `None` if it is not `wss`, or `ws` on this machine; if it has a user, a
/// query or a fragment; or if it is too long.
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > MAX_URL {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let near = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && url.query().is_none();
    let secure = url.scheme() == "wss" || (url.scheme() == "ws" && near);
    (plain && secure).then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_has_one_address() {
        for text in ["wss://Relay.example", "wss://relay.example/", " wss://relay.example:443/ "] {
            assert_eq!(address(text).as_deref(), Some("wss://relay.example"), "{text}");
        }
        assert_eq!(address("ws://127.0.0.1:7777/").as_deref(), Some("ws://127.0.0.1:7777"));
        assert_eq!(address("wss://relay.example/a/b").as_deref(), Some("wss://relay.example/a/b"));
        for text in [
            "",
            "relay.example",
            "ws://relay.example",
            "https://relay.example",
            "wss://u@relay.example",
            "wss://r.example/?a",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
        assert_eq!(address(&format!("wss://relay.example/{}", "a".repeat(MAX_URL))), None);
    }

    #[test]
    fn a_list_is_short_and_has_each_once() {
        let many: Vec<String> = (0..40).map(|n| format!("wss://r{}.example/", n / 2)).collect();
        let list = usable(many);
        assert_eq!(
            (list.len(), list.first().map(String::as_str)),
            (MAX_RELAYS, Some("wss://r0.example"))
        );
    }
}
