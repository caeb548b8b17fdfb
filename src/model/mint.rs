//! A mint: its address, whether its money is play money, and how much of it we keep there.
//!
//! Contacts no mint; `mint/` does.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// Kind of a wallet's money. One wallet holds one kind, and `Real` is permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyKind {
    /// Every listed mint is a test mint.
    Play,
    /// At least one mint that is or was listed is real.
    Real,
}

/// The text is not a mint's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a mint: an http or https URL without user, query or fragment")]
pub struct NotAMint;

/// A mint's URL in normalized form: scheme and host in lower case, no default port, no trailing
/// slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MintAddress(String);

impl MintAddress {
    /// Returns the address as text.
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
    /// The mint's address.
    pub address: MintAddress,
    /// `true` if its proofs are play money.
    pub test: bool,
    /// The cap in sats: deposits and tokens that would exceed it are refused. `None` at a test mint
    /// without one.
    pub max_balance_sats: Option<u64>,
}

/// A mint's info (NUT-06), as far as we use it, without what is missing or unreadable. Untrusted
/// text, not cleaned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MintInfo {
    /// The mint's name.
    pub name: Option<String>,
    /// The public key that it announces: compressed, in lower-case hex.
    pub pubkey: Option<String>,
    /// Deposits in sats over Lightning. `None` if not offered.
    pub deposit: Option<MethodInfo>,
    /// Payments in sats over Lightning. `None` if not offered.
    pub pay: Option<MethodInfo>,
    /// The numbers of the supported NUTs, among those that are listed without further settings.
    pub nuts: BTreeSet<u8>,
    /// `true` if it reports over a websocket when an invoice is paid (NUT-17).
    pub notifies: bool,
}

/// A method for money into or out of a mint. `None` fields are not stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodInfo {
    /// The minimum, in sats.
    pub min_sats: Option<u64>,
    /// The maximum, in sats.
    pub max_sats: Option<u64>,
    /// For deposits: `true` if our description goes into the invoice.
    pub description: Option<bool>,
    /// For payments: `true` if invoices without an amount are paid.
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
