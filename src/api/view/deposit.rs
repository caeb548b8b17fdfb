//! A deposit.

use schemars::JsonSchema;
use serde::Serialize;

use super::{MoneyWord, rfc3339};
use crate::api::words;
use crate::model::deposit::{Deposit, DepositState};
use crate::model::history_line::EntryState;

view!(
    /// A deposit.
    DepositView {
        /// Its name.
        deposit_id: String,
        /// unpaid, paid, received or expired.
        state: &'static str,
        /// Kind of money.
        money: MoneyWord,
        /// The invoice; absent once it is of no use.
        #[serde(skip_serializing_if = "Option::is_none")]
        bolt11: Option<String>,
        /// The invoice as a link.
        #[serde(skip_serializing_if = "Option::is_none")]
        lightning_uri: Option<String>,
        /// Sats asked for.
        amount_sats: u64,
        /// Sats that arrived.
        #[serde(skip_serializing_if = "Option::is_none")]
        received_sats: Option<u64>,
        /// The mint.
        mint: String,
        /// When the invoice runs out, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// The invoice as a QR code drawn with text.
        #[serde(skip_serializing_if = "Option::is_none")]
        qr_text: Option<String>,
        /// What to do next.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_step: Option<String>,
    }
);

impl From<&Deposit> for DepositView {
    fn from(deposit: &Deposit) -> Self {
        let (state, next_step) = match deposit.state {
            _ if deposit.disputed().is_some() => (
                EntryState::Paid,
                Some(
                    "The mint says that it has issued these coins, and none of them is here. Tell the owner of this wallet: only whoever runs the \
                 mint can say where they went. The mint is asked again once a day.",
                ),
            ),
            DepositState::Unpaid => (
                EntryState::Unpaid,
                Some(
                    "Give bolt11 to whoever pays. Then call get_deposit with this deposit_id and wait_seconds 45; it is claimed by itself.",
                ),
            ),
            DepositState::Paid => (
                EntryState::Paid,
                Some("Paid; it is being claimed. Call get_deposit again in a moment."),
            ),
            DepositState::Received { received_sats: 0, .. } => (
                EntryState::Received,
                Some(
                    "Another device of this wallet has claimed it. Call sync: then it counts as spendable here as well.",
                ),
            ),
            DepositState::Received { .. } => (EntryState::Received, None),
            DepositState::Expired => {
                (EntryState::Expired, Some("Nobody paid in time. Make a new deposit."))
            }
        };
        let of_use = state == EntryState::Unpaid;
        let received_sats = match deposit.state {
            DepositState::Received { received_sats, .. } => Some(received_sats),
            _ => None,
        };
        Self {
            deposit_id: deposit.id.to_string(),
            state: words::entry_state(state),
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
