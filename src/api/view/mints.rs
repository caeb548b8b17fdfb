//! The view of the mints.

use schemars::JsonSchema;
use serde::Serialize;

use crate::api::words;
use crate::model::mint::{MethodInfo, MoneyKind};
use crate::wallet::MintStanding;

view!(
    /// Bounds of an amount. An absent bound means that the mint names none.
    Range {
        /// The least, in sats.
        #[serde(skip_serializing_if = "Option::is_none")]
        min_sats: Option<u64>,
        /// The most, in sats.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_sats: Option<u64>,
    }
);

view!(
    /// One mint.
    MintView {
        /// The mint's URL.
        mint: String,
        /// The mint's own name for itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_name: Option<String>,
        /// True if its coins are play money.
        #[schemars(extend("shown" = true))]
        test: bool,
        /// False if the wallet does not use it: a test mint in a real wallet.
        #[schemars(extend("shown" = true))]
        usable: bool,
        /// True if it answered just now; absent if it was not contacted.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        reachable: Option<bool>,
        /// Sats that can be spent now.
        spendable_sats: u64,
        /// Perhaps sent as a token by another program with this wallet; not in spendable_sats.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        perhaps_handed_out_sats: Option<u64>,
        /// The owner's cap on the balance at this mint.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        max_balance_sats: Option<u64>,
        /// Fee in thousandths of a sat per coin spent, rounded up per payment.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        fee_ppk: Option<u64>,
        /// Number of people the owner follows on Nostr who recommend it.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        recommended_by: Option<u64>,
        /// True if the mint shows a different public key than at first use: ask its operator.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        identity_changed: Option<bool>,
        /// Bounds of one deposit, in sats.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        deposit: Option<Range>,
        /// Bounds of one Lightning payment, in sats.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        pay: Option<Range>,
        /// True if it pays invoices without an amount; absent if it does not say.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        amountless: Option<bool>,
        /// Missing protocol parts: NUT-07 coin states, NUT-08 fee change, NUT-09 restore.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacks: Vec<String>,
    }
);

view!(
    /// The mints.
    MintsView {
        /// The kind of money.
        money: words::Money,
        /// The mints, in the owner's order.
        mints: Vec<MintView>,
    }
);

impl MintsView {
    /// Creates the view of the mints.
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
