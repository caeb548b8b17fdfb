//! The fixed words of answers: kinds, states, directions and the like. Each word is written here
//! once, for JSON, text and schemas alike. No decision is made from a word.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::history_line as line;
use crate::model::lnurl::OtherTag;
use crate::model::payee::Payee;
use crate::model::receive::Receive;
use crate::model::text::SecretKind;
use crate::model::{deposit, keys, mint, payment, receive};
use crate::wallet;

/// Declares the words of one field. `of` names the enum whose variants have the same names.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $(#[doc = $word] #[serde(rename = $word)] $variant,)* }

        impl From<$name> for &'static str {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str((*self).into())
            }
        }
    };
    ($(#[$doc:meta])* $name:ident of $of:ty { $($variant:ident = $word:literal,)* }) => {
        words!($(#[$doc])* $name { $($variant = $word,)* });

        impl From<$of> for $name {
            fn from(of: $of) -> Self {
                type Of = $of;
                match of { $(Of::$variant => Self::$variant,)* }
            }
        }
    };
}

words!(
    /// The kind of money.
    Money of mint::MoneyKind {
        Play = "play", Real = "real",
    }
);

words!(
    /// The kind of a history entry.
    EntryKind of line::EntryKind {
        Deposit = "deposit", Payment = "payment", TokenSent = "token_sent",
        TokenReceived = "token_received", TokenReclaimed = "token_reclaimed", Zap = "zap",
        NutzapReceived = "nutzap_received", Policy = "policy",
    }
);

words!(
    /// The state of a history entry.
    EntryState of line::EntryState {
        Pending = "pending", Settled = "settled", Failed = "failed", Returned = "returned",
        Received = "received", Unpaid = "unpaid", Paid = "paid", Expired = "expired",
    }
);

words!(
    /// The direction of money.
    Direction of line::Direction {
        In = "in", Out = "out", None = "none",
    }
);

words!(
    /// The state of a deposit.
    DepositState {
        Unpaid = "unpaid", Paid = "paid", Received = "received", Expired = "expired",
    }
);

impl From<&deposit::Deposit> for DepositState {
    fn from(deposit: &deposit::Deposit) -> Self {
        match deposit.state {
            // Its coins were issued and have not arrived.
            _ if deposit.disputed().is_some() => Self::Paid,
            deposit::DepositState::Unpaid => Self::Unpaid,
            deposit::DepositState::Paid => Self::Paid,
            deposit::DepositState::Received { .. } => Self::Received,
            deposit::DepositState::Expired => Self::Expired,
        }
    }
}

words!(
    /// The state of a Lightning payment, or of one part of a zap.
    PaymentState {
        Pending = "pending", Settled = "settled", Failed = "failed",
    }
);

impl From<&payment::PaymentState> for PaymentState {
    fn from(state: &payment::PaymentState) -> Self {
        use payment::PaymentState as State;
        match state {
            State::Reserved | State::Sent { .. } | State::GivenUp { .. } => Self::Pending,
            State::Settled { .. } => Self::Settled,
            // Only a token is returned; a payment that came back has failed.
            State::Failed { .. } | State::Returned { .. } => Self::Failed,
        }
    }
}

words!(
    /// The state of a token that this wallet made.
    TokenState {
        Pending = "pending", Settled = "settled", Failed = "failed", Returned = "returned",
    }
);

impl From<&payment::PaymentState> for TokenState {
    fn from(state: &payment::PaymentState) -> Self {
        match (state, PaymentState::from(state)) {
            (payment::PaymentState::Returned { .. }, _) => Self::Returned,
            (_, PaymentState::Pending) => Self::Pending,
            (_, PaymentState::Settled) => Self::Settled,
            (_, PaymentState::Failed) => Self::Failed,
        }
    }
}

words!(
    /// The state of a zap.
    ZapState {
        Pending = "pending", Settled = "settled", Failed = "failed", Partial = "partial",
    }
);

impl From<PaymentState> for ZapState {
    fn from(state: PaymentState) -> Self {
        match state {
            PaymentState::Pending => Self::Pending,
            PaymentState::Settled => Self::Settled,
            PaymentState::Failed => Self::Failed,
        }
    }
}

words!(
    /// The state of a received token.
    ReceiveState {
        Pending = "pending", Received = "received", Failed = "failed",
    }
);

impl From<&receive::ReceiveState> for ReceiveState {
    fn from(state: &receive::ReceiveState) -> Self {
        use receive::ReceiveState as State;
        match state {
            State::Open | State::GivenUp { .. } => Self::Pending,
            State::Received { .. } => Self::Received,
            State::Refused { .. } => Self::Failed,
        }
    }
}

words!(
    /// The kind of a Lightning payment's answer.
    PaymentKind {
        Payment = "payment",
    }
);

words!(
    /// The kind of a sent token's answer.
    TokenKind {
        TokenSent = "token_sent",
    }
);

words!(
    /// The kind of a zap's answer.
    ZapKind {
        Zap = "zap",
    }
);

words!(
    /// The kind of a received token's answer.
    ReceiveKind {
        TokenReceived = "token_received", NutzapReceived = "nutzap_received",
    }
);

impl From<&Receive> for ReceiveKind {
    fn from(receive: &Receive) -> Self {
        if receive.nutzap.is_some() { Self::NutzapReceived } else { Self::TokenReceived }
    }
}

words!(
    /// The reason that something is pending.
    PendingReason {
        PayeeHolds = "payee_holds", MintSilent = "mint_silent", OutcomeUnknown = "outcome_unknown",
    }
);

words!(
    /// The proof that a Lightning payment was made.
    Proof {
        Preimage = "preimage", MintWord = "mint_word",
    }
);

words!(
    /// The rail of a zap.
    Rail {
        Lightning = "lightning", Nutzap = "nutzap",
    }
);

impl From<&payment::Rail> for Rail {
    fn from(rail: &payment::Rail) -> Self {
        match rail {
            payment::Rail::Lightning { .. } => Self::Lightning,
            payment::Rail::Nutzap { .. } => Self::Nutzap,
        }
    }
}

words!(
    /// The public receipt of a zap (NIP-57), as far as it was seen.
    Receipt of payment::Receipt {
        None = "none", Waiting = "waiting", Found = "found", Timeout = "timeout",
        Invalid = "invalid",
    }
);

words!(
    /// The kind of a payee text.
    PayeeKind {
        Bolt11 = "bolt11", Bolt12 = "bolt12", LightningAddress = "lightning_address",
        Lnurl = "lnurl", PaymentRequest = "payment_request", Npub = "npub", Token = "token",
        Onchain = "onchain", Unknown = "unknown",
    }
);

impl From<&Payee> for PayeeKind {
    fn from(payee: &Payee) -> Self {
        match payee {
            Payee::Bolt11(_) | Payee::BrokenBolt11(_) => Self::Bolt11,
            Payee::Bolt12 => Self::Bolt12,
            Payee::LightningAddress(_) => Self::LightningAddress,
            Payee::Lnurl(_) => Self::Lnurl,
            Payee::PaymentRequest(_) => Self::PaymentRequest,
            Payee::Npub(_) => Self::Npub,
            Payee::Token(_) => Self::Token,
            Payee::Onchain => Self::Onchain,
            Payee::Unknown => Self::Unknown,
        }
    }
}

words!(
    /// The verdict on an estimated payment.
    Verdict {
        Allowed = "allowed", Denied = "denied",
    }
);

words!(
    /// The place of the wallet's keys.
    KeysPlace of keys::KeysPlace {
        Keyring = "keyring", File = "file",
    }
);

words!(
    /// The scope of the limits.
    Scope {
        Wallet = "this_wallet_on_this_device",
    }
);

words!(
    /// The state of the wallet on Nostr relays.
    SyncState of wallet::SyncState {
        Synced = "synced", Partial = "partial", Offline = "offline", ReadOnly = "read_only",
        Off = "off",
    }
);

words!(
    /// The state of one relay.
    RelayState {
        Synced = "synced", Partial = "partial", Unreachable = "unreachable", Behind = "behind",
        Unknown = "unknown",
    }
);

impl From<Option<wallet::Sight>> for RelayState {
    fn from(sight: Option<wallet::Sight>) -> Self {
        match sight {
            Some(wallet::Sight::Whole) => Self::Synced,
            Some(wallet::Sight::Cut) => Self::Partial,
            Some(wallet::Sight::Away) => Self::Unreachable,
            Some(wallet::Sight::Behind) => Self::Behind,
            None => Self::Unknown,
        }
    }
}

/// The word for a history entry's kind.
pub fn entry_kind(kind: line::EntryKind) -> &'static str {
    EntryKind::from(kind).into()
}

/// The word for a history entry's state.
pub fn entry_state(state: line::EntryState) -> &'static str {
    EntryState::from(state).into()
}

/// The kind of an LNURL that is not for payments.
pub fn lnurl(tag: Option<OtherTag>) -> &'static str {
    match tag {
        Some(OtherTag::Withdraw) => "lnurl_withdraw",
        Some(OtherTag::Channel) => "lnurl_channel",
        Some(OtherTag::Login) => "lnurl_login",
        None => "lnurl",
    }
}

/// The secret that a text contains, with its article.
pub fn secret(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Token => "a Cashu token",
        SecretKind::Key => "a secret key",
        SecretKind::Mnemonic => "a mnemonic",
        SecretKind::Credential => "a credential",
    }
}
