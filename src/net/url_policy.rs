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

/// The longest URL, in bytes.
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

    /// Returns `true` if this machine must resolve names before the proxy gets them.
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
mod tests {
    use super::*;

    fn policy(allow: &[&str], proxy: Option<&str>) -> Result<UrlPolicy, BadSettings> {
        let allow = allow.iter().map(|text| (*text).to_owned()).collect();
        UrlPolicy::new(&NetworkSettings { allow, proxy: proxy.map(str::to_owned) })
    }

    #[test]
    fn every_way_of_writing_a_near_address_is_refused() -> Result<(), BadSettings> {
        let policy = policy(&[], None)?;
        let hosts = [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "１２７.0.0.1",
            "127。0。0。1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00::1]",
            "10.0.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "a.localhost.",
            "ｌocalhost",
            "abc.onion",
        ];
        for host in hosts {
            for (url, protocol) in [
                (format!("https://{host}/v1"), Protocol::Http),
                (format!("wss://{host}:8443/"), Protocol::Websocket),
            ] {
                assert!(
                    matches!(policy.check(&url, protocol), Err(HttpFailure::Refused(_))),
                    "{url}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_not_plainly_a_public_tls_address_is_refused() -> Result<(), BadSettings> {
        let policy = policy(&[], None)?;
        let urls = [
            "",
            "mint.example",
            "http://mint.example",
            "ftp://mint.example",
            "file:///etc/passwd",
            "https://u:p@mint.example",
            "https://u@mint.example",
            "https://mint.example:22",
            "https://mint.example:25",
            "wss://mint.example",
            "https://[::1",
            "https://",
        ];
        for url in urls {
            assert!(
                matches!(policy.check(url, Protocol::Http), Err(HttpFailure::Refused(_))),
                "{url}"
            );
        }
        let long = format!("https://mint.example/{}", "a".repeat(MAX_URL));
        assert!(policy.check(&long, Protocol::Http).is_err());
        for url in [
            "https://mint.example",
            "https://mint.example:443/a?b",
            "https://mint.example:3338",
            "https://1.1.1.1",
            "https://[2606:4700::1]",
        ] {
            assert!(policy.check(url, Protocol::Http).is_ok_and(|target| !target.listed), "{url}");
        }
        Ok(())
    }

    #[test]
    fn a_listed_origin_and_no_other_may_be_private() -> Result<(), BadSettings> {
        let policy = policy(&["http://127.0.0.1:3338", "https://10.0.0.1:22"], None)?;
        for (url, protocol) in [
            ("http://127.0.0.1:3338/v1/info", Protocol::Http),
            ("http://0x7f.1:3338/", Protocol::Http),
            ("ws://127.0.0.1:3338/v1/ws", Protocol::Websocket),
            ("https://10.0.0.1:22/", Protocol::Http),
        ] {
            assert!(policy.check(url, protocol).is_ok_and(|target| target.listed), "{url}");
        }
        for url in [
            "http://127.0.0.1:3339/",
            "https://127.0.0.1:3338/",
            "http://localhost:3338/",
            "http://10.0.0.1:22/",
            "http://u@127.0.0.1:3338",
        ] {
            assert!(policy.check(url, Protocol::Http).is_err(), "{url}");
        }
        Ok(())
    }

    #[test]
    fn a_proxy_is_no_way_around_the_rules() -> Result<(), BadSettings> {
        let policy = policy(&["http://abc.onion"], Some("socks5h://proxy.example:9050"))?;
        assert!(policy.check("http://abc.onion/", Protocol::Http).is_ok());
        assert!(policy.check("https://def.onion/", Protocol::Http).is_ok());
        assert!(policy.check("https://proxy.example/", Protocol::Http).is_err());
        assert!(policy.check("https://10.0.0.1/", Protocol::Http).is_err());
        assert!(!policy.looks_up_for_proxy());
        Ok(())
    }

    #[test]
    fn names_of_private_networks_are_refused_before_a_proxy_hears_them() -> Result<(), BadSettings>
    {
        let names = [
            "intranet",
            "intranet.",
            "mint.local",
            "router.lan",
            "a.b.internal",
            "nas.home.arpa",
            "x.test",
            "x.invalid",
            "wiki.corp",
        ];
        let schemes = [
            "http://proxy.example:3128",
            "https://proxy.example",
            "socks5://proxy.example:1080",
            "socks5h://127.0.0.1:9050",
        ];
        for proxy in schemes.map(Some).into_iter().chain([None]) {
            let policy = policy(&["https://wiki.corp"], proxy)?;
            for name in names {
                let listed = name == "wiki.corp";
                let checked = policy.check(&format!("https://{name}/lnurl"), Protocol::Http);
                assert_eq!(checked.is_ok(), listed, "{name} by {proxy:?}");
            }
            for literal in ["10.0.0.1", "[fd00::1]", "169.254.169.254", "0x7f.1"] {
                assert!(
                    policy.check(&format!("https://{literal}/"), Protocol::Http).is_err(),
                    "{literal} by {proxy:?}"
                );
            }
            for name in ["mint.example", "home.example", "corp.example.com", "notlocal.example"] {
                assert!(
                    policy.check(&format!("https://{name}/"), Protocol::Http).is_ok(),
                    "{name} by {proxy:?}"
                );
            }
            let is_tor = proxy.is_some_and(|proxy| proxy.starts_with("socks5h"));
            assert_eq!(
                policy.check("https://abc.onion/", Protocol::Http).is_ok(),
                is_tor,
                "{proxy:?}"
            );
            assert_eq!(policy.looks_up_for_proxy(), proxy.is_some() && !is_tor, "{proxy:?}");
        }
        Ok(())
    }

    #[test]
    fn bad_settings_are_named() {
        assert_eq!(
            policy(&["127.0.0.1:3338"], None).err(),
            Some(BadSettings::Allow("127.0.0.1:3338".into()))
        );
        for proxy in ["", "127.0.0.1:9050", "ftp://127.0.0.1", "socks5h://"] {
            assert_eq!(policy(&[], Some(proxy)).err(), Some(BadSettings::Proxy), "{proxy}");
        }
    }
}
