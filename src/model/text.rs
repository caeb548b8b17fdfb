//! Text that crosses the wallet's boundary: untrusted text on its way in, our own on its way out.
//!
//! Incoming text is cleaned and never trusted. Outgoing text with a secret is refused, never
//! trimmed. Never interprets a text.

mod secrets;

use unicode_general_category::{GeneralCategory, get_general_category};

pub use secrets::{SecretKind, refuse_secrets};

/// Maximum length of untrusted text, in characters.
pub const MAX_UNTRUSTED: usize = 200;

/// Maximum length of our outgoing text, in characters.
pub const MAX_OUTGOING: usize = 280;

/// Cleans untrusted text to one line of at most [`MAX_UNTRUSTED`] visible characters. See
/// [`clean_to`].
pub fn clean(text: &str) -> String {
    clean_to(text, MAX_UNTRUSTED)
}

/// Cleans untrusted text to one line of visible text, cut after `max` characters.
///
/// Drops control and format characters (bidi, zero-width, tags), variation selectors, letters
/// without a shape, and private and unassigned code points. Every run of white space, line breaks
/// included, becomes one space, with none at either end. Cleaning twice changes nothing. Reads no
/// more of `text` than it needs.
pub fn clean_to(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut length = 0_usize;
    let mut space = false;
    for letter in text.chars() {
        if is_space(letter) {
            space = length > 0;
            continue;
        }
        if is_hidden(letter) {
            continue;
        }
        let needed = if space { 2 } else { 1 };
        if length.saturating_add(needed) > max {
            break;
        }
        if space {
            out.push(' ');
        }
        out.push(letter);
        length += needed;
        space = false;
    }
    out
}

/// Returns whether the text is longer than [`MAX_OUTGOING`] characters.
pub fn outgoing_too_long(text: &str) -> bool {
    text.chars().nth(MAX_OUTGOING).is_some()
}

/// Makes a text safe for a spreadsheet's cell: one that would run as a formula gets an apostrophe
/// in front. The writer of the file still quotes it.
pub fn csv_cell(text: &str) -> String {
    let runs = text
        .trim_start_matches(' ')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if runs { format!("'{text}") } else { text.to_owned() }
}

/// Returns whether it is white space of any kind, line breaks included.
fn is_space(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(
            get_general_category(letter),
            GeneralCategory::SpaceSeparator
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

/// Returns whether it is invisible in a text, or has no meaning that everyone shares.
fn is_hidden(letter: char) -> bool {
    matches!(
        get_general_category(letter),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::Surrogate
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    ) || is_selector(letter)
        || is_shapeless(letter)
}

/// Returns whether it is a variation selector or a tag, which can carry a hidden byte.
fn is_selector(letter: char) -> bool {
    matches!(letter, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{E0000}'..='\u{E007F}')
}

/// Returns whether Unicode lists it as ignorable, or draws it as nothing.
fn is_shapeless(letter: char) -> bool {
    matches!(
        letter,
        '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'
            ..='\u{180F}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_nobody_sees_is_dropped() {
        let hidden = [
            "\u{0}\u{7}\u{1b}",                                         // control
            "\u{202A}\u{202E}\u{2066}\u{2069}\u{200E}\u{200F}\u{061C}", // direction
            "\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{00AD}",         // zero width
            "\u{E0001}\u{E0041}\u{E007F}",                              // tags
            "\u{FE0F}\u{E0100}\u{E01EF}",                               // variation selectors
            "\u{E000}\u{F0000}\u{10FFFF}",                              // private, not a character
            "\u{0378}\u{3164}\u{034F}",                                 // unassigned, shapeless
        ];
        for text in hidden {
            assert_eq!(clean(&format!("pay{text}ee")), "payee", "{text:?}");
        }
    }

    #[test]
    fn white_space_becomes_one_space() {
        assert_eq!(clean("  a\r\n\n\tb\u{2028}\u{3000}\u{A0}c  "), "a b c");
        assert_eq!(clean("a \u{200B} b"), "a b");
    }

    #[test]
    fn the_cut_counts_characters_and_leaves_no_space_behind() {
        assert_eq!(clean(&"é".repeat(500)).chars().count(), MAX_UNTRUSTED);
        assert_eq!(clean_to("ab cd", 3), "ab");
        assert_eq!(clean_to("ab cd", 4), "ab c");
        assert_eq!(clean_to("ab", 0), "");
    }

    #[test]
    fn letters_of_all_scripts_stay() {
        for text in ["Zürich", "日本語", "हिन्दी", "العربية", "🥜⚡"] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn a_cell_never_runs() {
        for text in ["=1+1", "+1", "-1", "@a", "\tx", "\rx", "  =1", "＝1"] {
            assert_eq!(csv_cell(text), format!("'{text}"));
        }
        assert_eq!(csv_cell("a=1"), "a=1");
    }

    #[test]
    fn two_hundred_and_eighty_characters_may_leave() {
        assert!(!outgoing_too_long(&"ü".repeat(MAX_OUTGOING)));
        assert!(outgoing_too_long(&"ü".repeat(MAX_OUTGOING + 1)));
    }

    proptest! {
        #[test]
        fn cleaning_is_final(text in any::<String>(), max in 0_usize..50) {
            let once = clean_to(&text, max);
            prop_assert!(once.chars().count() <= max);
            prop_assert!(once.chars().all(|letter| letter == ' ' || (!is_hidden(letter) && !is_space(letter))));
            prop_assert!(!once.contains("  ") && once.trim() == once);
            prop_assert_eq!(&clean_to(&once, max), &once);
        }

        #[test]
        fn a_cell_read_back_is_the_text(text in any::<String>()) {
            let cell = csv_cell(&text);
            prop_assert!(cell == text || cell.strip_prefix('\'') == Some(text.as_str()));
        }
    }
}
