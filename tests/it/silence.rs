//! Who speaks: every sentence and every code for an agent stands in `api` or above it, and nobody
//! decides anything from one.

use std::collections::BTreeSet;

use nutpurse::testing::api::Code;

use crate::layering::{part, shipped};

/// The parts in which nobody speaks to an agent or a person.
const SILENT: &[&str] =
    &["wallet", "mint", "nostr", "net", "store", "policy", "model", "ports", "tasks"];

/// The texts between quotes in `code`, but for those of attributes (what errors say to the log) and
/// of `tracing`.
fn texts(code: &str) -> Vec<String> {
    let (mut texts, mut text, mut depth) = (Vec::new(), None::<String>, 0_usize);
    let mut letters = code.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (&mut text, letter) {
            (Some(inside), '\\') => {
                let next = letters.next().map_or(' ', |(_, next)| next);
                inside.push(if next.is_ascii_punctuation() { next } else { ' ' });
            }
            (Some(_), '"') => texts.extend(text.take().filter(|_| depth == 0)),
            (Some(inside), letter) => inside.push(letter),
            (None, '\'') => {
                // A letter between quotes is no text; a lifetime has no second quote.
                let rest: Vec<char> = code[at + 1..].chars().take(3).collect();
                let long = match rest[..] {
                    ['\\', _, '\''] => 3,
                    [_, '\'', ..] => 2,
                    _ => 0,
                };
                for _ in 0..long {
                    letters.next();
                }
            }
            (None, '"') => text = Some(String::new()),
            (None, '(' | '[' | '{') if depth > 0 => depth += 1,
            (None, ')' | ']' | '}') if depth > 0 => depth -= 1,
            (None, '[') if code[..at].ends_with('#') => depth = 1,
            (None, '(')
                if ["tracing::debug!", "tracing::info!", "tracing::warn!", "tracing::error!"]
                    .iter()
                    .any(|name| code[..at].ends_with(name)) =>
            {
                depth = 1;
            }
            _ => {}
        }
    }
    texts
}

#[test]
fn no_sentence_and_no_code_stands_below_the_api() {
    // `internal` is a word of other trades as well.
    let words = Code::ALL.iter().map(|code| code.as_str());
    let codes: BTreeSet<&str> = words.filter(|word| word.contains('_')).collect();
    let is_sentence = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.ends_with(['.', '!', '?'])
            && text.split_whitespace().count() > 2
    };
    let (mut read, mut said) = (0_usize, 0_usize);
    for (file, code) in shipped() {
        let here = texts(&code);
        let silent = SILENT.contains(&part(&file));
        for text in here {
            read += usize::from(silent);
            let speaks = is_sentence(&text) || codes.contains(text.as_str());
            said += usize::from(speaks && file.starts_with("api/"));
            assert!(!silent || !speaks, "{file} says {text:?}");
        }
    }
    assert!(read > 1_000 && said > 100, "{read} texts were read, and {said} were found in the api");
}

#[test]
fn nothing_is_decided_from_what_is_said() {
    for (file, code) in shipped().into_iter().filter(|(file, _)| file != "api/error.rs") {
        let reads = ["details.get(", ".message ==", ".message.contains(", "error.message.starts"];
        let word = reads.iter().find(|word| code.contains(*word));
        assert!(word.is_none(), "{file} reads a sentence: {word:?}");
        let below = SILENT.contains(&part(&file));
        assert!(!below || !code.contains("api::"), "{file} knows what is said");
    }
}
