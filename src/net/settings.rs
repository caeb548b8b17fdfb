//! The owner's network settings. No tool can change them.

use std::fmt;

use url::Url;

/// `[network]` of `config.toml`. `Debug` hides the proxy, whose URL may contain a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Exact origins that may use plain `http` or `ws`, or a private address, such as
    /// `http://127.0.0.1:3338`.
    pub allow: Vec<String>,
    /// The proxy for all traffic, without exception: `socks5h`, `socks5`, `http` or `https`. `None`
    /// connects directly.
    pub proxy: Option<String>,
}

impl fmt::Debug for NetworkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkSettings")
            .field("allow", &self.allow)
            .field("proxy", &self.proxy.is_some())
            .finish()
    }
}

/// A network setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// An entry of `allow` is not an origin.
    #[error("network.allow: {0:?} is not an origin such as \"http://127.0.0.1:3338\"")]
    Allow(String),
    /// The proxy is not a valid proxy URL.
    #[error("network.proxy is not an address such as \"socks5h://127.0.0.1:9050\"")]
    Proxy,
}

/// Parses the proxy's URL. `None` if no proxy is set.
pub(super) fn proxy_of(settings: &NetworkSettings) -> Result<Option<Url>, BadSettings> {
    let Some(text) = &settings.proxy else { return Ok(None) };
    let url = Url::parse(text.trim()).map_err(|_| BadSettings::Proxy)?;
    let known = matches!(url.scheme(), "socks5" | "socks5h" | "http" | "https");
    if known && url.host_str().is_some_and(|host| !host.is_empty()) {
        Ok(Some(url))
    } else {
        Err(BadSettings::Proxy)
    }
}
