//! What people say about mints (NIP-87): that one is good (kind 38000).
//!
//! Says what was said and by whom. Never makes a mint trusted, and whoever reads must choose whose
//! word counts.

use super::Unreadable;
use super::codec::is_hex_64;
use super::event::Event;

/// The kind of a recommendation.
pub const REVIEW: u16 = 38_000;

/// The most addresses of one event that are read.
const MAX_URLS: usize = 10;

/// The longest address, in bytes.
const MAX_URL: usize = 1_000;

/// A recommendation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Who wrote it.
    pub author: String,
    /// The mint's key. Lower-case hex.
    pub mint_pubkey: String,
    /// The mint's addresses, as written.
    pub urls: Vec<String>,
    /// 1 to 5, where the words begin with it.
    pub rating: Option<u8>,
    /// A stranger's raw words.
    pub text: String,
    /// When, in Unix seconds.
    pub created_at: u64,
}

/// Reads a recommendation of a Cashu mint.
///
/// # Errors
/// [`Unreadable`]; [`Unreadable::Kind`] also when it is of something else than a Cashu mint.
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

/// The addresses that are a Cashu mint's.
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

/// `[4/5] good` as 4 and `good`.
fn rating(content: &str) -> (Option<u8>, &str) {
    let found = content.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("/5]"));
    match found.and_then(|(digits, text)| Some((digits.trim().parse::<u8>().ok()?, text))) {
        Some((rating @ 1..=5, text)) => (Some(rating), text.trim_start()),
        _ => (None, content),
    }
}
