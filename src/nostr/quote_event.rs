//! Quote events (NIP-60, kind 7374): a mint quote that is not claimed yet, encrypted to ourselves.
//!
//! The mint is in a public tag, where other wallets look for it; the quote's id and key are
//! encrypted. Either is enough to claim the quote's money, so neither is printed.

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::codec::tag;
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};
use crate::model::secret::Secret;

/// The kind of a quote event.
pub const KIND: u16 = 7374;

/// Maximum length of a quote id that is read, in bytes.
const MAX_ID: usize = 512;

/// The content of a quote event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteEvent {
    /// The mint's id of the quote.
    pub quote_id: Secret,
    /// The mint, as written. `None` if absent.
    pub mint: Option<String>,
    /// The amount. `None` if absent.
    pub amount: Option<u64>,
    /// The unit of the amount. `None` if absent.
    pub unit: Option<String>,
    /// The secret key that the quote is locked to (NUT-20), as some wallets write it.
    pub key: Option<Secret>,
    /// The time after which relays may delete the event, in Unix seconds.
    pub expires_at: Option<u64>,
}

#[derive(Deserialize)]
struct QuoteJson {
    #[serde(rename = "quoteId", alias = "quote_id", alias = "quote")]
    quote_id: String,
    #[serde(default)]
    mint: Option<String>,
    #[serde(default)]
    amount: Option<Value>,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    p2pk_priv: Option<String>,
}

/// Writes a quote: its id, and the key that it is locked to (NUT-20) if there is one.
///
/// # Errors
/// [`Unwritable`] if it is too long to encrypt.
pub fn write(
    identity: &Identity,
    quote_id: &Secret,
    key: Option<&Secret>,
    mint: &str,
    expires_at: u64,
    created_at: u64,
) -> Result<Event, Unwritable> {
    let plain = match key {
        Some(key) => serde_json::json!({"quote_id": quote_id.reveal(), "p2pk_priv": key.reveal()})
            .to_string(),
        None => quote_id.reveal().to_owned(),
    };
    let content = identity.encrypt(&Zeroizing::new(plain))?;
    let tags = vec![tag(&["expiration", &expires_at.to_string()]), tag(&["mint", mint])];
    Ok(identity.sign(UnsignedEvent { kind: KIND, created_at, tags, content })?)
}

/// Reads a quote of ours: a bare id with the mint in the tags, or JSON in any known spelling.
///
/// # Errors
/// [`Unreadable`].
pub fn read(identity: &Identity, event: &Event) -> Result<QuoteEvent, Unreadable> {
    let plain = super::open_own(identity, event, KIND)?;
    let inside = if plain.trim_start().starts_with('{') {
        serde_json::from_str(&plain).map_err(|_| Unreadable::Form)?
    } else {
        let bare = serde_json::from_str(&plain).unwrap_or_else(|_| plain.trim().to_owned());
        QuoteJson { quote_id: bare, mint: None, amount: None, unit: None, p2pk_priv: None }
    };
    if inside.quote_id.is_empty() || inside.quote_id.len() > MAX_ID {
        return Err(Unreadable::Form);
    }
    Ok(QuoteEvent {
        quote_id: Secret::new(inside.quote_id),
        mint: inside.mint.or_else(|| event.tag_values("mint").next().map(str::to_owned)),
        amount: inside.amount.as_ref().and_then(number),
        unit: inside.unit,
        key: inside.p2pk_priv.map(Secret::new),
        expires_at: event.tag_values("expiration").find_map(|at| at.parse().ok()),
    })
}

/// Parses a number, or a string of its digits.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
