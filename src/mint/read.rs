//! Parses mints' answers field by field: an optional field that is missing, null or of an
//! unexpected type is `None` (an expiry 0, a melt's state `Unknown`), and the others remain usable.
//!
//! Accepts numbers written as strings, as some mints send them. Validates nothing: callers do.

use std::str::FromStr;

use cdk::nuts::{
    BlindSignature, CurrencyUnit, Id, KeySet, KeySetInfo, Keys, MeltQuoteState, MintQuoteState,
};
use serde_json::Value;

use super::error::MintError;
use crate::model::mint::{MethodInfo, MintInfo};

/// Maximum length of a mint's name, in characters; longer names are cut.
const MAX_NAME: usize = 200;

/// A mint quote (NUT-04, NUT-23).
#[derive(Clone, Debug)]
pub(super) struct MintQuoteResponse {
    pub(super) id: String,
    pub(super) bolt11: Option<String>,
    /// `None`: missing or not a known state.
    pub(super) state: Option<MintQuoteState>,
    /// Expiry in Unix seconds; 0 if the mint gives none.
    pub(super) expires_at: u64,
}

/// A melt quote, or the answer to a melt request (NUT-05, NUT-23).
#[derive(Clone, Debug)]
pub(super) struct MeltQuoteResponse {
    pub(super) id: String,
    pub(super) amount_sats: Option<u64>,
    pub(super) fee_reserve_sats: Option<u64>,
    /// `Unknown`: missing or not a known state.
    pub(super) state: MeltQuoteState,
    pub(super) preimage: Option<String>,
    /// `None`: missing or unreadable.
    pub(super) change: Option<Vec<BlindSignature>>,
}

pub(super) fn mint_quote(told: &Value) -> Result<MintQuoteResponse, MintError> {
    Ok(MintQuoteResponse {
        id: needed(text(told, "quote"), "quote")?.to_owned(),
        bolt11: text(told, "request").map(str::to_owned),
        state: mint_state(told),
        expires_at: number(told, "expiry").unwrap_or(0),
    })
}

/// Reads the state; without one, infers it from the fields of older or newer mints.
fn mint_state(told: &Value) -> Option<MintQuoteState> {
    if let Some(word) = text(told, "state") {
        return MintQuoteState::from_str(word).ok();
    }
    let (paid, issued) = (number(told, "amount_paid"), number(told, "amount_issued"));
    match (paid, flag(told, "paid")) {
        (Some(0), _) | (None, Some(false)) => Some(MintQuoteState::Unpaid),
        (Some(paid), _) if issued.is_some_and(|issued| issued >= paid) => {
            Some(MintQuoteState::Issued)
        }
        (Some(_), _) | (None, Some(true)) => Some(MintQuoteState::Paid),
        (None, None) => None,
    }
}

pub(super) fn melt_quote(told: &Value) -> Result<MeltQuoteResponse, MintError> {
    let state = match (text(told, "state"), flag(told, "paid")) {
        (Some(word), _) => MeltQuoteState::from_str(word).unwrap_or(MeltQuoteState::Unknown),
        (None, Some(true)) => MeltQuoteState::Paid,
        (None, Some(false)) => MeltQuoteState::Unpaid,
        (None, None) => MeltQuoteState::Unknown,
    };
    Ok(MeltQuoteResponse {
        id: needed(text(told, "quote"), "quote")?.to_owned(),
        amount_sats: number(told, "amount"),
        fee_reserve_sats: number(told, "fee_reserve"),
        state,
        preimage: text(told, "payment_preimage").map(str::to_owned),
        change: told.get("change").and_then(|change| serde_json::from_value(change.clone()).ok()),
    })
}

/// Reads a list of keysets (NUT-02). Skips those with an invalid id or unit, which mints from
/// before 2024 list.
pub(super) fn keysets(told: &Value) -> Result<Vec<KeySetInfo>, MintError> {
    Ok(needed(list(told, "keysets"), "keysets")?.iter().filter_map(keyset).collect())
}

fn keyset(told: &Value) -> Option<KeySetInfo> {
    Some(KeySetInfo {
        id: Id::from_str(text(told, "id")?).ok()?,
        unit: CurrencyUnit::from_str(text(told, "unit")?).ok()?,
        active: flag(told, "active").unwrap_or(true),
        input_fee_ppk: number(told, "input_fee_ppk").unwrap_or(0),
        final_expiry: number(told, "final_expiry"),
    })
}

