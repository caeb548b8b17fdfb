use proptest::prelude::*;

use super::*;

const NSEC: &str = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
const TOKEN_A: &str =
    "cashuAeyJ0b2tlbiI6W3sibWludCI6Imh0dHBzOi8vODMzMy5zcGFjZTozMzM4IiwicHJvb2ZzIjpbXX1dfQ==";
const TOKEN_B: &str =
    "cashuBo2F0gaJhaUgArSaMTR9YJmFwgaNhYQFhc3hAOWE2ZGJiODQ3YmQyMzJiYTc2ZGIwZGYxOTcyMTZiMjlkM2I4";
const WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

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
        for (text, what) in
            [(TOKEN_A, SecretKind::Token), (TOKEN_B, SecretKind::Token), (NSEC, SecretKind::Key)]
        {
            assert_eq!(refuse_secrets(&apart(text, 7, between)), Some(what), "{between:?} {text}");
        }
    }
    assert_eq!(refuse_secrets(&NSEC.to_uppercase()), Some(SecretKind::Key));
    assert_eq!(refuse_secrets(&apart(NSEC, 4, "-")), Some(SecretKind::Key));
    assert_eq!(refuse_secrets(&apart(WORDS, 3, "\u{200D}")), Some(SecretKind::Mnemonic));
    let wide: String =
        NSEC.chars().filter_map(|letter| char::from_u32(u32::from(letter) + 0xFEE0)).collect();
    assert_eq!(refuse_secrets(&wide), Some(SecretKind::Key));
    let hidden: String =
        TOKEN_B.bytes().filter_map(|byte| char::from_u32(0xE0100 + u32::from(byte) - 16)).collect();
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
