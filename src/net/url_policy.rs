//! The SSRF policy: checks a URL before its host is resolved. Pure.
//!
//! The addresses of a name are checked later (`resolve`), those of an IP literal only here. The
//! text of a refusal is ours and contains nothing from the URL.

use std::collections::HashSet;

use url::{Host, Url};

use super::address::is_public;
use super::origin::{Origin, origin_of};
use super::settings::{BadSettings, NetworkSettings, proxy_of};
use crate::ports::HttpFailure;

/// Maximum length of a URL, in bytes.
pub(super) const MAX_URL: usize = 8 * 1024;

/// Domains that are never public: special use (RFC 6761, 6762, 8375, 9476), reserved for private
/// use, or not delegated because private networks use them.
const SPECIAL: [&str; 14] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "lan",
    "home",
    "home.arpa",
    "corp",
    "mail",
    "alt",
    "test",
    "invalid",
];

/// The protocol that a URL is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `http` or `https`.
    Http,
    /// `ws` or `wss`.
    Websocket,
}

/// A URL that may be requested.
#[derive(Clone, Debug)]
pub(super) struct AllowedUrl {
    pub(super) url: Url,
    pub(super) origin: Origin,
    /// The owner has listed this origin, so plain text and a private address are allowed.
    pub(super) listed: bool,
}

/// The URL policy with the owner's settings.
#[derive(Clone, Debug)]
pub(super) struct UrlPolicy {
    allow: HashSet<Origin>,
    /// The proxy's host in lower case. `None` without a proxy.
    proxy_host: Option<String>,
    /// Only the proxy resolves names (`socks5h`), as with Tor.
    proxy_resolves: bool,
}

impl UrlPolicy {
    /// Parses the owner's settings.
    pub(super) fn new(settings: &NetworkSettings) -> Result<Self, BadSettings> {
        let listed = |text: &String| text.parse().map_err(|_| BadSettings::Allow(text.clone()));
        let allow = settings.allow.iter().map(listed).collect::<Result<_, _>>()?;
        let proxy = proxy_of(settings)?;
        let proxy_host = proxy.as_ref().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
        Ok(Self {
            allow,
            proxy_host,
            proxy_resolves: proxy.is_some_and(|url| url.scheme() == "socks5h"),
        })
    }

    /// Returns whether this machine must resolve names before the proxy gets them.
    pub(super) fn looks_up_for_proxy(&self) -> bool {
        self.proxy_host.is_some() && !self.proxy_resolves
    }

    /// The proxy's host, the only name that may be private without being listed.
    pub(super) fn proxy_host(&self) -> Option<&str> {
        self.proxy_host.as_deref()
    }

    /// Checks a URL before a request.
    ///
    /// # Errors
    /// [`HttpFailure::Refused`] if the URL may not be requested.
    pub(super) fn check(&self, url: &str, protocol: Protocol) -> Result<AllowedUrl, HttpFailure> {
        if url.len() > MAX_URL {
            return refuse("it is too long");
        }
        let Ok(url) = Url::parse(url) else { return refuse("it is not a URL") };
        let tls = match (protocol, url.scheme()) {
            (Protocol::Http, "https") | (Protocol::Websocket, "wss") => true,
            (Protocol::Http, "http") | (Protocol::Websocket, "ws") => false,
            _ => return refuse("its scheme is not supported"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it contains a user name or a password");
        }
        let Some(origin) = origin_of(&url) else { return refuse("it has no host") };
        if self.allow.contains(&origin) {
            return Ok(AllowedUrl { url, origin, listed: true });
        }
        if !tls {
            return refuse("without TLS, only addresses listed by the owner are allowed");
        }
        if url.port().is_some_and(|port| port < 1024) {
            return refuse("its port belongs to another service");
        }
        match url.host() {
            Some(Host::Domain(name)) => self.check_name(name)?,
            Some(Host::Ipv4(address)) if is_public(address.into()) => {}
            Some(Host::Ipv6(address)) if is_public(address.into()) => {}
            _ => return refuse("it is private or of special use"),
        }
        Ok(AllowedUrl { url, origin, listed: false })
    }

    fn check_name(&self, name: &str) -> Result<(), HttpFailure> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let within = |domain: &&str| {
            name.strip_suffix(*domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        if !name.contains('.')
            || SPECIAL.iter().any(within)
            || self.proxy_host.as_ref() == Some(&name)
        {
            refuse("it is private or of special use")
        } else if within(&"onion") && !self.proxy_resolves {
            refuse("onion services need a socks5h proxy")
        } else {
            Ok(())
        }
    }
}

fn refuse<T>(why: &str) -> Result<T, HttpFailure> {
    Err(HttpFailure::Refused(why.to_owned()))
}

#[cfg(test)]
mod tests;