/// Reads the keys of one keyset (NUT-01).
pub(super) fn keys(told: &Value, id: Id) -> Result<KeySet, MintError> {
    let named = |one: &&Value| text(one, "id").and_then(|text| Id::from_str(text).ok()) == Some(id);
    let found = needed(list(told, "keysets").and_then(|list| list.iter().find(named)), "keysets")?;
    let info = needed(keyset(found), "keysets")?;
    let keys: Option<Keys> =
        found.get("keys").and_then(|keys| serde_json::from_value(keys.clone()).ok());
    let KeySetInfo { id, unit, active, input_fee_ppk, final_expiry } = info;
    Ok(KeySet {
        id,
        unit,
        active: Some(active),
        keys: needed(keys, "keys")?,
        input_fee_ppk,
        final_expiry,
    })
}

/// Reads a mint's info (NUT-06).
pub(super) fn info(told: &Value) -> Result<MintInfo, MintError> {
    needed(told.as_object(), "info")?;
    let nut = |number: u8| told.get("nuts").and_then(|nuts| nuts.get(number.to_string()));
    let supported =
        |number: &u8| nut(*number).and_then(|one| flag(one, "supported")).unwrap_or(false);
    Ok(MintInfo {
        name: text(told, "name").map(|name| name.chars().take(MAX_NAME).collect()),
        pubkey: text(told, "pubkey")
            .and_then(|key| cdk::nuts::PublicKey::from_hex(key).ok())
            .map(|key| key.to_hex()),
        deposit: nut(4).and_then(bolt11_in_sats),
        pay: nut(5).and_then(bolt11_in_sats),
        nuts: (7..=30).filter(supported).collect(),
        notifies: nut(17)
            .and_then(|one| list(one, "supported"))
            .is_some_and(|some| !some.is_empty()),
    })
}

/// Reads the settings for sats over bolt11. A method is an object, or a list of method and unit.
fn bolt11_in_sats(settings: &Value) -> Option<MethodInfo> {
    if flag(settings, "disabled") == Some(true) {
        return None;
    }
    let named = |one: &Value, name: &str, place: usize, word: &str| {
        one.get(name)
            .or_else(|| one.get(place))
            .and_then(Value::as_str)
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let is_ours = |one: &&Value| named(one, "method", 0, "bolt11") && named(one, "unit", 1, "sat");
    let method = list(settings, "methods")?.iter().find(is_ours)?;
    let option = |name: &str| {
        method.get("options").and_then(|options| flag(options, name)).or_else(|| flag(method, name))
    };
    Some(MethodInfo {
        min_sats: number(method, "min_amount"),
        max_sats: number(method, "max_amount"),
        description: option("description"),
        amountless: option("amountless"),
    })
}

/// Reads a refusal: the NUT error code and the mint's text.
pub(super) fn refusal(told: &Value) -> (Option<u16>, Option<String>) {
    let code = number(told, "code").and_then(|code| u16::try_from(code).ok());
    let words = ["detail", "error", "message"]
        .iter()
        .find_map(|name| told.get(*name).filter(|words| !words.is_null()));
    // Servers that validate input report the missing fields as a list.
    let missed = |one: &Value| text(one, "msg").map(str::to_owned);
    let reason = words.map(|words| match words {
        Value::String(words) => words.clone(),
        Value::Array(list) if list.iter().all(|one| missed(one).is_some()) => {
            list.iter().filter_map(missed).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    });
    (code, reason.filter(|words| !words.is_empty()))
}

pub(super) fn needed<T>(read: Option<T>, name: &str) -> Result<T, MintError> {
    read.ok_or_else(|| MintError::Unreadable(format!("{name} is missing or unreadable")))
}

fn text<'a>(told: &'a Value, name: &str) -> Option<&'a str> {
    told.get(name).and_then(Value::as_str)
}

fn list<'a>(told: &'a Value, name: &str) -> Option<&'a Vec<Value>> {
    told.get(name).and_then(Value::as_array)
}

fn number(told: &Value, name: &str) -> Option<u64> {
    let number = told.get(name)?;
    number.as_u64().or_else(|| number.as_str()?.trim().parse().ok())
}

fn flag(told: &Value, name: &str) -> Option<bool> {
    let flag = told.get(name)?;
    flag.as_bool().or_else(|| flag.as_str()?.trim().to_ascii_lowercase().parse().ok())
}

#[cfg(test)]
mod tests;
