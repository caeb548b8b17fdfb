//! A wallet's secrets in every form in which a log or a file might show them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bip39::Mnemonic;
use serde_json::json;

use super::Outcome;

/// The mnemonic in the text of `keys.toml`.
pub fn mnemonic(keys: &str) -> Outcome<String> {
    let line = keys.lines().find_map(|line| line.strip_prefix("mnemonic = \""));
    Ok(line.ok_or("no mnemonic")?.trim_end_matches('"').to_owned())
}

/// Every three words that follow one another in a mnemonic.
#[must_use]
pub fn runs(mnemonic: &str) -> Vec<String> {
    let words: Vec<&str> = mnemonic.split_whitespace().collect();
    words.windows(3).map(|three| three.join(" ")).collect()
}

/// A mnemonic and its seed: runs of words, and the seed in hexadecimal, base64 and decimal.
pub fn keys(mnemonic: &str) -> Outcome<Vec<String>> {
    let seed = Mnemonic::parse_normalized(mnemonic)?.to_seed_normalized("");
    let list: Vec<String> = seed.iter().take(8).map(ToString::to_string).collect();
    let mut all = runs(mnemonic);
    all.extend(forms(mnemonic));
    all.extend([
        hex(seed.get(..16).unwrap_or_default()),
        STANDARD.encode(seed),
        URL_SAFE_NO_PAD.encode(seed),
        list.join(", "),
        list.join(","),
    ]);
    Ok(all)
}

/// A text as it is, in hexadecimal, in base64 and as a JSON string.
#[must_use]
pub fn forms(text: &str) -> Vec<String> {
    let escaped = json!(text).to_string();
    vec![
        text.to_owned(),
        hex(text.as_bytes()),
        STANDARD.encode(text),
        URL_SAFE_NO_PAD.encode(text),
        escaped.trim_matches('"').to_owned(),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
