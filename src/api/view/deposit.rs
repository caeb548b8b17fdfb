//! The view of a deposit.

use schemars::JsonSchema;
use serde::Serialize;

use super::rfc3339;
use crate::api::words;
use crate::model::deposit::{Deposit, DepositState};

view!(
    /// A deposit.
    DepositView {
        /// The id of the deposit.
        deposit_id: String,
        /// The state. paid: not claimed yet; received: claimed.
        #[schemars(extend("shown" = true))]
        state: words::DepositState,
        /// The kind of money.
        money: words::Money,
        /// The invoice to pay; only while unpaid.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bolt11: Option<String>,
        /// The invoice as a link.
        #[serde(skip_serializing_if = "Option::is_none")]
        lightning_uri: Option<String>,
        /// The amount of the invoice, in sats.
        amount_sats: u64,
        /// The sats that arrived here; 0 if another device claimed them.
        #[schemars(extend("shown" = true))]
        #[serde(skip_serializing_if = "Option::is_none")]
        received_sats: Option<u64>,
        /// The mint's URL.
        mint: String,
        /// The time at which the invoice expires, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// The invoice as a QR code in text.
        #[serde(skip_serializing_if = "Option::is_none")]
        qr_text: Option<String>,
        /// The next step.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    }
);

impl From<&Deposit> for DepositView {
    fn from(deposit: &Deposit) -> Self {
        let next_step = match deposit.state {
            _ if deposit.disputed().is_some() => Some(
                "The mint says it has issued these coins, but none of them is here. Tell the owner of this wallet: only the mint's operator \
                 can say where they went. The mint is asked again once a day.",
            ),
            DepositState::Unpaid => Some(
                "Give bolt11 to the payer. Then call get_deposit with this deposit_id and wait_seconds 45; the money is claimed automatically.",
            ),
            DepositState::Paid => {
                Some("Paid; it is being claimed. Call get_deposit again in a moment.")
            }
            DepositState::Received { received_sats: 0, .. } => Some(
                "Another device with this wallet has claimed it. Call sync; then it counts as spendable here as well.",
            ),
            DepositState::Received { .. } => None,
            DepositState::Expired => Some("Nobody paid in time. Make a new deposit."),
        };
        let state = words::DepositState::from(deposit);
        let of_use = state == words::DepositState::Unpaid;
        let received_sats = match deposit.state {
            DepositState::Received { received_sats, .. } => Some(received_sats),
            _ => None,
        };
        Self {
            deposit_id: deposit.id.to_string(),
            state,
            money: deposit.money.into(),
            bolt11: of_use.then(|| deposit.bolt11.clone()),
            lightning_uri: of_use.then(|| format!("lightning:{}", deposit.bolt11)),
            amount_sats: deposit.amount_sats,
            received_sats,
            mint: deposit.mint.to_string(),
            expires_at: if deposit.expires_at > 0 { rfc3339(deposit.expires_at) } else { None },
            qr_text: None,
            next_step: next_step.map(str::to_owned),
        }
    }
}
