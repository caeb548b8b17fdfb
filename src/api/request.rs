//! Requests: one struct per tool, whose fields are its parameters. Agents read their comments.
//!
//! Amounts are whole sats. Unknown fields are refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::{Direction, EntryKind};

macro_rules! request {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

request!(
    /// A request for the balance.
    GetBalance {}
);

request!(
    /// A request for an invoice that adds money.
    Deposit {
        /// Sats to receive.
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: u64,
        /// URL of the mint to hold the money, from list_mints. Default: the first usable one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// Text for the payer, if the mint supports it; at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Also return the invoice as a QR code: text and PNG.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qr: Option<bool>,
        /// Choose one per deposit; the same key returns the same invoice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
    }
);

request!(
    /// A request for a deposit's state.
    GetDeposit {
        /// The deposit_id from deposit. Default: the newest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deposit_id: Option<String>,
        /// Wait up to this long for the money. Default: 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 45))]
        wait_seconds: Option<u64>,
    }
);

request!(
    /// A request for the cost of a payment, without making it.
    Estimate {
        /// A Lightning invoice, Lightning address or LNURL; anything else is only identified.
        to: String,
        /// Sats to pay, if `to` names no amount.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: Option<u64>,
        /// URL of the mint to pay from. Default: the cheapest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
    }
);

request!(
    /// A request to pay.
    Pay {
        /// A Lightning invoice (BOLT11), Lightning address or LNURL.
        #[serde(alias = "bolt11")]
        to: String,
        /// Sats to pay: required unless the invoice names an amount; then it must match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: Option<u64>,
        /// URL of the mint to pay from. Default: the cheapest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// Refuse if total fees could exceed this. The owner's ceiling also applies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 2_100_000_000_000_000u64))]
        max_fee_sats: Option<u64>,
        /// Note for your history, also sent to addresses that accept comments; at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// Choose one per purchase; reuse it on every retry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// payment_id to repeat on purpose, after possible_duplicate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat_of: Option<String>,
    }
);

request!(
    /// A request for the state of a payment or a received token.
    GetPayment {
        /// A payment_id or receive_id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// The invoice's payment hash, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_hash: Option<String>,
        /// The key the payment was made with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// Wait up to this long for a final state. Default: 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 45))]
        wait_seconds: Option<u64>,
    }
);

request!(
    /// A request for a new token.
    SendToken {
        /// The token's value in sats.
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: u64,
        /// URL of the mint to issue it. Default: the one holding most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// Text in the token for its recipient, at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memo: Option<String>,
        /// Lock it to this public key (66 hex) or npub: only its owner can claim it, and you cannot take it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lock_to: Option<String>,
        /// Also return the token as a QR code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qr: Option<bool>,
        /// Choose one per token; reuse it on every retry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// payment_id to repeat on purpose, after possible_duplicate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat_of: Option<String>,
    }
);

request!(
    /// A request to redeem a token.
    ReceiveToken {
        /// The token, starting with cashuA or cashuB.
        token: String,
    }
);

request!(
    /// A request to take back a token of this wallet's own.
    ReclaimToken {
        /// The payment_id from send_token.
        payment_id: String,
    }
);

/// The format of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Entries or groups.
    Json,
    /// One CSV text.
    Csv,
}

/// The key by which the history is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SummaryBy {
    /// No sums: entries.
    None,
    /// UTC day.
    Day,
    /// Kind of entry.
    Kind,
    /// Mint.
    Mint,
    /// Payee.
    Payee,
    /// Agent.
    Agent,
}

request!(
    /// A request for the history.
    ListHistory {
        /// Start: RFC 3339, a date, or 24h, 7d, 30d, all. Default: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// End: RFC 3339, or a date (its end, UTC). Default: now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        /// Only entries of this kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<EntryKind>,
        /// Only this direction; none: no money moved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<Direction>,
        /// json (default) or csv.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<Format>,
        /// Sums by this instead of entries. Default: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary_by: Option<SummaryBy>,
        /// Entries per page. Default: 20; csv: 10,000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 500))]
        limit: Option<u64>,
        /// next_cursor from the previous page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    }
);

request!(
    /// A request for the mints.
    ListMints {}
);

/// The rail of a zap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A nutzap if recipient and wallet share a mint, else Lightning.
    Auto,
    /// An invoice (NIP-57).
    Lightning,
    /// Locked coins (NIP-61).
    Nutzap,
}

request!(
    /// A request to zap.
    Zap {
        /// A person (npub, nprofile, hex key, NIP-05 or Lightning address) or an event (note, nevent, naddr).
        #[serde(alias = "recipient")]
        to: String,
        /// Sats for the recipient; in all, if the event splits its zaps.
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: u64,
        /// The note, nevent or naddr to zap, if `to` is its author.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        /// Public message, at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// auto (default): nutzap if you share a mint with the recipient, otherwise lightning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<Via>,
        /// Sign with a throwaway key, not the wallet's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        anonymous: Option<bool>,
        /// Refuse if the fees of one part could exceed this. The owner's ceiling also applies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 2_100_000_000_000_000u64))]
        max_fee_sats: Option<u64>,
        /// Choose one per zap; reuse it on every retry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// payment_id to repeat on purpose, after possible_duplicate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat_of: Option<String>,
    }
);

request!(
    /// A request to sync with the relays.
    Sync {}
);
