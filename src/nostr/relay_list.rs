//! Where somebody reads and writes (NIP-65, kind 10002), and which relay addresses we use at all.
//!
//! Strangers choose these addresses: whether one may be reached is judged again by the network.

use url::{Host, Url};

use super::Unreadable;
use super::event::Event;

/// The kind of it; relays keep the newest.
pub const KIND: u16 = 10_002;

/// The most addresses that are used of one list.
pub const MAX_RELAYS: usize = 10;

/// The longest address, in bytes.
const MAX_URL: usize = 512;

/// Somebody's relays, in the order they were written, each once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RelayList {
    /// Where they look for what mentions them.
    pub read: Vec<String>,
    /// Where what they write is found.
    pub write: Vec<String>,
}

/// Reads anybody's relay list.
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

/// The addresses of a list that we use: at most [`MAX_RELAYS`], in their one written form, each
/// once.
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

/// A relay's address in its one written form. `None` unless it is `wss`, or `ws` on this machine;
/// with a user, a fragment or a query; or too long.
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
