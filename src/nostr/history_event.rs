//! A line of history (NIP-60, kind 7376).
//!
//! What came or went is sealed to ourselves, and so is whom we paid; in clear stands only which nutzap was redeemed, for its
//! sender to see. Never counted as money.

use super::event::Event;
use super::identity::{Draft, Identity};
use super::parts::{is_hex_64, lists, tag};
use super::{Unreadable, Unwritable};

/// The kind of it.
pub const KIND: u16 = 7376;

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// A nutzap that was redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// The nutzap's id (kind 9321).
    pub id: String,
    /// Where it was seen.
    pub relay: String,
    /// Who sent it, 64 letters of hex.
    pub sender: String,
}

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// Which way.
    pub direction: Direction,
    /// How much.
    pub amount: u64,
    /// In which unit; `sat` where none was written.
    pub unit: String,
    /// Nutzaps that were redeemed.
    pub redeemed: Vec<String>,
    /// Coin events that were made.
    pub created: Vec<String>,
    /// Coin events that ended.
    pub destroyed: Vec<String>,
}

/// Writes a line.
///
/// # Errors
/// When it is too long to be sealed.
#[expect(clippy::too_many_arguments, reason = "each is one field of the format")]
pub fn write(
    identity: &Identity,
    direction: Direction,
    amount: u64,
    unit: &str,
    created: &[String],
    destroyed: &[String],
    redeemed: Option<&Redeemed>,
    created_at: u64,
) -> Result<Event, Unwritable> {
    let way = if direction == Direction::In { "in" } else { "out" };
    let mut sealed = vec![tag(&["direction", way]), tag(&["amount", &amount.to_string()]), tag(&["unit", unit])];
    sealed.extend(created.iter().map(|id| tag(&["e", id, "", "created"])));
    sealed.extend(destroyed.iter().map(|id| tag(&["e", id, "", "destroyed"])));
    let mut tags = Vec::new();
    if let Some(nutzap) = redeemed {
        tags.push(tag(&["e", &nutzap.id, &nutzap.relay, "redeemed"]));
        tags.push(tag(&["p", &nutzap.sender]));
    }
    let plain = serde_json::to_string(&sealed).map_err(|_| Unwritable)?;
    let content = identity.seal(&plain)?;
    Ok(identity.sign(Draft { kind: KIND, created_at, tags, content })?)
}

/// Reads a line of our own, in the form of any wallet we know: every part may stand sealed or in clear.
///
/// # Errors
/// [`Unreadable`].
pub fn read(identity: &Identity, event: &Event) -> Result<HistoryEvent, Unreadable> {
    let plain = super::open_own(identity, event, KIND)?;
    let sealed = lists(&plain).ok_or(Unreadable::Form)?;
    let value = |name: &str| sealed.iter().chain(event.tags()).find(|tag| tag.first().is_some_and(|first| first == name))?.get(1);
    let direction = match value("direction").map(String::as_str) {
        Some("in") => Direction::In,
        Some("out") => Direction::Out,
        _ => return Err(Unreadable::Form),
    };
    let amount = value("amount").and_then(|amount| amount.parse().ok()).ok_or(Unreadable::Form)?;
    let unit = value("unit").cloned().unwrap_or_else(|| "sat".to_owned());
    // Some wallets write the author after the marker, so the marker is looked for where it belongs.
    let marked = |marker: &str| {
        let named = sealed.iter().chain(event.tags()).filter(|tag| tag.first().is_some_and(|first| first == "e"));
        let ids = named.filter(|tag| tag.get(3).is_some_and(|found| found == marker)).filter_map(|tag| tag.get(1));
        ids.filter(|id| is_hex_64(id)).cloned().collect()
    };
    Ok(HistoryEvent { direction, amount, unit, redeemed: marked("redeemed"), created: marked("created"), destroyed: marked("destroyed") })
}
