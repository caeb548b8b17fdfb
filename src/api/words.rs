//! The words of the wire for what is typed inside: kinds, states, directions and the like. They are
//! written here and nowhere else, and nothing is decided from them.

use crate::model::history_line::{Direction, EntryKind, EntryState};
use crate::model::keys::KeysPlace;
use crate::model::lnurl::OtherTag;
use crate::model::payee::Payee;
use crate::model::payment::{Rail, Receipt};
use crate::model::text::SecretKind;
use crate::wallet::{Sight, SyncState};

/// What kind of thing an entry is.
pub fn entry_kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Deposit => "deposit",
        EntryKind::Payment => "payment",
        EntryKind::TokenSent => "token_sent",
        EntryKind::TokenReceived => "token_received",
        EntryKind::TokenReclaimed => "token_reclaimed",
        EntryKind::Zap => "zap",
        EntryKind::NutzapReceived => "nutzap_received",
        EntryKind::Policy => "policy",
    }
}

/// How it stands.
pub fn entry_state(state: EntryState) -> &'static str {
    match state {
        EntryState::Pending => "pending",
        EntryState::Settled => "settled",
        EntryState::Failed => "failed",
        EntryState::Returned => "returned",
        EntryState::Received => "received",
        EntryState::Unpaid => "unpaid",
        EntryState::Paid => "paid",
        EntryState::Expired => "expired",
    }
}

/// A shared zap of which some parts failed, and none is open.
pub const PARTIAL: &str = "partial";

/// Which way money went.
pub fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
        Direction::None => "none",
    }
}

/// How a zap goes.
pub fn rail(rail: &Rail) -> &'static str {
    match rail {
        Rail::Lightning { .. } => "lightning",
        Rail::Nutzap { .. } => "nutzap",
    }
}

/// What was seen of a zap's public receipt.
pub fn receipt(receipt: Receipt) -> &'static str {
    match receipt {
        Receipt::None => "none",
        Receipt::Waiting => "waiting",
        Receipt::Found => "found",
        Receipt::Timeout => "timeout",
        Receipt::Invalid => "invalid",
    }
}

/// What a `to` is.
pub fn payee(payee: &Payee) -> &'static str {
    match payee {
        Payee::Bolt11(_) | Payee::BrokenBolt11(_) => "bolt11",
        Payee::Bolt12 => "bolt12",
        Payee::LightningAddress(_) => "lightning_address",
        Payee::Lnurl(_) => "lnurl",
        Payee::PaymentRequest(_) => "payment_request",
        Payee::Npub(_) => "npub",
        Payee::Token(_) => "token",
        Payee::Onchain => "onchain",
        Payee::Unknown => "unknown",
    }
}

/// What an LNURL is that is not for being paid.
pub fn lnurl(tag: Option<OtherTag>) -> &'static str {
    match tag {
        Some(OtherTag::Withdraw) => "lnurl_withdraw",
        Some(OtherTag::Channel) => "lnurl_channel",
        Some(OtherTag::Login) => "lnurl_login",
        None => "lnurl",
    }
}

/// A secret that a text holds.
pub fn secret(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Token => "a Cashu token",
        SecretKind::Key => "a secret key",
        SecretKind::Mnemonic => "a mnemonic",
        SecretKind::Credential => "a credential",
    }
}

/// Where the keys lie.
pub fn keys(place: KeysPlace) -> &'static str {
    match place {
        KeysPlace::Keyring => "keyring",
        KeysPlace::File => "file",
    }
}

/// How a relay stands. `None`: it was not read yet.
pub fn sight(sight: Option<Sight>) -> &'static str {
    match sight {
        Some(Sight::Whole) => "synced",
        Some(Sight::Cut) => "partial",
        Some(Sight::Away) => "unreachable",
        Some(Sight::Behind) => "behind",
        None => "unknown",
    }
}

/// How the wallet on relays stands.
pub fn sync_state(state: SyncState) -> &'static str {
    match state {
        SyncState::Synced => "synced",
        SyncState::Partial => "partial",
        SyncState::Offline => "offline",
        SyncState::ReadOnly => "read_only",
        SyncState::Off => "off",
    }
}
