//! An invoice of a mint that is still to be claimed (NIP-60, kind 7374), sealed to ourselves.
//!
//! Other programs look for the mint in clear, so it stands there; how much, and for whom, does not.
//! A quote's id, or its key, is enough to take its coins, so neither prints.

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::codec::tag;
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};
use crate::model::secret::Secret;

/// The kind of it.
pub const KIND: u16 = 7374;

/// The longest id of a quote that is read, in bytes.
const MAX_ID: usize = 512;

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteEvent {
    /// The mint's name for it.
    pub quote_id: Secret,
    /// The mint, as written. `None` where it was left out.
    pub mint: Option<String>,
    /// How much, where it was written.
    pub amount: Option<u64>,
    /// In which unit, where it was written.
    pub unit: Option<String>,
    /// The key the quote is locked to (NUT-20), where another wallet wrote it.
    pub key: Option<Secret>,
    /// When relays may forget it, in Unix seconds.
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

/// Writes a quote: its id alone, or with the key that it is locked to (NUT-20).
///
/// # Errors
/// When it is too long to be sealed.
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

/// Reads a quote of our own: the id alone with the mint in clear, or JSON in either spelling.
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

/// A number, or its digits as a text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
