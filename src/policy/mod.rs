//! May this payment happen? Pure: the owner's rules, a ledger and a moment in; yes or a reason out.
//!
//! Never reads a file, a clock or the network, and imports nothing but `model`. Nothing in here can
//! raise a limit: rules come in as a whole, from the owner's files.

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

/// The name whose rules hold for every agent that has none of its own.
pub const DEFAULT_AGENT: &str = "default";

/// What the owner allows: the whole of it, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Over all agents together.
    pub limits: Limits,
    /// Nothing may be spent.
    pub paused: bool,
    /// Rules by agent's name; [`DEFAULT_AGENT`] for those not named.
    pub agents: BTreeMap<String, AgentPolicy>,
    /// Whom the owner trusts with money, in the owner's order of preference.
    pub mints: Vec<TrustedMint>,
}

/// What one agent may do less than the wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentPolicy {
    /// The only tools it has. `None`: all.
    pub tools: Option<BTreeSet<String>>,
    /// Its own limits, which only narrow the wallet's.
    pub limits: SomeLimits,
}

/// One payment that somebody wants made. Amounts are sats.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The agent that asks.
    pub agent: &'a str,
    /// What the payee would get.
    pub amount_sats: u64,
    /// The most the plan can cost in fees, all together. 0 where there is no plan yet.
    pub fee_ceiling_sats: u64,
    /// The part of it that the mint takes for the coins themselves: known beforehand, and no affair
    /// of the route.
    pub input_fee_sats: u64,
    /// The most the caller accepts in fees, if it said so.
    pub caller_max_fee_sats: Option<u64>,
    /// The earlier payment that the caller knowingly repeats.
    pub repeat_of: Option<&'a PaymentId>,
    /// The payee named this one payment itself (an invoice can be paid once only), so another like
    /// it is no repeat.
    pub invoice: bool,
}

/// Why a payment may not happen. Amounts are sats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The owner has stopped all spending.
    Paused,
    /// The amount is above what one payment may be.
    OverPaymentLimit {
        /// The limit.
        limit_sats: u64,
        /// The amount.
        asked_sats: u64,
    },
    /// The day's limit has no room for it.
    OverBudget {
        /// The limit.
        limit_sats: u64,
        /// Amount and highest fees together.
        asked_sats: u64,
        /// What is left of the limit now.
        left_sats: u64,
        /// Seconds until this amount fits if nothing else is paid. `None`: not by waiting alone.
        retry_after_seconds: Option<u64>,
    },
    /// The fees could be above the ceiling.
    FeeTooHigh {
        /// The owner's ceiling or the caller's, whichever is lower.
        limit_sats: u64,
        /// The highest fees the plan can cost.
        asked_sats: u64,
    },
    /// An equal payment was made or is under way.
    PossibleDuplicate {
        /// The earlier payment.
        id: PaymentId,
        /// How it stands.
        state: EntryState,
        /// Seconds since it was admitted.
        age_seconds: u64,
        /// What the earlier payment's caller knows of it is in doubt: only a person may excuse the
        /// repeat, `repeat_of` does not.
        person_only: bool,
    },
}

impl Policy {
    /// The rules of this agent: its own, else those of [`DEFAULT_AGENT`], else none beyond the
    /// wallet's.
    pub fn agent(&self, name: &str) -> AgentPolicy {
        self.agents
            .get(name)
            .or_else(|| self.agents.get(DEFAULT_AGENT))
            .cloned()
            .unwrap_or_default()
    }

    /// The limits that hold when this agent asks.
    pub fn limits_for(&self, agent: &str) -> Limits {
        self.limits.narrowed(&self.agent(agent).limits)
    }

    /// The wallet's own fee ceiling for `amount_sats`, in sats; also for swaps that no agent asked
    /// for.
    pub fn max_fee_sats(&self, amount_sats: u64) -> u64 {
        self.limits.max_fee_sats(amount_sats)
    }

    /// The listed mint of this address.
    pub fn mint(&self, address: &MintAddress) -> Option<&TrustedMint> {
        self.mints.iter().find(|mint| mint.address == *address)
    }

    /// What the list alone says the money is: `Real` with at least one mint that is no test mint. A
    /// wallet that was ever real stays so, which only the store knows.
    pub fn listed_money(&self) -> MoneyKind {
        if self.mints.iter().all(|mint| mint.test) { MoneyKind::Play } else { MoneyKind::Real }
    }
}
