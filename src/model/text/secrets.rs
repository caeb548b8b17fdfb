//! Searches outgoing text for secrets. A safety net, not a wall: it finds secrets in any case, with
//! line breaks, spaces, hidden or wide characters in between, and decodes no other encodings.
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NSEC: &str = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
    const TOKEN_A: &str =
        "cashuAeyJ0b2tlbiI6W3sibWludCI6Imh0dHBzOi8vODMzMy5zcGFjZTozMzM4IiwicHJvb2ZzIjpbXX1dfQ==";
    const TOKEN_B: &str = "cashuBo2F0gaJhaUgArSaMTR9YJmFwgaNhYQFhc3hAOWE2ZGJiODQ3YmQyMzJiYTc2ZGIwZGYxOTcyMTZiMjlkM2I4";
    const WORDS: &str =
        "legal winner thank year wave sausage worth useful legal winner thank yellow";

    /// Inserts `between` after every `step` characters.
    fn apart(text: &str, step: usize, between: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        letters
            .chunks(step)
            .map(|part| part.iter().collect::<String>())
            .collect::<Vec<_>>()
            .join(between)
    }

    #[test]
    fn secrets_are_found() {
        let hex = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa";
        let found = [
            (TOKEN_A, SecretKind::Token),
            (TOKEN_B, SecretKind::Token),
            ("cashuCabcdefghijklmnopqrstuvwxyz0123", SecretKind::Token),
            (NSEC, SecretKind::Key),
            (
                "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm8623nsl8xn9j4jdzz84zm",
                SecretKind::Key,
            ),
            (WORDS, SecretKind::Mnemonic),
            (
                "1. legal 2. WINNER, thank|year/wave-sausage\nworth useful legal winner thank yellow",
                SecretKind::Mnemonic,
            ),
            (hex, SecretKind::Credential),
            ("key: sk-proj-abcdefghij0123456789", SecretKind::Credential),
            ("(ghp_abcdefghijklmnopqrst012345)", SecretKind::Credential),
            ("xoxb-1234567890-abcdefghijk", SecretKind::Credential),
            ("AKIAIOSFODNN7EXAMPLE", SecretKind::Credential),
            ("Authorization: bearer abcdef0123456789abcdef", SecretKind::Credential),
            ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQ", SecretKind::Credential),
            ("nostr+walletconnect://b889?relay=wss://r&secret=71a8", SecretKind::Credential),
        ];
        for (text, what) in found {
            assert_eq!(refuse_secrets(text), Some(what), "{text}");
            assert_eq!(refuse_secrets(&format!("for you: {text} ok?")), Some(what), "{text}");
        }
    }

    #[test]
    fn tricks_do_not_help() {
        for between in [" ", "\n", "\u{200B}", "\u{2060}", "\u{E0041}", "\r\n  "] {
            for (text, what) in [
                (TOKEN_A, SecretKind::Token),
                (TOKEN_B, SecretKind::Token),
                (NSEC, SecretKind::Key),
            ] {
                assert_eq!(
                    refuse_secrets(&apart(text, 7, between)),
                    Some(what),
                    "{between:?} {text}"
                );
            }
        }
        assert_eq!(refuse_secrets(&NSEC.to_uppercase()), Some(SecretKind::Key));
        assert_eq!(refuse_secrets(&apart(NSEC, 4, "-")), Some(SecretKind::Key));
        assert_eq!(refuse_secrets(&apart(WORDS, 3, "\u{200D}")), Some(SecretKind::Mnemonic));
        let wide: String =
            NSEC.chars().filter_map(|letter| char::from_u32(u32::from(letter) + 0xFEE0)).collect();
        assert_eq!(refuse_secrets(&wide), Some(SecretKind::Key));
        let hidden: String = TOKEN_B
            .bytes()
            .filter_map(|byte| char::from_u32(0xE0100 + u32::from(byte) - 16))
            .collect();
        assert_eq!(refuse_secrets(&format!("🥜{hidden}")), Some(SecretKind::Token));
    }

    #[test]
    fn ordinary_words_may_leave() {
        let fine = [
            "",
            "Thanks for the cashu book recommendations, they were all very good",
            "Send me a cashuB token please, I would like to try one of those soon",
            "cashuA and cashuB are the two versions of tokens that wallets know",
            "npub1sn0wdenkukak0d9dfczzeacvhkrgz92ak56egt7vdgzn8pv2wfqqhrjdv9",
            "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqf",
            "ask-me-about-task-sk-SK-localisation",
            "legal winner thank year wave sausage worth useful legal winner thank",
            "the bearer of this note",
            "An nsec1 key begins with nsec1 and is followed by letters; never share yours with anybody",
            "❤️🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "order 4f2a, 12 pcs, https://example.com/a?b=c",
        ];
        for text in fine {
            assert_eq!(refuse_secrets(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_found_wherever_it_stands(before in "[ .,;]{0,9}\\PC{0,20} ", after in " \\PC{0,20}") {
            let text = format!("{before}{NSEC}{after}");
            prop_assert!(refuse_secrets(&text).is_some());
        }

        #[test]
        fn any_text_is_judged_without_a_panic(text in any::<String>()) {
            let _ = refuse_secrets(&text);
        }
    }
}
