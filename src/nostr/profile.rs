//! A profile (NIP-01, kind 0): a name, and where its owner is paid over Lightning.
//!
//! All of it is a stranger's text: clean it before showing, and check it before using.

use serde_json::Value;

use super::Unreadable;
use super::event::Event;

/// The kind of it; relays keep the newest.
pub const KIND: u16 = 0;

/// The longest text of one field, in bytes.
const MAX_FIELD: usize = 2_000;

/// What it says. Fields that are empty, too long or no text are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Profile {
    /// A short name.
    pub name: Option<String>,
    /// A longer one.
    pub display_name: Option<String>,
    /// A Lightning address, `name@host`.
    pub lud16: Option<String>,
    /// An LNURL, `lnurl1...`.
    pub lud06: Option<String>,
    /// A Nostr address (NIP-05), not verified.
    pub nip05: Option<String>,
}

/// Reads anybody's profile.
///
/// # Errors
/// [`Unreadable`].
pub fn read(event: &Event) -> Result<Profile, Unreadable> {
    if event.kind() != KIND {
        return Err(Unreadable::Kind);
    }
    let Ok(Value::Object(fields)) = serde_json::from_str(event.content()) else {
        return Err(Unreadable::Form);
    };
    let field = |name: &str| {
        let text = fields.get(name)?.as_str()?.trim();
        (!text.is_empty() && text.len() <= MAX_FIELD).then(|| text.to_owned())
    };
    Ok(Profile {
        name: field("name"),
        display_name: field("display_name").or_else(|| field("displayName")),
        lud16: field("lud16"),
        lud06: field("lud06"),
        nip05: field("nip05"),
    })
}
