//! A mint we know: its address, whether its money is play money, and how much of it we keep there.
//!
//! Says nothing about whether a mint answers; that is for `mint/`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// What a wallet's money is worth: nothing, or what it says. One wallet holds one kind, and `Real`
/// is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyKind {
    /// Every listed mint is a test mint.
    Play,
    /// At least one listed mint was ever a real one.
    Real,
}

/// The text is not a mint's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a mint: an http or https URL without user, query or fragment")]
pub struct NotAMint;

/// A mint's URL in its one written form: scheme and host in lower case, no default port, no
/// trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MintAddress(String);

impl MintAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MintAddress {
    type Err = NotAMint;

    fn from_str(text: &str) -> Result<Self, NotAMint> {
        if text.len() > 2_000 {
            return Err(NotAMint);
        }
        let url = Url::parse(text.trim()).map_err(|_| NotAMint)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if plain { Ok(Self(url.as_str().trim_end_matches('/').to_owned())) } else { Err(NotAMint) }
    }
}

impl fmt::Display for MintAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One `[[mint]]` of `mints.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedMint {
    /// Where it is.
    pub address: MintAddress,
    /// Its coins are play money.
    pub test: bool,
    /// New deposits and tokens that would bring our coins there above this are refused. `None` at a
    /// test mint without one.
    pub max_balance_sats: Option<u64>,
}

/// What a mint says of itself (NUT-06), as far as we use it; what it does not say, or not so that
/// it can be read, is left out. A stranger's words, not cleaned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MintInfo {
    /// Its name.
    pub name: Option<String>,
    /// The public key that it calls its own: compressed, in lower-case hex.
    pub pubkey: Option<String>,
    /// How it takes in sats over Lightning. `None`: it does not offer it.
    pub deposit: Option<MethodInfo>,
    /// How it pays sats over Lightning. `None`: it does not offer it.
    pub pay: Option<MethodInfo>,
    /// The numbers of the NUTs that it says it supports, among those that say no more than that.
    pub nuts: BTreeSet<u8>,
    /// It tells over a websocket when an invoice is paid (NUT-17).
    pub notifies: bool,
}

/// One way in or out of a mint. `None`: it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodInfo {
    /// Least, in sats.
    pub min_sats: Option<u64>,
    /// Most, in sats.
    pub max_sats: Option<u64>,
    /// In: it writes our words into its invoices.
    pub description: Option<bool>,
    /// Out: it pays invoices that name no amount.
    pub amountless: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mint_has_one_address() {
        let forms = [
            "https://Mint.Example.com",
            "https://mint.example.com/",
            "https://mint.example.com:443",
        ];
        let read: Vec<_> = forms.iter().map(|form| form.parse::<MintAddress>()).collect();
        assert!(
            read.iter().all(|one| one
                .as_ref()
                .is_ok_and(|one| one.as_str() == "https://mint.example.com"))
        );
        assert_eq!(
            "https://m.example/Bitcoin/".parse::<MintAddress>().map(|m| m.0),
            Ok("https://m.example/Bitcoin".into())
        );
    }

    #[test]
    fn what_is_no_mint_is_refused() {
        for text in [
            "",
            "mint.example",
            "ftp://m.example",
            "https://u:p@m.example",
            "https://m.example/?q=1",
            "https://m.example/#f",
        ] {
            assert_eq!(text.parse::<MintAddress>(), Err(NotAMint), "{text}");
        }
    }
}
