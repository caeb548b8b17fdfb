//! Changes of a policy: stricter or looser values, and their description for the owner.
//!
//! A running process applies stricter values at once. It applies looser ones only after a person
//! has confirmed exactly that policy, or at its next start.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::limits::least;
use super::{AgentPolicy, DEFAULT_AGENT, Policy};
use crate::model::mint::TrustedMint;

impl Policy {
    /// Returns the stricter of the two field by field: the lower limits, paused if either is, and
    /// only the mints and tools that both have.
    #[must_use]
    pub fn tightened_by(&self, newer: &Self) -> Self {
        let names = self
            .agents
            .keys()
            .chain(newer.agents.keys())
            .map(String::as_str)
            .chain([DEFAULT_AGENT]);
        let agents = normal(
            names
                .map(|name| (name.to_owned(), self.agent(name).stricter(&newer.agent(name))))
                .collect(),
        );
        let mints = newer
            .mints
            .iter()
            .filter_map(|mint| Some(stricter_mint(self.mint(&mint.address)?, mint)))
            .collect();
        Self {
            limits: self.limits.stricter(&newer.limits),
            paused: self.paused || newer.paused,
            agents,
            mints,
        }
    }

    /// Returns whether `newer` allows something that this policy does not.
    pub fn loosens(&self, newer: &Self) -> bool {
        self.tightened_by(newer) != Self { agents: normal(newer.agents.clone()), ..newer.clone() }
    }

    /// Returns the policy that a process running under this one follows after it has read `newer`:
    /// `newer` if `accepted` is its fingerprint, else only its stricter values.
    #[must_use]
    pub fn followed_by(&self, newer: &Self, accepted: Option<&str>) -> Self {
        if accepted.is_some_and(|accepted| accepted == newer.fingerprint()) {
            newer.clone()
        } else {
            self.tightened_by(newer)
        }
    }

    /// Renders one `name = value` line per value in a fixed order; equal policies have equal text.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.lines() {
            let _ = writeln!(text, "{name} = {value}");
        }
        text
    }

    /// Returns the SHA-256 of [`Self::canonical`] in lower-case hex.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.canonical().as_bytes()))
    }

    /// Describes the differences in `newer` for a person, one line each.
    pub fn describe_change(&self, newer: &Self) -> Vec<String> {
        describe(&self.lines(), &newer.lines())
    }

    fn lines(&self) -> BTreeMap<String, String> {
        let mut lines = BTreeMap::new();
        let mut line = |name: String, value: String| drop(lines.insert(name, value));
        for (limit, value) in self.limits.each() {
            line(format!("limits.{}", limit.key), limit.measure.text(value));
        }
        line("spending.paused".into(), self.paused.to_string());
        for (name, agent) in normal(self.agents.clone()) {
            line(format!("agents.{name}"), agent.line());
        }
        for mint in &self.mints {
            line(format!("mint {}", mint.address), mint_line(mint));
        }
        lines
    }
}

impl AgentPolicy {
    fn stricter(&self, newer: &Self) -> Self {
        let tools = match (&self.tools, &newer.tools) {
            (Some(ours), Some(theirs)) => Some(ours.intersection(theirs).cloned().collect()),
            (ours, theirs) => ours.as_ref().or(theirs.as_ref()).cloned(),
        };
        Self { tools, limits: self.limits.stricter(&newer.limits) }
    }

    fn line(&self) -> String {
        let mut parts = Vec::new();
        parts.push(
            self.tools.as_ref().map_or("all tools".to_owned(), |tools| format!("tools {tools:?}")),
        );
        parts.extend(self.limits.each().into_iter().filter_map(|(limit, own)| {
            Some(format!("{} {}", limit.key, limit.measure.text(own?)))
        }));
        parts.join(", ")
    }
}

/// Drops agent entries that equal the default, and a default without any rule.
fn normal(mut agents: BTreeMap<String, AgentPolicy>) -> BTreeMap<String, AgentPolicy> {
    let default = agents.remove(DEFAULT_AGENT).unwrap_or_default();
    agents.retain(|_, agent| *agent != default);
    if default != AgentPolicy::default() {
        agents.insert(DEFAULT_AGENT.to_owned(), default);
    }
    agents
}

/// Describes the differences between two texts of [`Policy::canonical`], for callers that kept only
/// the text of the older policy.
pub fn describe_lines(older: &str, newer: &str) -> Vec<String> {
    let read = |text: &str| -> BTreeMap<String, String> {
        text.lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    describe(&read(older), &read(newer))
}

fn describe(older: &BTreeMap<String, String>, newer: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = older.keys().chain(newer.keys()).collect();
    let told = names.into_iter().filter_map(|name| match (older.get(name), newer.get(name)) {
        (Some(was), Some(is)) if was != is => Some(format!("{name}: {was} -> {is}")),
        (Some(_), None) => Some(format!("{name}: removed")),
        (None, Some(is)) => Some(format!("{name}: added, {is}")),
        _ => None,
    });
    told.collect()
}

/// Returns the stricter of two entries for one mint. A mint that either calls a test mint stays
/// one, because its proofs are set aside as soon as the wallet holds real money.
fn stricter_mint(older: &TrustedMint, newer: &TrustedMint) -> TrustedMint {
    TrustedMint {
        address: newer.address.clone(),
        test: older.test || newer.test,
        max_balance_sats: least(older.max_balance_sats, newer.max_balance_sats),
    }
}

fn mint_line(mint: &TrustedMint) -> String {
    let kind = if mint.test { "play money" } else { "real money" };
    let cap =
        mint.max_balance_sats.map_or("no cap".to_owned(), |sats| format!("at most {sats} sats"));
    format!("{kind}, {cap}")
}

#[cfg(test)]
mod tests;
