//! Nutzap settings of a recipient (NIP-61, kind 10019): relays, mints and the key to lock to.
//! Public.
//!
//! A missing key stays missing; the author's identity key never replaces it. Never decides whether
//! a relay may be used.

use super::codec::{tag, x_only};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};

/// The kind of the settings; relays keep only the newest.
pub const KIND: u16 = 10_019;

/// Maximum number of relays, and of mints, that are read.
const MAX_EACH: usize = 100;

/// The nutzap settings of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NutzapInfo {
    /// Relays for nutzaps, as written. They are untrusted: see [`super::relay_list::usable`].
    pub relays: Vec<String>,
    /// Mints as written, each with its units; an empty list means all units.
    pub mints: Vec<(String, Vec<String>)>,
    /// The key to lock to, x only, 64 characters of lower-case hex. `None` if absent, invalid or
    /// ambiguous.
    pub pubkey: Option<String>,
}

/// Writes our settings. The key is written compressed (`02` and x), because some wallets lock to
/// the text unchanged, and proofs locked to x alone can never be spent.
///
/// # Errors
/// [`Unwritable`] if there is too much content or the key is invalid.
pub fn write(identity: &Identity, info: &NutzapInfo, created_at: u64) -> Result<Event, Unwritable> {
    let mut tags: Vec<Vec<String>> =
        info.relays.iter().map(|relay| tag(&["relay", relay])).collect();
    for (mint, units) in &info.mints {
        let mut line = tag(&["mint", mint]);
        line.extend(units.iter().cloned());
        tags.push(line);
    }
    if let Some(pubkey) = &info.pubkey {
        tags.push(tag(&["pubkey", &format!("02{}", x_only(pubkey).ok_or(Unwritable)?)]));
    }
    Ok(identity.sign(UnsignedEvent { kind: KIND, created_at, tags, content: String::new() })?)
}

/// Returns whether the key is written without its first byte. A wallet that locks to the text
/// unchanged then creates proofs that can never be spent.
pub fn has_x_only_key(event: &Event) -> bool {
    event.tag_values("pubkey").any(|key| key.len() == 64)
}

/// Reads the settings of any author.
///
/// # Errors
/// [`Unreadable::Kind`].
pub fn read(event: &Event) -> Result<NutzapInfo, Unreadable> {
    if event.kind() != KIND {
        return Err(Unreadable::Kind);
    }
    let relays = event.tag_values("relay").take(MAX_EACH).map(str::to_owned).collect();
    let mint =
        |line: &[String]| Some((line.get(1)?.clone(), line.iter().skip(2).cloned().collect()));
    let mints = event.tags_named("mint").filter_map(mint).take(MAX_EACH).collect();
    let mut keys: Vec<Option<String>> = event.tag_values("pubkey").map(x_only).collect();
    keys.dedup();
    let pubkey = match keys.as_slice() {
        [Some(one)] => Some(one.clone()),
        _ => None,
    };
    Ok(NutzapInfo { relays, mints, pubkey })
}
