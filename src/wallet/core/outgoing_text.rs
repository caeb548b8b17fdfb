//! Checks on text that the wallet sends to others.

use crate::model::text;
use crate::wallet::core::failure::{Cause, Failure};

/// Refuses outgoing text that is too long or contains a secret.
pub(crate) fn outgoing(field: &'static str, words: Option<&str>) -> Result<(), Failure> {
    let Some(words) = words else { return Ok(()) };
    let holds = text::refuse_secrets(words);
    if text::outgoing_too_long(words) {
        return Err(Cause::Text { field, holds: None }.into());
    }
    if holds.is_some() { Err(Cause::Text { field, holds }.into()) } else { Ok(()) }
}
