//! The balance and the limits.

use schemars::JsonSchema;
use serde::Serialize;

use super::{NostrView, rfc3339};
use crate::api::words;
use crate::model::mint::MoneyKind;
use crate::wallet::{Caller, Holdings};

view!(
    /// The balance at one mint.
    MintBalance {
        /// The mint's URL.
        mint: String,
        /// The mint's own name for itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_name: Option<String>,
        /// Sats that can be spent now.
        spendable_sats: u64,
        /// Held by payments that are not final yet.
        #[schemars(extend("shown" = true))]
        pending_sats: u64,
    }
);

view!(
    /// Coins that are kept but never counted or spent.
    SetAside {
        /// The mint's URL.
        mint: String,
        /// The unit of the amount.
        unit: String,
        /// The amount, in this unit.
        amount: u64,
    }
);

view!(
    /// The owner's limits, and the part that is left.
    LimitsView {
        /// The largest amount of one payment, in sats.
        per_payment_sats: u64,
        /// The most that may leave in 24 hours, in sats.
        per_day_sats: u64,
        /// Spent or reserved in the last 24 hours, fees included.
        #[schemars(extend("shown" = true))]
        spent_24h_sats: u64,
        /// Left of per_day_sats now, in sats.
        left_24h_sats: u64,
        /// The scope of the limits: all agents together.
        scope: words::Scope,
    }
);

view!(
    /// The balance.
    Balance {
        /// The kind of money.
        money: words::Money,
        /// Sats that can be spent now.
        spendable_sats: u64,
        /// The largest payment allowed now, within balance, limits and fees.
        #[schemars(extend("shown" = true))]
        max_payment_sats: u64,
        /// Held by payments that are not final yet.
        #[schemars(extend("shown" = true))]
        pending_sats: u64,
        /// In sent tokens that nobody has claimed yet.
        #[schemars(extend("shown" = true))]
        unclaimed_sats: u64,
        /// Perhaps sent as a token by another program with this wallet; not in spendable_sats.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        perhaps_handed_out_sats: Option<u64>,
        /// Paid to this wallet, but not claimed by it yet.
        #[schemars(extend("shown" = true))]
        incoming_sats: u64,
        /// The balance per mint.
        mints: Vec<MintBalance>,
        /// Kept but never counted or spent: play money, other units, unlisted mints.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        set_aside: Vec<SetAside>,
        /// The owner's limits, and the part that is left.
        limits: LimitsView,
        /// The wallet on Nostr relays. Absent if Nostr is off.
        #[serde(skip_serializing_if = "Option::is_none")]
        nostr: Option<NostrView>,
        /// Place of the wallet's secret keys.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        keys: Option<words::KeysPlace>,
        /// Time of the owner's last rule change, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy_changed_at: Option<String>,
        /// The agent of this session.
        agent: String,
        /// Warning that the money is play money, or the reason that spending is stopped.
        #[serde(skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    }
);

impl Balance {
    /// Creates the balance as `caller` sees it.
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
                spent_24h_sats: holdings.spent_24h_sats,
                left_24h_sats: holdings.left_24h_sats,
                scope: words::Scope::Wallet,
            },
            nostr: holdings.nostr.map(NostrView::from),
            keys: Some(holdings.keys.into()),
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
        "Play money: worth nothing. Do not accept it as payment."
    } else {
        return None;
    };
    Some(words.to_owned())
}
