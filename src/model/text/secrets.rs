//! Searches outgoing text for secrets. It finds them in any case, with line breaks, spaces, hidden
//! or wide characters in between, but decodes no other encodings, so it cannot find all.
//!
//! Never tells which secret it found, and keeps nothing of it.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bip39::Language;

use super::{is_hidden, is_selector, is_space};

/// Words in a row that count as a mnemonic.
const MNEMONIC_WORDS: usize = 12;

/// Characters of a bech32 key that reveal it, even if it is cut short. A whole key has 58.
const KEY_CHARACTERS: usize = 40;

/// Prefixes of credentials, with the number of characters that must follow. Case-sensitive.
const CREDENTIALS: [(&str, usize); 26] = [
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("whsec_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxa-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxr-", 20),
    ("xoxs-", 20),
    ("xapp-", 20),
    ("hf_", 20),
    ("npm_", 20),
    ("pypi-", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("eyJhbGciOi", 20),
];

/// Kind of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// A Cashu token.
    Token,
    /// A secret key of Nostr or Bitcoin.
    Key,
    /// A mnemonic.
    Mnemonic,
    /// A password, or a key of a service.
    Credential,
}

/// Returns the kind of secret in an outgoing text. `None` if none was found. The running time
/// depends only on the length of `text`.
pub fn refuse_secrets(text: &str) -> Option<SecretKind> {
    let seen: String = text
        .chars()
        .filter(|letter| is_space(*letter) || !is_hidden(*letter))
        .map(narrow)
        .collect();
    let joined: String = seen.chars().filter(|letter| !is_space(*letter)).collect();
    let letters: String = joined.chars().filter(char::is_ascii_alphanumeric).collect();
    if holds_token(&seen, &joined) || holds_hidden_bytes(text) {
        Some(SecretKind::Token)
    } else if holds_key(&letters) {
        Some(SecretKind::Key)
    } else if holds_mnemonic(&seen) {
        Some(SecretKind::Mnemonic)
    } else if holds_credential(&seen) || holds_hex(&joined) {
        Some(SecretKind::Credential)
    } else {
        None
    }
}

/// Returns the narrow form of a wide letter.
fn narrow(letter: char) -> char {
    match letter {
        '\u{FF01}'..='\u{FF5E}' => {
            u32::from(letter).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(letter)
        }
        _ => letter,
    }
}

/// Returns whether a word begins like a token of any version, or text across words begins with what
/// decodes as a token's first byte.
fn holds_token(seen: &str, joined: &str) -> bool {
    let in_one_word = after(seen, "cashu")
        .any(|rest| rest.starts_with(char::is_alphabetic) && run(rest, is_base64) > 24);
    in_one_word
        || after(joined, "cashuA").any(|rest| opens_with(rest, |byte| byte == b'{'))
        || after(joined, "cashuB").any(|rest| opens_with(rest, |byte| byte >> 5 == 5))
}

/// Returns whether `rest` begins with enough base64, and its first byte is `right`: a brace of
/// JSON, a map of CBOR.
fn opens_with(rest: &str, right: impl Fn(u8) -> bool) -> bool {
    let head: String = rest.chars().take(24).collect();
    if run(&head, is_base64) < 24 {
        return false;
    }
    let head = head.replace('+', "-").replace('/', "_");
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(&URL_SAFE, lenient).decode(head);
    decoded.is_ok_and(|bytes| bytes.first().is_some_and(|byte| right(*byte)))
}

/// Returns whether there are more selectors or tags than a picture needs, as when an emoji hides a
/// token. The selectors for text and picture style (15 and 16), which emoji use, do not count.
fn holds_hidden_bytes(text: &str) -> bool {
    text.chars()
        .filter(|letter| is_selector(*letter) && !matches!(letter, '\u{FE0E}' | '\u{FE0F}'))
        .nth(24)
        .is_some()
}

/// Returns whether there is an `nsec1` or `ncryptsec1` in any case, or an extended private key.
fn holds_key(letters: &str) -> bool {
    let folded = letters.to_ascii_lowercase();
    let nostr = ["nsec1", "ncryptsec1"]
        .iter()
        .any(|head| after(&folded, head).any(|rest| run(rest, is_bech32) >= KEY_CHARACTERS));
    let extended = ["xprv", "yprv", "zprv", "tprv"]
        .iter()
        .any(|head| after(letters, head).any(|rest| run(rest, is_base58) >= 100));
    nostr || extended
}

/// Returns whether there are twelve words of the English list in a row, with anything between them.
fn holds_mnemonic(seen: &str) -> bool {
    let mut in_a_row = 0_usize;
    for word in seen.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()) {
        let folded: Cow<'_, str> = if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
            word.to_ascii_lowercase().into()
        } else {
            word.into()
        };
        in_a_row = if Language::English.find_word(&folded).is_some() { in_a_row + 1 } else { 0 };
        if in_a_row >= MNEMONIC_WORDS {
            return true;
        }
    }
    false
}

fn holds_credential(seen: &str) -> bool {
    let upper = seen.to_ascii_uppercase();
    let pem = upper.contains("-----BEGIN") && upper.contains("PRIVATE KEY");
    let wallet = after(&upper, "NOSTR+WALLETCONNECT:").next().is_some();
    let bearer = after(&upper, "BEARER ").any(|rest| run(rest.trim_start(), is_credential) >= 16);
    pem || wallet
        || bearer
        || CREDENTIALS.iter().any(|(head, least)| begins_a_word(seen, head, *least))
}

/// Returns whether `head` begins a word and at least `least` characters of a credential follow.
fn begins_a_word(seen: &str, head: &str, least: usize) -> bool {
    seen.match_indices(head).any(|(at, _)| {
        let (before, rest) = seen.split_at(at);
        let begins = !before.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        begins && rest.strip_prefix(head).is_some_and(|rest| run(rest, is_credential) >= least)
    })
}

/// Returns whether there are 64 hex digits in a row: a private key, a preimage, a connection
/// secret.
fn holds_hex(joined: &str) -> bool {
    let mut in_a_row = 0_usize;
    joined.bytes().any(|byte| {
        in_a_row = if byte.is_ascii_hexdigit() { in_a_row + 1 } else { 0 };
        in_a_row >= 64
    })
}

/// Returns the text after each occurrence of `head`.
fn after<'a>(text: &'a str, head: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(head).filter_map(move |(at, _)| text.get(at.saturating_add(head.len())..))
}

/// Counts the bytes of one kind at the beginning of `text`, up to 128.
fn run(text: &str, kind: impl Fn(u8) -> bool) -> usize {
    text.bytes().take(128).take_while(|byte| kind(*byte)).count()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=')
}

fn is_bech32(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() && !matches!(byte, b'b' | b'i' | b'o' | b'1')
}

fn is_base58(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l')
}

fn is_credential(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'/' | b'=' | b'~')
}

#[cfg(test)]
mod tests;
