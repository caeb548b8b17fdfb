//! The estimate of a payment.

use schemars::JsonSchema;
use serde::Serialize;

use super::rfc3339;
use crate::api::code::Code;
use crate::api::words::Verdict;
use crate::api::{explain, words};
use crate::model::mint::MoneyKind;
use crate::model::payee::Payee;
use crate::wallet::Estimated;

view!(
    /// The estimate of a payment.
    EstimateView {
        /// The kind of `to`. pay accepts bolt11, lightning_address and lnurl.
        #[schemars(extend("shown" = true))]
        kind: words::PayeeKind,
        /// The kind of money.
        money: words::Money,
        /// The sats that the payee would get.
        #[serde(skip_serializing_if = "Option::is_none")]
        amount_sats: Option<u64>,
        /// The least that the payee accepts.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        min_sats: Option<u64>,
        /// The most that the payee accepts.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        max_sats: Option<u64>,
        /// The most that the fees could be, in sats.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_fee_sats: Option<u64>,
        /// Amount plus max_fee_sats.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        max_total_sats: Option<u64>,
        /// The mint that would pay.
        #[serde(skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// The payee's key, or the name it gives itself.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_payee: Option<String>,
        /// The invoice's payment hash.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_hash: Option<String>,
        /// The time at which the invoice expires, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// True if the invoice has expired.
        #[serde(skip_serializing_if = "Option::is_none")]
        expired: Option<bool>,
        /// The description in the invoice, or from the payee's server.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_description: Option<String>,
        /// The verdict: whether pay would accept it now.
        verdict: words::Verdict,
        /// The error that pay would return.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
    }
);

impl EstimateView {
    /// Creates the view of an estimate. `unread` is the code of an unreadable parameter, which
    /// applies if the payment itself would be allowed.
    pub fn new(payee: &Payee, estimated: Estimated, unread: Option<Code>) -> Self {
        let code = estimated.refusal.map(explain::code).or(unread);
        let fee = estimated.max_fee_sats;
        Self {
            kind: payee.into(),
            money: estimated.money.into(),
            amount_sats: estimated.amount_sats,
            min_sats: estimated.min_sats,
            max_sats: estimated.max_sats,
            max_fee_sats: fee,
            max_total_sats: estimated
                .amount_sats
                .zip(fee)
                .map(|(amount, fee)| amount.saturating_add(fee)),
            mint: estimated.mint.map(|mint| mint.to_string()),
            untrusted_payee: estimated.untrusted_payee,
            payment_hash: estimated.payment_hash,
            expires_at: estimated.expires_at.and_then(rfc3339),
            expired: estimated.expired,
            untrusted_description: estimated.untrusted_description,
            verdict: if code.is_some() { Verdict::Denied } else { Verdict::Allowed },
            code: code.map(Code::as_str),
        }
    }

    /// Creates the view for a payee that this wallet cannot pay.
    pub fn refused(payee: &Payee, money: MoneyKind, amount_sats: Option<u64>, code: Code) -> Self {
        Self {
            kind: payee.into(),
            money: money.into(),
            amount_sats,
            min_sats: None,
            max_sats: None,
            max_fee_sats: None,
            max_total_sats: None,
            mint: None,
            untrusted_payee: None,
            payment_hash: None,
            expires_at: None,
            expired: None,
            untrusted_description: None,
            verdict: Verdict::Denied,
            code: Some(code.as_str()),
        }
    }
}
