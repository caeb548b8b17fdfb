//! Mint recommendations (NIP-87, kind 38000).
//!
//! Never makes a mint trusted; the caller must choose whose recommendations count.

use super::Unreadable;
use super::codec::is_hex_64;
use super::event::Event;

/// The kind of a recommendation.
pub const REVIEW: u16 = 38_000;

/// Maximum number of URLs of one event that are read.
const MAX_URLS: usize = 10;

/// Maximum length of a URL, in bytes.
const MAX_URL: usize = 1_000;

/// A recommendation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The author's public key.
    pub author: String,
    /// The mint's public key in lower-case hex.
    pub mint_pubkey: String,
    /// The mint's URLs, as written.
    pub urls: Vec<String>,
    /// The rating from 1 to 5, if the text begins with one.
    pub rating: Option<u8>,
    /// The author's text, raw and untrusted.
    pub text: String,
    /// The creation time, in Unix seconds.
    pub created_at: u64,
}

/// Reads a recommendation of a Cashu mint.
///
/// # Errors
/// [`Unreadable`]; [`Unreadable::Kind`] also if it recommends anything but a Cashu mint.
pub fn read_review(event: &Event) -> Result<Review, Unreadable> {
    let of_a_mint = event.tag_values("k").any(|kind| kind == "38172");
    if event.kind() != REVIEW || !of_a_mint {
        return Err(Unreadable::Kind);
    }
    let (rating, text) = rating(event.content());
    Ok(Review {
        author: event.author().to_owned(),
        mint_pubkey: mint_pubkey(event)?,
        urls: urls(event),
        rating,
        text: text.to_owned(),
        created_at: event.created_at(),
    })
}

fn mint_pubkey(event: &Event) -> Result<String, Unreadable> {
    let key = event.tag_values("d").next().map(str::to_ascii_lowercase).ok_or(Unreadable::Form)?;
    let x = key.get(key.len().saturating_sub(64)..).unwrap_or_default();
    let is_key = is_hex_64(x)
        && matches!(key.len().checked_sub(64).and_then(|at| key.get(..at)), Some("" | "02" | "03"));
    if is_key { Ok(key) } else { Err(Unreadable::Form) }
}

/// The URLs of the Cashu mint.
fn urls(event: &Event) -> Vec<String> {
    let ours = event
        .tags_named("u")
        .filter(|tag| tag.get(2).is_none_or(|marker| marker.is_empty() || marker == "cashu"));
    ours.filter_map(|tag| tag.get(1))
        .filter(|url| url.len() <= MAX_URL)
        .take(MAX_URLS)
        .cloned()
        .collect()
}

/// Parses a rating, such as `[4/5] good` into 4 and `good`.
fn rating(content: &str) -> (Option<u8>, &str) {
    let found = content.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("/5]"));
    match found.and_then(|(digits, text)| Some((digits.trim().parse::<u8>().ok()?, text))) {
        Some((rating @ 1..=5, text)) => (Some(rating), text.trim_start()),
        _ => (None, content),
    }
}
