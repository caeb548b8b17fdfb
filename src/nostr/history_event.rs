//! History events (NIP-60, kind 7376).
//!
//! The amount, the token events and the hash of a paid invoice are encrypted to ourselves. Only a
//! redeemed nutzap is named in public tags, so that its sender can see it. Never counted as money.

use super::codec::{is_hex_64, lists, tag};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};

/// The kind of a history event.
pub const KIND: u16 = 7376;

/// The direction of the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryDirection {
    /// The wallet received money.
    In,
    /// The wallet spent money.
    Out,
}

/// A redeemed nutzap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// The id of the nutzap (kind 9321).
    pub id: String,
    /// The relay on which it was found.
    pub relay: String,
    /// The sender's public key, 64 characters of hex.
    pub sender: String,
}

/// A history event to write.
#[derive(Clone, Copy, Debug)]
pub struct NewHistoryEvent<'a> {
    /// The direction of the money.
    pub direction: HistoryDirection,
    /// The amount in `unit`.
    pub amount: u64,
    /// The unit of the amount.
    pub unit: &'a str,
    /// Ids of the token events that were created.
    pub created: &'a [String],
    /// Ids of the token events that were destroyed.
    pub destroyed: &'a [String],
    /// The redeemed nutzap, if there is one.
    pub redeemed: Option<&'a Redeemed>,
    /// The paid invoice's hash in lower-case hex, for the wallet's other devices. An encrypted
    /// addition to NIP-60.
    pub payment_hash: Option<&'a str>,
}

impl NewHistoryEvent<'_> {
    /// Creates an event with an amount in sats only.
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

/// A history event as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The direction of the money.
    pub direction: HistoryDirection,
    /// The amount in `unit`.
    pub amount: u64,
    /// The unit; `sat` if none is written.
    pub unit: String,
    /// Ids of the redeemed nutzaps.
    pub redeemed: Vec<String>,
    /// Ids of the token events that were created.
    pub created: Vec<String>,
    /// Ids of the token events that were destroyed.
    pub destroyed: Vec<String>,
    /// The hash of the paid invoice.
    pub payment_hash: Option<String>,
}

/// Writes a history event.
///
/// # Errors
/// [`Unwritable`] if it is too long to encrypt.
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

/// Reads a history event of ours in the form of any known wallet, with each tag encrypted or
/// public.
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
    // Some wallets add the author after the marker, so check the marker's own position.
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
    // Only the encrypted tags are searched, since a public hash would reveal who paid which
    // invoice.
    let hash = sealed
        .iter()
        .find(|tag| tag.first().is_some_and(|first| first == "payment_hash"))
        .and_then(|tag| tag.get(1));
    let payment_hash = hash.filter(|hash| is_hex_64(hash)).cloned();
    let (redeemed, created, destroyed) =
        (marked("redeemed"), marked("created"), marked("destroyed"));
    Ok(HistoryEvent { direction, amount, unit, redeemed, created, destroyed, payment_hash })
}
