//! What the wallet holds.

use schemars::JsonSchema;
use serde::Serialize;

use super::{MoneyWord, NostrView, rfc3339};
use crate::api::words;
use crate::model::mint::MoneyKind;
use crate::wallet::{Caller, Holdings};

view!(
    /// Coins at one mint.
    MintBalance {
        /// The mint.
        mint: String,
        /// What the mint calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_name: Option<String>,
        /// Can be spent now.
        spendable_sats: u64,
        /// Held by undecided payments.
        pending_sats: u64,
    }
);

view!(
    /// Coins that are kept but never counted or spent: play money of a real wallet, other units,
    /// mints no longer listed.
    SetAside {
        /// The mint.
        mint: String,
        /// The unit.
        unit: String,
        /// How many.
        amount: u64,
    }
);

view!(
    /// The owner's limits and what is left of them.
    LimitsView {
        /// The most one payment may be.
        per_payment_sats: u64,
        /// The most that may leave in a rolling day.
        per_day_sats: u64,
        /// Above this a person must approve. Absent: no approvals are set up.
        #[serde(skip_serializing_if = "Option::is_none")]
        approval_above_sats: Option<u64>,
        /// Spent and held back in the last 24 h.
        spent_24h_sats: u64,
        /// Left for now.
        left_24h_sats: u64,
        /// What the limits hold for.
        scope: &'static str,
    }
);

view!(
    /// What the wallet holds.
    Balance {
        /// Kind of money.
        money: MoneyWord,
        /// Can be spent now.
        spendable_sats: u64,
        /// The largest payment that would be admitted now.
        max_payment_sats: u64,
        /// Held by undecided payments.
        pending_sats: u64,
        /// Tokens handed out and not claimed.
        unclaimed_sats: u64,
        /// Coins that another program of this wallet has perhaps handed out as a token: not part of
        /// spendable_sats, and spent only when nothing else is left.
        #[serde(skip_serializing_if = "Option::is_none")]
        perhaps_handed_out_sats: Option<u64>,
        /// Paid to us and not yet claimed by us.
        incoming_sats: u64,
        /// Per mint.
        mints: Vec<MintBalance>,
        /// Kept, never counted.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        set_aside: Vec<SetAside>,
        /// The owner's limits.
        limits: LimitsView,
        /// The wallet on Nostr relays. Absent: Nostr is off.
        #[serde(skip_serializing_if = "Option::is_none")]
        nostr: Option<NostrView>,
        /// Where the keys lie: keyring or file. Absent until there are keys.
        #[serde(skip_serializing_if = "Option::is_none")]
        keys: Option<&'static str>,
        /// When the owner last changed a rule, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy_changed_at: Option<String>,
        /// The agent this session belongs to.
        agent: String,
        /// Said when money is play money, or when spending is stopped and why.
        #[serde(skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    }
);

impl Balance {
    /// What `caller` is told of the holdings.
    pub fn new(holdings: Holdings, caller: &Caller) -> Self {
        let sum = |of: fn(&MintBalance) -> u64, mints: &[MintBalance]| {
            mints.iter().map(of).fold(0, u64::saturating_add)
        };
        let warning = warning(&holdings);
        let mints: Vec<MintBalance> = holdings
            .mints
            .into_iter()
            .map(|at| MintBalance {
                mint: at.mint.to_string(),
                untrusted_name: at.untrusted_name,
                spendable_sats: at.spendable_sats,
                pending_sats: at.pending_sats,
            })
            .collect();
        let aside = holdings.set_aside.into_iter();
        Self {
            money: holdings.money.into(),
            spendable_sats: sum(|mint| mint.spendable_sats, &mints),
            max_payment_sats: holdings.max_payment_sats,
            pending_sats: sum(|mint| mint.pending_sats, &mints),
            unclaimed_sats: holdings.unclaimed_sats,
            perhaps_handed_out_sats: Some(holdings.left_out_sats).filter(|sats| *sats > 0),
            incoming_sats: holdings.incoming_sats,
            mints,
            set_aside: aside
                .map(|one| SetAside { mint: one.mint, unit: one.unit, amount: one.amount })
                .collect(),
            limits: LimitsView {
                per_payment_sats: holdings.limits.per_payment_sats,
                per_day_sats: holdings.limits.per_day_sats,
                approval_above_sats: None,
                spent_24h_sats: holdings.spent_24h_sats,
                left_24h_sats: holdings.left_24h_sats,
                scope: "this_wallet_on_this_device",
            },
            nostr: holdings.nostr.map(NostrView::from),
            keys: Some(words::keys(holdings.keys)),
            policy_changed_at: holdings.policy_changed_at.and_then(rfc3339),
            agent: caller.agent.clone(),
            warning,
        }
    }
}

fn warning(holdings: &Holdings) -> Option<String> {
    let words = if holdings.paused {
        "The owner has paused all spending."
    } else if holdings.mints.is_empty() {
        "No usable mint is listed."
    } else if holdings.money == MoneyKind::Play {
        "Play money: worth nothing. Do not take it for payment."
    } else {
        return None;
    };
    Some(words.to_owned())
}
