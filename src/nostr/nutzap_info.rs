//! How somebody wants to be sent nutzaps (NIP-61, kind 10019): relays, mints, the key to lock to.
//! Public.
//!
//! A missing key stays missing: the author's identity key is no stand-in. Says nothing about
//! whether a relay may be used.

use super::codec::{tag, x_only};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use super::{Unreadable, Unwritable};

/// The kind of it; relays keep the newest.
pub const KIND: u16 = 10_019;

/// The most relays and the most mints that are read.
const MAX_EACH: usize = 100;

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NutzapInfo {
    /// Where nutzaps are looked for, as written. A stranger's: see [`super::relay_list::usable`].
    pub relays: Vec<String>,
    /// Mints as written, each with its units; none means all.
    pub mints: Vec<(String, Vec<String>)>,
    /// The key to lock to: x only, 64 letters of lower-case hex; written as a lock names it. `None`
    /// when absent, damaged or said twice.
    pub pubkey: Option<String>,
}

/// Writes ours. The key stands there as a lock needs it (`02` and x): some wallets lock to the text
/// as it stands, and coins that are locked to x alone can be opened by nobody.
///
/// # Errors
/// When there is too much of it, or the key is none.
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

/// The key of a list stands there without its first byte: whoever locks to it as it stands makes
/// coins that nobody can open.
pub fn has_x_only_key(event: &Event) -> bool {
    event.tag_values("pubkey").any(|key| key.len() == 64)
}

/// Reads anybody's.
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
