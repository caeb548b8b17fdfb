//! The mints.

use schemars::JsonSchema;
use serde::Serialize;

use super::MoneyWord;
use crate::model::mint::{MethodInfo, MoneyKind};
use crate::wallet::MintStanding;

view!(
    /// From how much to how much; absent: the mint does not say.
    Range {
        /// Least.
        #[serde(skip_serializing_if = "Option::is_none")]
        min_sats: Option<u64>,
        /// Most.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_sats: Option<u64>,
    }
);

view!(
    /// A mint.
    MintView {
        /// Its address.
        mint: String,
        /// What it calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_name: Option<String>,
        /// Its coins are play money.
        test: bool,
        /// The wallet uses it.
        usable: bool,
        /// It answered just now. Absent: not known, since a mint that was never used is not
        /// contacted.
        #[serde(skip_serializing_if = "Option::is_none")]
        reachable: Option<bool>,
        /// Can be spent now.
        spendable_sats: u64,
        /// Coins there that another program of this wallet has perhaps handed out as a token: not
        /// part of spendable_sats.
        #[serde(skip_serializing_if = "Option::is_none")]
        perhaps_handed_out_sats: Option<u64>,
        /// The owner's cap.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_balance_sats: Option<u64>,
        /// Its fee in thousandths of a sat per coin spent.
        #[serde(skip_serializing_if = "Option::is_none")]
        fee_ppk: Option<u64>,
        /// How many people that the owner follows on Nostr recommend it.
        #[serde(skip_serializing_if = "Option::is_none")]
        recommended_by: Option<u64>,
        /// Present when the mint calls another public key its own than when it was first used: ask
        /// its operator.
        #[serde(skip_serializing_if = "Option::is_none")]
        identity_changed: Option<bool>,
        /// What it takes in.
        #[serde(skip_serializing_if = "Option::is_none")]
        deposit: Option<Range>,
        /// What it pays out.
        #[serde(skip_serializing_if = "Option::is_none")]
        pay: Option<Range>,
        /// It pays invoices that name no amount. Absent: it does not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        amountless: Option<bool>,
        /// What the wallet leans on and it has not: NUT-07 (states of coins), NUT-08 (change),
        /// NUT-09 (signatures again).
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacks: Vec<String>,
    }
);

view!(
    /// The mints.
    MintsView {
        /// Kind of money.
        money: MoneyWord,
        /// In the owner's order.
        mints: Vec<MintView>,
    }
);

impl MintsView {
    /// The mints as they stand.
    pub fn new(money: MoneyKind, mints: Vec<MintStanding>) -> Self {
        Self { money: money.into(), mints: mints.into_iter().map(MintView::from).collect() }
    }
}

impl From<MintStanding> for MintView {
    fn from(mint: MintStanding) -> Self {
        let range =
            |method: MethodInfo| Range { min_sats: method.min_sats, max_sats: method.max_sats };
        Self {
            mint: mint.mint.to_string(),
            untrusted_name: mint.untrusted_name,
            test: mint.test,
            usable: mint.usable,
            reachable: mint.reachable,
            spendable_sats: mint.spendable_sats,
            perhaps_handed_out_sats: Some(mint.left_out_sats).filter(|sats| *sats > 0),
            max_balance_sats: mint.max_balance_sats,
            fee_ppk: mint.fee_ppk,
            recommended_by: mint.recommended_by,
            identity_changed: mint.identity_changed.then_some(true),
            deposit: mint.deposit.map(range),
            pay: mint.pay.map(range),
            amountless: mint.pay.and_then(|pay| pay.amountless),
            lacks: mint.lacks.into_iter().map(|nut| format!("NUT-{nut:02}")).collect(),
        }
    }
}
