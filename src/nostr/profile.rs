//! Profiles (NIP-01, kind 0): a person's name and Lightning address.
//!
//! All fields are untrusted text: clean them before display and check them before use.

use serde_json::Value;

use super::Unreadable;
use super::event::Event;

/// The kind of a profile; relays keep only the newest.
pub const KIND: u16 = 0;

/// Maximum length of a field, in bytes.
const MAX_FIELD: usize = 2_000;

/// The fields of a profile. A field that is empty, too long or not a string is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Profile {
    /// The short name.
    pub name: Option<String>,
    /// The long name.
    pub display_name: Option<String>,
    /// The Lightning address, `name@host`.
    pub lud16: Option<String>,
    /// The LNURL, `lnurl1...`.
    pub lud06: Option<String>,
    /// The Nostr address (NIP-05), not verified.
    pub nip05: Option<String>,
}

/// Reads the profile of any author.
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
