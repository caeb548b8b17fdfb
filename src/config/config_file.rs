//! `config.toml`, parsed and checked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::env::is_agent_name;
use super::parse::{Source, TypedSats};
use super::settings::SettingsError;
use crate::policy::{AgentPolicy, Limits};

/// The default settings of a new wallet.
pub(super) const DEFAULT_TEXT: &str = include_str!("default_config.toml");

/// Maximum time that a daemon without a session may keep running, in seconds.
const MAX_IDLE_SECONDS: u64 = 31 * 86_400;

/// The network settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Exact origins (`scheme://host[:port]`) that may use plain http or ws, or a private address.
    pub allow: BTreeSet<String>,
    /// The proxy for all traffic: `socks5h`, `http` or `https`, without credentials. `None`
    /// connects directly.
    pub proxy: Option<String>,
}

/// The Nostr settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nostr {
    /// Relay URLs (`wss` or `ws`). Nostr is off if there are none.
    pub relays: Vec<String>,
    /// Advertise nutzap support (kind 10019).
    pub nutzaps: bool,
    /// The smallest nutzap that is redeemed, in sats.
    pub nutzap_min_sats: u64,
    /// The time at which proofs that other devices left on relays are adopted.
    pub claim: AdoptWhen,
}

/// The default for the smallest nutzap; senders expect every nutzap to be redeemed.
const NUTZAP_MIN_SATS: u64 = 1;

/// The time at which proofs of other devices are adopted by a swap. Each swap costs the mint's
/// input fee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdoptWhen {
    /// Adopt when a payment needs the proofs.
    #[default]
    Shortfall,
    /// Adopt also at a requested sync.
    Sync,
    /// Adopt also as soon as the proofs are seen.
    AtOnce,
}

/// The settings of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Seconds without a session, and with nothing open, after which the daemon ends.
    pub idle_seconds: u64,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { idle_seconds: 600 }
    }
}

#[derive(Debug)]
pub(super) struct Config {
    pub(super) daemon: Daemon,
    pub(super) limits: Limits,
    pub(super) paused: bool,
    pub(super) agents: BTreeMap<String, AgentPolicy>,
    pub(super) network: Network,
    pub(super) nostr: Nostr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedConfig {
    limits: Limits,
    #[serde(default)]
    spending: TypedSpending,
    #[serde(default)]
    network: TypedNetwork,
    #[serde(default)]
    nostr: TypedNostr,
    #[serde(default)]
    daemon: TypedDaemon,
    #[serde(default)]
    agents: BTreeMap<Spanned<String>, AgentPolicy>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TypedSpending {
    paused: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TypedNetwork {
    allow: Vec<Spanned<String>>,
    proxy: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TypedNostr {
    relays: Vec<Spanned<String>>,
    nutzaps: bool,
    nutzap_min_sats: Option<TypedSats>,
    claim: AdoptWhen,
}

impl Default for TypedNostr {
    fn default() -> Self {
        Self {
            relays: Vec::new(),
            nutzaps: true,
            nutzap_min_sats: None,
            claim: AdoptWhen::default(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TypedDaemon {
    idle_seconds: Option<Spanned<u64>>,
}

pub(super) fn read(source: Source<'_>) -> Result<Config, SettingsError> {
    let typed: TypedConfig = source.typed()?;
    let mut agents = BTreeMap::new();
    for (name, agent) in typed.agents {
        if !is_agent_name(name.get_ref()) {
            return Err(source
                .fault(Some(name.span()), "an agent's name is 1 to 64 letters, digits, _ and -"));
        }
        agents.insert(name.into_inner(), agent);
    }
    let allow =
        typed.network.allow.iter().map(|text| origin(source, text)).collect::<Result<_, _>>()?;
    let proxy = typed.network.proxy.map(|text| proxy(source, &text)).transpose()?;
    let relays =
        typed.nostr.relays.iter().map(|text| relay(source, text)).collect::<Result<_, _>>()?;
    let nutzap_min_sats = typed.nostr.nutzap_min_sats.map_or(NUTZAP_MIN_SATS, |typed| typed.0);
    let nostr =
        Nostr { relays, nutzaps: typed.nostr.nutzaps, nutzap_min_sats, claim: typed.nostr.claim };
    let daemon = match typed.daemon.idle_seconds {
        Some(typed) if *typed.get_ref() > MAX_IDLE_SECONDS => {
            return Err(source.fault(Some(typed.span()), "longer than a month"));
        }
        Some(typed) => Daemon { idle_seconds: typed.into_inner() },
        None => Daemon::default(),
    };
    Ok(Config {
        limits: typed.limits,
        paused: typed.spending.paused,
        agents,
        network: Network { allow, proxy },
        nostr,
        daemon,
    })
}

fn origin(source: Source<'_>, typed: &Spanned<String>) -> Result<String, SettingsError> {
    let wrong = || {
        source.fault(
            Some(typed.span()),
            "an origin is scheme://host or scheme://host:port, of http, https, ws or wss",
        )
    };
    let url = Url::parse(typed.get_ref()).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https" | "ws" | "wss")
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url.origin().ascii_serialization()) } else { Err(wrong()) }
}

fn proxy(source: Source<'_>, typed: &Spanned<String>) -> Result<String, SettingsError> {
    let wrong = |reason: &str| source.fault(Some(typed.span()), reason);
    let url = Url::parse(typed.get_ref()).map_err(|_| wrong("not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("the proxy must not contain a user or a password"));
    }
    match url.scheme() {
        "socks5h" | "http" | "https" if url.has_host() => Ok(typed.get_ref().clone()),
        "socks5" => Err(wrong("socks5 resolves names outside the proxy; use socks5h")),
        _ => Err(wrong("a proxy is socks5h://, http:// or https://")),
    }
}

fn relay(source: Source<'_>, typed: &Spanned<String>) -> Result<String, SettingsError> {
    let url = Url::parse(typed.get_ref())
        .ok()
        .filter(|url| matches!(url.scheme(), "wss" | "ws") && url.has_host());
    let plain = url.is_some_and(|url| url.username().is_empty() && url.password().is_none());
    if plain {
        Ok(typed.get_ref().clone())
    } else {
        Err(source.fault(Some(typed.span()), "a relay is wss://host or ws://host"))
    }
}
