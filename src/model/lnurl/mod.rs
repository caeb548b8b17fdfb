//! Lightning addresses (LUD-16) and LNURL-pay (LUD-01, LUD-06, LUD-17): the endpoint of a payee's
//! server, and the meaning of its answers.
//!
//! Contacts nobody and never decides to pay. Answers are untrusted: their required fields are
//! checked, and optional ones are ignored if they cannot be read.

mod answer;
mod callback;

use bech32::{Checksum, Hrp};
use url::{Host, Url};

use super::invoice::without_prefix;
use super::payee::Payee;

pub use answer::{AnswerError, Misfit, OtherTag, PayRequest, ZapNote, read_invoice, reason};

/// Maximum length of an LNURL, in bech32 or plain, in bytes.
pub const MAX_LNURL: usize = 2_000;

/// bech32 as LNURL uses it: with bech32's checksum, and longer than bech32 allows.
enum Lnurl {}

impl Checksum for Lnurl {
    type MidstateRepr = u32;
    const CODE_LENGTH: usize = MAX_LNURL;
    const CHECKSUM_LENGTH: usize = <bech32::Bech32 as Checksum>::CHECKSUM_LENGTH;
    const GENERATOR_SH: [u32; 5] = <bech32::Bech32 as Checksum>::GENERATOR_SH;
    const TARGET_RESIDUE: u32 = <bech32::Bech32 as Checksum>::TARGET_RESIDUE;
}

/// Endpoint of a payee's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LnurlEndpoint {
    /// The URL of the first request. A payee has one, however it was written.
    pub url: Url,
    /// `name@host` in lower case. `None` for an LNURL.
    pub address: Option<String>,
}

/// Reason why a text leads to no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LnurlError {
    /// The checksum is wrong, or the content is not a web address that we would request.
    #[error("not an LNURL that can be read")]
    Unreadable,
    /// It is for signing in somewhere (LUD-04).
    #[error("an LNURL for signing in, not for paying")]
    Login,
}

impl LnurlEndpoint {
    /// Returns the endpoint of a Lightning address or an LNURL. `None` for every other payee.
    ///
    /// An IP address, `localhost` and an onion service have no certificate that anyone could check,
    /// so they are requested in plain text; the rules of `net` decide whether they may be
    /// requested.
    ///
    /// # Errors
    /// [`LnurlError`].
    pub fn of(payee: &Payee) -> Option<Result<Self, LnurlError>> {
        match payee {
            Payee::LightningAddress(address) => Some(at_address(address)),
            Payee::Lnurl(text) => Some(at_lnurl(text)),
            _ => None,
        }
    }

    /// Returns the endpoint as an LNURL, `lnurl1...`, as zaps name it. `None` if it is too long.
    pub fn lnurl(&self) -> Option<String> {
        encode(self.url.as_str())
    }
}

/// Encodes a web address as an LNURL in lower case (LUD-01). `None` above [`MAX_LNURL`].
pub fn encode(url: &str) -> Option<String> {
    let hrp = Hrp::parse("lnurl").ok()?;
    bech32::encode_lower::<Lnurl>(hrp, url.as_bytes()).ok()
}

fn at_address(address: &str) -> Result<LnurlEndpoint, LnurlError> {
    let (name, place) = address.split_once('@').ok_or(LnurlError::Unreadable)?;
    let url = of_host(&format!("{place}/.well-known/lnurlp/{name}"))?;
    Ok(LnurlEndpoint { url, address: Some(address.to_owned()) })
}

fn at_lnurl(text: &str) -> Result<LnurlEndpoint, LnurlError> {
    let mut bare = text;
    for scheme in ["lnurlp:", "lnurl:"] {
        bare = without_prefix(bare, scheme);
    }
    let is_url = |text: &str| {
        ["http://", "https://"].iter().any(|scheme| text.to_ascii_lowercase().starts_with(scheme))
    };
    let url = if bare.to_ascii_lowercase().starts_with("lnurl1") {
        web(&decode(bare)?)?
    } else if is_url(bare) {
        web(bare)?
    } else {
        of_host(bare)?
    };
    if url.query_pairs().any(|(key, value)| key == "tag" && value == "login") {
        return Err(LnurlError::Login);
    }
    Ok(LnurlEndpoint { url, address: None })
}

fn decode(text: &str) -> Result<String, LnurlError> {
    let read = bech32::primitives::decode::CheckedHrpstring::new::<Lnurl>(text)
        .map_err(|_| LnurlError::Unreadable)?;
    if !read.hrp().as_str().eq_ignore_ascii_case("lnurl") {
        return Err(LnurlError::Unreadable);
    }
    String::from_utf8(read.byte_iter().collect()).map_err(|_| LnurlError::Unreadable)
}

/// Parses an address that is written without its scheme.
fn of_host(rest: &str) -> Result<Url, LnurlError> {
    let url = web(&format!("https://{rest}"))?;
    if is_without_certificate(&url) { web(&format!("http://{rest}")) } else { Ok(url) }
}

fn is_without_certificate(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost" || name.ends_with(".localhost") || name.ends_with(".onion")
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

/// Parses a web address, and refuses one that two readers could read differently.
fn web(text: &str) -> Result<Url, LnurlError> {
    let is_odd = |letter: char| letter == '\\' || letter.is_whitespace() || letter.is_control();
    if text.len() > MAX_LNURL || text.contains(is_odd) {
        return Err(LnurlError::Unreadable);
    }
    let url = Url::parse(text).map_err(|_| LnurlError::Unreadable)?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && url.has_host();
    let is_web = matches!(url.scheme(), "http" | "https");
    if is_plain && is_web { Ok(url) } else { Err(LnurlError::Unreadable) }
}

#[cfg(test)]
mod tests;
