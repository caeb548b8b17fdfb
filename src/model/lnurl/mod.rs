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
mod tests {
    use proptest::prelude::*;

    use super::*;
    const LUD_01: (&str, &str) = (
        "lnurl1dp68gurn8ghj7um9wfmxjcm99e3k7mf0v9cxj0m385ekvcenxc6r2c35xvukxefcv5mkvv34x5ekzd3ev56nyd3hxqurzepexejxxepnxscrvwfnv9nxzcn9xq6xyefhvgcxxcmyxymnserxfq5fns",
        "https://service.com/api?q=3fc3645b439ce8e7f2553a69e5267081d96dcd340693afabe04be7b0ccd178df",
    );

    fn place(text: &str) -> Option<Result<String, LnurlError>> {
        Some(LnurlEndpoint::of(&Payee::recognise(text))?.map(|target| target.url.to_string()))
    }

    #[test]
    fn every_way_of_writing_a_payee_leads_to_its_server() {
        let onion = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion";
        let table = [
            ("Alice@Example.com", "https://example.com/.well-known/lnurlp/alice".to_owned()),
            (
                "₿alice+tip@example.com",
                "https://example.com/.well-known/lnurlp/alice+tip".to_owned(),
            ),
            ("bob@example.com:8443", "https://example.com:8443/.well-known/lnurlp/bob".to_owned()),
            ("bob@127.0.0.1:3338", "http://127.0.0.1:3338/.well-known/lnurlp/bob".to_owned()),
            ("bob@0x7f.1:3338", "http://127.0.0.1:3338/.well-known/lnurlp/bob".to_owned()),
            ("bob@10.0.0.1", "http://10.0.0.1/.well-known/lnurlp/bob".to_owned()),
            ("bob@10.0.0.1:443", "http://10.0.0.1:443/.well-known/lnurlp/bob".to_owned()),
            ("bob@localhost", "http://localhost/.well-known/lnurlp/bob".to_owned()),
            (&format!("bob@{onion}"), format!("http://{onion}/.well-known/lnurlp/bob")),
            (LUD_01.0, LUD_01.1.to_owned()),
            (&LUD_01.0.to_uppercase(), LUD_01.1.to_owned()),
            (&format!("lightning:{}", LUD_01.0), LUD_01.1.to_owned()),
            (&format!("lnurl:{}", LUD_01.0), LUD_01.1.to_owned()),
            (&format!("https://shop.example/pay?lightning={}", LUD_01.0), LUD_01.1.to_owned()),
            ("lnurlp://example.com/pay?id=7", "https://example.com/pay?id=7".to_owned()),
            ("lnurlp:example.com/Pay", "https://example.com/Pay".to_owned()),
            ("lnurlp://127.0.0.1:9/pay", "http://127.0.0.1:9/pay".to_owned()),
            ("lnurlp:http://127.0.0.1:9/pay", "http://127.0.0.1:9/pay".to_owned()),
            ("lnurlp:https://10.0.0.1/pay", "https://10.0.0.1/pay".to_owned()),
        ];
        for (text, url) in table {
            assert_eq!(place(text), Some(Ok(url)), "{text}");
        }
        assert_eq!(place("lnbc1qqqq"), None);
        assert_eq!(place("https://example.com"), None);
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        let of = |url: &str| encode(url).unwrap_or_default();
        let mut damaged = LUD_01.0.to_owned();
        damaged.replace_range(20..21, "q");
        let texts = [
            damaged,
            "lnurl1qqqqqqqq".to_owned(),
            of("ftp://example.com"),
            of("javascript:alert(1)"),
            of("https://user@example.com/"),
            of("https://example.com\\@evil.example/"),
            of("https://example.com/#x"),
            of("https://exa mple.com/"),
            of("example.com"),
            "lnurlp://".to_owned(),
            "lnurlp://a@b.example/".to_owned(),
            format!("lnurlp://example.com/{}", "a".repeat(MAX_LNURL)),
        ];
        for text in texts {
            let found = place(&text);
            assert!(matches!(found, None | Some(Err(LnurlError::Unreadable))), "{text}: {found:?}");
        }
        assert_eq!(
            place(&of("https://example.com/?tag=login&k1=00")),
            Some(Err(LnurlError::Login))
        );
    }

    #[test]
    fn an_lnurl_longer_than_allowed_is_not_made() {
        let longest = format!("https://example.com/{}", "a".repeat(1_222));
        assert!(encode(&longest).is_some_and(|text| text.len() <= MAX_LNURL));
        assert_eq!(encode(&format!("https://example.com/{}", "a".repeat(1_300))), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(path in "[a-zA-Z0-9/?=&_-]{0,1200}") {
            let url = format!("https://example.com/{path}");
            let Ok(parsed) = Url::parse(&url) else { return Ok(()) };
            let text = encode(parsed.as_str()).unwrap_or_default();
            let read = at_lnurl(&text);
            prop_assert!(read.is_ok_and(|read| read.url == parsed && read.lnurl() == Some(text)));
        }

        #[test]
        fn no_text_panics(text in "(lnurlp:|lnurl:|lnurl1)?.{0,200}") {
            let _ = at_lnurl(&text);
            let _ = at_address(&text);
        }
    }
}
