//! What the verbs are asked: one struct per tool, as the tools' parameters. The doc comments are
//! what an agent reads.
//!
//! Amounts are whole sats. Unknown fields are refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! request {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

request!(
    /// Asks for the balance.
    GetBalance {}
);

request!(
    /// Asks for an invoice that fills the wallet.
    Deposit {
        /// How many sats to receive.
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: u64,
        /// URL of the mint that shall hold the money, as list_mints shows it. Default: the first usable one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// Text for the payer, at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Also draw the invoice as a QR code: a text drawing and a PNG.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qr: Option<bool>,
        /// Choose once per deposit; the same value again gives the same invoice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
    }
);

request!(
    /// Asks what became of a deposit.
    GetDeposit {
        /// The deposit_id that deposit gave. Without it: the newest deposit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deposit_id: Option<String>,
        /// Wait up to this long for the money to arrive.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 45))]
        wait_seconds: Option<u64>,
    }
);

request!(
    /// Asks what a payment would cost and whether it would be allowed.
    Estimate {
        /// A Lightning invoice, Lightning address or LNURL; other kinds are named.
        to: String,
        /// Sats, where `to` names no amount.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: Option<u64>,
        /// URL of the mint to pay from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
    }
);

request!(
    /// Asks to pay.
    Pay {
        /// A Lightning invoice (BOLT11), Lightning address or LNURL.
        #[serde(alias = "bolt11")]
        to: String,
        /// Sats: required unless the invoice names them, then a check.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: Option<u64>,
        /// URL of the mint to pay from. Default: the cheapest that can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// Refuse if all fees together could pass this. The owner's ceiling holds as well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 2_100_000_000_000_000u64))]
        max_fee_sats: Option<u64>,
        /// A note for your history, sent to an address that takes comments; at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// Choose once per purchase; reuse the same value when you retry it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// The payment_id this payment repeats on purpose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat_of: Option<String>,
        /// From approval_required, once a person has approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval_id: Option<String>,
    }
);

request!(
    /// Asks what became of a payment or a received token.
    GetPayment {
        /// A payment_id or receive_id. Give exactly one of the three names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// The invoice's payment hash, hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_hash: Option<String>,
        /// The key the payment was made with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// Wait up to this long for it to become final.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 45))]
        wait_seconds: Option<u64>,
    }
);

request!(
    /// Asks for a token to hand out.
    SendToken {
        /// What the token shall be worth.
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: u64,
        /// URL of the mint whose money it shall be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// Text inside the token for its receiver, at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memo: Option<String>,
        /// Lock it to this public key (66 hex characters) or npub: only its owner can claim it, and it cannot be taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lock_to: Option<String>,
        /// Also draw the token as a QR code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qr: Option<bool>,
        /// Choose once per token; reuse the same value when you retry it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// The payment_id this token repeats on purpose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat_of: Option<String>,
        /// From approval_required, once a person has approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval_id: Option<String>,
    }
);

request!(
    /// Asks to take a token in.
    ReceiveToken {
        /// The token: cashuA... or cashuB...
        token: String,
    }
);

request!(
    /// Asks to take a token of ours back.
    ReclaimToken {
        /// The payment_id that send_token gave.
        payment_id: String,
    }
);

/// What kind of thing a history entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Money came in over Lightning.
    Deposit,
    /// A Lightning invoice was paid.
    Payment,
    /// A token was handed out.
    TokenSent,
    /// A token was taken in.
    TokenReceived,
    /// A token of ours was taken back.
    TokenReclaimed,
    /// A person or an event on Nostr was zapped.
    Zap,
    /// Somebody's nutzap came in.
    NutzapReceived,
    /// The owner changed a rule.
    Policy,
}

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
    /// Neither.
    None,
}

/// How to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Entries or groups.
    Json,
    /// One CSV text.
    Csv,
}

/// What to sum by.
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
    /// Asks what happened.
    ListHistory {
        /// From when: RFC 3339, a date, or 24h, 7d, 30d, all. Default: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Until when: RFC 3339 or a date (its end, UTC).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        /// Only this kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<EntryKind>,
        /// Only this direction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<Direction>,
        /// json (default) or csv.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<Format>,
        /// Sums instead of entries. Default: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary_by: Option<SummaryBy>,
        /// At most this many entries. Default: 20.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 500))]
        limit: Option<u64>,
        /// next_cursor of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    }
);

request!(
    /// Asks for the mints.
    ListMints {}
);

/// How a zap goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Whichever suits the recipient.
    Auto,
    /// An invoice (NIP-57).
    Lightning,
    /// Locked coins (NIP-61).
    Nutzap,
}

request!(
    /// Asks to zap.
    Zap {
        /// npub, nprofile, hex key, NIP-05 or Lightning address; or a note, nevent or naddr.
        #[serde(alias = "recipient")]
        to: String,
        /// Sats for the recipient, or in all for an event that shares its zaps.
        #[schemars(range(min = 1, max = 2_100_000_000_000_000u64))]
        amount_sats: u64,
        /// The event that is zapped, where to is its author.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        /// Public words, at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// auto (default): nutzap where both use one mint, else lightning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<Via>,
        /// Do not sign with the wallet's Nostr key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        anonymous: Option<bool>,
        /// Refuse if all fees of one part could pass this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = 2_100_000_000_000_000u64))]
        max_fee_sats: Option<u64>,
        /// Choose once per zap; reuse the same value when you retry it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// The payment_id this zap repeats on purpose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat_of: Option<String>,
        /// From approval_required, once a person has approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval_id: Option<String>,
    }
);

request!(
    /// Asks to bring relays and wallet together.
    Sync {}
);
