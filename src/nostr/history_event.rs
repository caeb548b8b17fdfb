//! A history event (NIP-60, kind 7376).
//!
//! What came or went is sealed to ourselves, and so is whom we paid; in clear stands only which
//! nutzap was redeemed, for its sender to see. Never counted as money.

use super::codec::{is_hex_64, lists, tag};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};

/// The kind of it.
pub const KIND: u16 = 7376;

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryDirection {
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

/// A history event to write.
#[derive(Clone, Copy, Debug)]
pub struct NewHistoryEvent<'a> {
    /// Which way.
    pub direction: HistoryDirection,
    /// How much.
    pub amount: u64,
    /// In which unit.
    pub unit: &'a str,
    /// Coin events that were made.
    pub created: &'a [String],
    /// Coin events that ended.
    pub destroyed: &'a [String],
    /// The nutzap that was redeemed.
    pub redeemed: Option<&'a Redeemed>,
    /// The hash of the invoice that was paid, lower-case hex: our own addition, sealed, for the
    /// wallet's other devices.
    pub payment_hash: Option<&'a str>,
}

impl NewHistoryEvent<'_> {
    /// A history event of an amount in sats, and of nothing else.
    pub fn sats(direction: HistoryDirection, amount: u64) -> Self {
        Self {
            direction,
            amount,
            unit: "sat",
            created: &[],
            destroyed: &[],
            redeemed: None,
            payment_hash: None,
        }
    }
}

/// A history event that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// Which way.
    pub direction: HistoryDirection,
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
    /// The hash of the invoice that was paid.
    pub payment_hash: Option<String>,
}

/// Writes a history event.
///
/// # Errors
/// When it is too long to be sealed.
pub fn write(
    identity: &Identity,
    line: &NewHistoryEvent<'_>,
    created_at: u64,
) -> Result<Event, Unwritable> {
    let way = if line.direction == HistoryDirection::In { "in" } else { "out" };
    let mut sealed = vec![
        tag(&["direction", way]),
        tag(&["amount", &line.amount.to_string()]),
        tag(&["unit", line.unit]),
    ];
    sealed.extend(line.created.iter().map(|id| tag(&["e", id, "", "created"])));
    sealed.extend(line.destroyed.iter().map(|id| tag(&["e", id, "", "destroyed"])));
    sealed.extend(line.payment_hash.map(|hash| tag(&["payment_hash", hash])));
    let mut tags = Vec::new();
    if let Some(nutzap) = line.redeemed {
        tags.push(tag(&["e", &nutzap.id, &nutzap.relay, "redeemed"]));
        tags.push(tag(&["p", &nutzap.sender]));
    }
    let plain = serde_json::to_string(&sealed).map_err(|_| Unwritable)?;
    let content = identity.encrypt(&plain)?;
    Ok(identity.sign(UnsignedEvent { kind: KIND, created_at, tags, content })?)
}

/// Reads a history event of our own, as any wallet we know writes it: each part may be encrypted or
/// in clear.
///
/// # Errors
/// [`Unreadable`].
pub fn read(identity: &Identity, event: &Event) -> Result<HistoryEvent, Unreadable> {
    let plain = super::open_own(identity, event, KIND)?;
    let sealed = lists(&plain).ok_or(Unreadable::Form)?;
    let value = |name: &str| {
        sealed
            .iter()
            .chain(event.tags())
            .find(|tag| tag.first().is_some_and(|first| first == name))?
            .get(1)
    };
    let direction = match value("direction").map(String::as_str) {
        Some("in") => HistoryDirection::In,
        Some("out") => HistoryDirection::Out,
        _ => return Err(Unreadable::Form),
    };
    let amount = value("amount").and_then(|amount| amount.parse().ok()).ok_or(Unreadable::Form)?;
    let unit = value("unit").cloned().unwrap_or_else(|| "sat".to_owned());
    // Some wallets write the author after the marker, so the marker is looked for where it belongs.
    let marked = |marker: &str| {
        let named = sealed
            .iter()
            .chain(event.tags())
            .filter(|tag| tag.first().is_some_and(|first| first == "e"));
        let ids = named
            .filter(|tag| tag.get(3).is_some_and(|found| found == marker))
            .filter_map(|tag| tag.get(1));
        ids.filter(|id| is_hex_64(id)).cloned().collect()
    };
    // Only where it cannot be seen: in clear it would tell who paid what.
    let hash = sealed
        .iter()
        .find(|tag| tag.first().is_some_and(|first| first == "payment_hash"))
        .and_then(|tag| tag.get(1));
    let payment_hash = hash.filter(|hash| is_hex_64(hash)).cloned();
    let (redeemed, created, destroyed) =
        (marked("redeemed"), marked("created"), marked("destroyed"));
    Ok(HistoryEvent { direction, amount, unit, redeemed, created, destroyed, payment_hash })
}
