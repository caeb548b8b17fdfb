//! What a payment would cost.

use schemars::JsonSchema;
use serde::Serialize;

use super::{MoneyWord, rfc3339};
use crate::api::code::Code;
use crate::api::{explain, words};
use crate::model::mint::MoneyKind;
use crate::model::payee::Payee;
use crate::wallet::Estimated;

view!(
    /// What a payment would cost.
    EstimateView {
        /// bolt11, bolt12, lightning_address, lnurl, payment_request, npub, token, onchain or
        /// unknown.
        kind: &'static str,
        /// Kind of money.
        money: MoneyWord,
        /// What the payee would get.
        #[serde(skip_serializing_if = "Option::is_none")]
        amount_sats: Option<u64>,
        /// The least the payee's server takes.
        #[serde(skip_serializing_if = "Option::is_none")]
        min_sats: Option<u64>,
        /// The most it takes.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_sats: Option<u64>,
        /// The most the fees could be.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_fee_sats: Option<u64>,
        /// Amount and fees together, at most.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_total_sats: Option<u64>,
        /// The mint that would pay.
        #[serde(skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// The payee's key or address, as it calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_payee: Option<String>,
        /// The invoice's payment hash.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_hash: Option<String>,
        /// When the invoice runs out, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// The invoice has run out.
        #[serde(skip_serializing_if = "Option::is_none")]
        expired: Option<bool>,
        /// The invoice's description, or what the payee's server says of itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_description: Option<String>,
        /// allowed, needs_approval or denied.
        verdict: &'static str,
        /// The error that pay would give.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
    }
);

impl EstimateView {
    /// What was found out about paying `payee`. `unread` is the code of a parameter that could not
    /// be read, told where nothing else stands in the way.
    pub fn new(payee: &Payee, estimated: Estimated, unread: Option<Code>) -> Self {
        let code = estimated.refusal.map(explain::code).or(unread);
        let fee = estimated.max_fee_sats;
        Self {
            kind: words::payee(payee),
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
            verdict: if code.is_some() { "denied" } else { "allowed" },
            code: code.map(Code::as_str),
        }
    }

    /// A payee that cannot be paid here, whatever the amount.
    pub fn refused(payee: &Payee, money: MoneyKind, amount_sats: Option<u64>, code: Code) -> Self {
        Self {
            kind: words::payee(payee),
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
            verdict: "denied",
            code: Some(code.as_str()),
        }
    }
}
