//! `config.toml`: as typed, then checked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::env::is_agent_name;
use super::parse::{Source, TypedSats};
use super::settings::SettingsError;
use crate::policy::{AgentPolicy, Limits};

/// The settings that a new wallet begins with.
pub(super) const DEFAULT_TEXT: &str = include_str!("default_config.toml");

/// The longest time that a process without a session may stay.
const MAX_IDLE_SECONDS: u64 = 31 * 86_400;

/// How to reach the outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Exact origins (`scheme://host[:port]`) that may be plain http or ws, or a private address.
    pub allow: BTreeSet<String>,
    /// Everything goes through it, or nowhere. `socks5h`, `http` or `https`, without credentials.
    pub proxy: Option<String>,
}

/// Relays, and what we tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nostr {
    /// `wss` or `ws` addresses. Empty: Nostr is off.
    pub relays: Vec<String>,
    /// Publish where we take nutzaps.
    pub nutzaps: bool,
    /// The least that a nutzap is worth to be taken in, in sats.
    pub nutzap_min_sats: u64,
    /// When coins that other devices of this wallet left on relays are made our own.
    pub claim: AdoptWhen,
}

/// What a nutzap is worth at least, where the owner says nothing: people expect each to come in.
const NUTZAP_MIN_SATS: u64 = 1;

/// When coins of other devices are swapped for our own. Each costs the mint's input fee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdoptWhen {
    /// When a payment needs them.
    #[default]
    Shortfall,
    /// When somebody asks for a sync, too.
    Sync,
    /// Also as soon as they are seen.
    AtOnce,
}

/// The process that keeps the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Seconds without a session, and with nothing open, after which it ends.
    pub idle_seconds: u64,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { idle_seconds: 600 }
    }
}

/// The whole file, checked.
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

/// The file's values.
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
        return Err(wrong("no user or password may stand here"));
    }
    match url.scheme() {
        "socks5h" | "http" | "https" if url.has_host() => Ok(typed.get_ref().clone()),
        "socks5" => Err(wrong("socks5 looks names up outside the proxy; write socks5h")),
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
