//! Decides whether a payment may happen, from the owner's rules, a ledger and the time. Pure.
//!
//! Never reads a file, a clock or the network, and imports only `model`. Nothing here can raise a
//! limit: a policy is always read as a whole from the owner's files.

mod change;
mod decide;
mod duplicate;
mod limits;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::history_line::EntryState;
use crate::model::id::PaymentId;
use crate::model::mint::{MintAddress, MoneyKind, TrustedMint};

pub use change::describe_lines;
pub use limits::{LIMITS, Limit, Limits, Measure, SomeLimits, WHOLE_HUNDREDTHS};

/// The name of the rules for all agents without their own.
pub const DEFAULT_AGENT: &str = "default";

/// The owner's rules at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The limits over all agents together.
    pub limits: Limits,
    /// `true` while the owner has stopped all spending.
    pub paused: bool,
    /// Rules by agent name; [`DEFAULT_AGENT`] applies to the others.
    pub agents: BTreeMap<String, AgentPolicy>,
    /// The trusted mints, in the owner's order of preference.
    pub mints: Vec<TrustedMint>,
}

/// The restrictions of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentPolicy {
    /// The tools it may use. `None` allows all.
    pub tools: Option<BTreeSet<String>>,
    /// The agent's own limits, which can only narrow the wallet's.
    pub limits: SomeLimits,
}

/// A requested payment. Amounts are in sats.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The agent that requests it.
    pub agent: &'a str,
    /// The amount for the payee.
    pub amount_sats: u64,
    /// The highest total fees of the plan, or 0 without a plan.
    pub fee_ceiling_sats: u64,
    /// The mint's input fee within it (NUT-02); not part of the Lightning fee reserve.
    pub input_fee_sats: u64,
    /// The highest fees that the caller accepts, if given.
    pub caller_max_fee_sats: Option<u64>,
    /// The earlier payment that the caller knowingly repeats.
    pub repeat_of: Option<&'a PaymentId>,
    /// The payment is for an invoice, which can be paid only once, so an equal payment is not a
    /// repeat.
    pub invoice: bool,
}

/// The reason to refuse a payment. Amounts are in sats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The owner has stopped all spending.
    Paused,
    /// The amount exceeds the per-payment limit.
    OverPaymentLimit {
        /// The per-payment limit.
        limit_sats: u64,
        /// The requested amount.
        asked_sats: u64,
    },
    /// The payment exceeds a daily limit.
    OverBudget {
        /// The daily limit.
        limit_sats: u64,
        /// The amount, with the highest fees once a plan exists.
        asked_sats: u64,
        /// The part of the limit that is still unspent.
        left_sats: u64,
        /// Seconds until this amount fits if nothing else is paid. `None` if waiting is not enough.
        retry_after_seconds: Option<u64>,
    },
    /// The plan's fees could exceed the ceiling.
    FeeTooHigh {
        /// The lower of the owner's and the caller's ceiling.
        limit_sats: u64,
        /// The highest fees of the plan.
        asked_sats: u64,
    },
    /// An equal payment was made or is under way.
    PossibleDuplicate {
        /// The earlier payment.
        id: PaymentId,
        /// The state of the earlier payment.
        state: EntryState,
        /// Seconds since the earlier payment was admitted.
        age_seconds: u64,
        /// Only a person can allow the repeat, because the earlier caller may not know its outcome;
        /// `repeat_of` is not enough.
        person_only: bool,
    },
}

impl Policy {
    /// Returns the rules of this agent: its own, else those of [`DEFAULT_AGENT`], else none.
    pub fn agent(&self, name: &str) -> AgentPolicy {
        self.agents
            .get(name)
            .or_else(|| self.agents.get(DEFAULT_AGENT))
            .cloned()
            .unwrap_or_default()
    }

    /// Returns the limits that apply to this agent.
    pub fn limits_for(&self, agent: &str) -> Limits {
        self.limits.narrowed(&self.agent(agent).limits)
    }

    /// Returns the wallet's fee ceiling for `amount_sats`, in sats. It also applies to swaps that
    /// no agent requested.
    pub fn max_fee_sats(&self, amount_sats: u64) -> u64 {
        self.limits.max_fee_sats(amount_sats)
    }

    /// Returns the listed mint with this address.
    pub fn mint(&self, address: &MintAddress) -> Option<&TrustedMint> {
        self.mints.iter().find(|mint| mint.address == *address)
    }

    /// Returns the kind of money according to the list: `Real` if any mint is not a test mint. Only
    /// the store knows whether the wallet ever held real money, which makes it real for good.
    pub fn listed_money(&self) -> MoneyKind {
        if self.mints.iter().all(|mint| mint.test) { MoneyKind::Play } else { MoneyKind::Real }
    }
}
