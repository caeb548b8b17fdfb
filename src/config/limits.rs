//! The sections of limits in `config.toml`: the wallet's, where every limit is required, and the
//! agents', where limits and `tools` are optional.
//!
//! Deserialization is written by hand, so that limits are defined only in the policy's table.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::parse::{TypedPercent, TypedSats};
use crate::policy::{AgentPolicy, LIMITS, Limit, Limits, Measure, SomeLimits};

/// The kind of section to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Wallet,
    Agent,
}

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = deserializer.deserialize_map(Section::Wallet)?.limits;
        typed
            .try_zip(LIMITS, |value, limit| value.ok_or_else(|| D::Error::missing_field(limit.key)))
    }
}

impl<'de> Deserialize<'de> for AgentPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Section::Agent)
    }
}

impl<'de> Visitor<'de> for Section {
    type Value = AgentPolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a section of limits")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AgentPolicy, A::Error> {
        let (mut tools, mut typed) = (None, BTreeMap::new());
        while let Some(key) = map.next_key_seed(self)? {
            match key {
                None => tools = map.next_value()?,
                Some(Limit { key, measure: Measure::Sats, .. }) => {
                    typed.insert(key, map.next_value::<TypedSats>()?.0);
                }
                Some(Limit { key, measure: Measure::Percent, .. }) => {
                    typed.insert(key, map.next_value::<TypedPercent>()?.0);
                }
            }
        }
        let limits = LIMITS.zip(SomeLimits::default(), |limit, _| typed.get(limit.key).copied());
        Ok(AgentPolicy { tools, limits })
    }
}

/// Reads a key: a limit, or `None` for `tools`.
impl<'de> DeserializeSeed<'de> for Section {
    type Value = Option<Limit>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let typed = String::deserialize(deserializer)?;
        let mut keys = Vec::new();
        if self == Self::Agent {
            keys.push(("tools", None));
        }
        keys.extend(LIMITS.each().into_iter().map(|(limit, _)| (limit.key, Some(limit))));
        if let Some((_, key)) = keys.iter().find(|(key, _)| *key == typed) {
            return Ok(*key);
        }
        let keys: Vec<String> = keys.iter().map(|(key, _)| format!("`{key}`")).collect();
        Err(D::Error::custom(format!(
            "unknown field `{typed}`, expected one of {}",
            keys.join(", ")
        )))
    }
}
