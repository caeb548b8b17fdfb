//! Recognizes what a caller means by `to`: an invoice, an address, a token or another kind of
//! payee.
//!
//! Contacts nobody, resolves nothing, and checks no more of a text than its kind needs. Callers
//! decide whether that kind can be paid.

use url::form_urlencoded;

use super::invoice::{Invoice, InvoiceError, without_prefix};
use super::secret::Secret;

/// Maximum length of a text, in bytes. Only a token may be this long.
pub const MAX_PAYEE: usize = 256 * 1024;

/// Kind of a `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payee {
    /// A Lightning invoice with a valid signature.
    Bolt11(Box<Invoice>),
    /// A text that begins like a Lightning invoice and cannot be read as one.
    BrokenBolt11(InvoiceError),
    /// A BOLT12 offer, invoice or invoice request.
    Bolt12,
    /// `name@host` or `name@host:port`, in lower case. A Nostr address (NIP-05) looks the same.
    LightningAddress(String),
    /// An LNURL: `lnurl1...` in lower case, or an `lnurlp:` address as it was given.
    Lnurl(String),
    /// A Cashu payment request (NUT-18 `creqA`, NUT-26 `creqb1`, the latter in lower case).
    PaymentRequest(String),
    /// A Nostr key: `npub1...` or `nprofile1...`, in lower case.
    Npub(String),
    /// A Cashu token: money itself, not a payee.
    Token(Secret),
    /// A Bitcoin address, or a `bitcoin:` URI that offers nothing better.
    Onchain,
    /// None of these.
    Unknown,
}

impl Payee {
    /// Recognizes a text: in any case where the format allows it, with white space around it, and
    /// with the prefixes `lightning:`, `cashu:`, `nostr:`, `bitcoin:`, with or without two slashes.
    /// Never fails and never panics.
    pub fn recognise(text: &str) -> Self {
        let text = text.trim();
        if text.len() > MAX_PAYEE {
            return Self::Unknown;
        }
        match within_uri(text, "bitcoin:") {
            Some(uri) => unified(uri),
            None => bare(text),
        }
    }
}

/// Returns what follows `scheme`, if `text` begins with it.
fn within_uri<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let rest = without_prefix(text, scheme);
    (rest.len() < text.len()).then_some(rest)
}

/// Recognizes a `bitcoin:` URI (BIP-21, BIP-321) as what we can pay best of all that it offers: an
/// invoice, if there is one.
fn unified(uri: &str) -> Payee {
    let query =
        uri.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    let mut best = Payee::Onchain;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let key = key.to_ascii_lowercase();
        let key = key.strip_prefix("req-").unwrap_or(&key);
        if matches!(key, "lightning" | "lno" | "creq" | "cashu") {
            let found = bare(value.trim());
            if rank(&found) > rank(&best) {
                best = found;
            }
        }
    }
    best
}

fn rank(payee: &Payee) -> u8 {
    match payee {
        Payee::Bolt11(_) => 6,
        Payee::PaymentRequest(_) => 5,
        Payee::Lnurl(_) | Payee::LightningAddress(_) => 4,
        Payee::Bolt12 => 3,
        Payee::BrokenBolt11(_) => 2,
        Payee::Onchain => 1,
        Payee::Npub(_) | Payee::Token(_) | Payee::Unknown => 0,
    }
}

fn bare(text: &str) -> Payee {
    let mut bare = text;
    for scheme in ["lightning:", "web+cashu:", "cashu:", "web+nostr:", "nostr:"] {
        bare = without_prefix(bare, scheme);
    }
    if let Some(token) = token(bare) {
        return Payee::Token(Secret::new(token));
    }
    if bare.starts_with("creqA") && bare.len() > 10 {
        return Payee::PaymentRequest(bare.to_owned());
    }
    if bare.len() > 2 * super::invoice::MAX_INVOICE {
        return Payee::Unknown;
    }
    let lower = bare.to_ascii_lowercase();
    if lower.starts_with("lnurl1") && is_bech32(&lower) {
        Payee::Lnurl(lower)
    } else if ["lnurlp:", "lnurl:"].iter().any(|scheme| lower.starts_with(scheme)) {
        Payee::Lnurl(bare.to_owned())
    } else if ["lno1", "lnr1", "lni1"].iter().any(|head| lower.starts_with(head)) {
        Payee::Bolt12
    } else if is_like_invoice(&lower) {
        Invoice::parse(&lower)
            .map_or_else(Payee::BrokenBolt11, |invoice| Payee::Bolt11(Box::new(invoice)))
    } else if lower.starts_with("creqb1") && is_bech32(&lower) {
        Payee::PaymentRequest(lower)
    } else if ["npub1", "nprofile1"].iter().any(|head| lower.starts_with(head)) && is_bech32(&lower)
    {
        Payee::Npub(lower)
    } else if let Some(address) = address(&lower) {
        Payee::LightningAddress(address)
    } else if let Some(lnurl) = web_fallback(bare) {
        Payee::Lnurl(lnurl)
    } else if is_onchain(bare, &lower) {
        Payee::Onchain
    } else {
        Payee::Unknown
    }
}

/// Finds a token: the whole text, or the end of a wallet's link (`#token=`, `?token=`,
/// `#cashuB...`).
fn token(text: &str) -> Option<&str> {
    let inner = match text.split_once("://") {
        Some(_) => text.rsplit(['#', '=', '/']).find(|part| part.starts_with("cashu"))?,
        None => text,
    };
    let body = inner.strip_prefix("cashuA").or_else(|| inner.strip_prefix("cashuB"))?;
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=');
    (body.len() > 10 && body.bytes().all(fits)).then_some(inner)
}

/// Finds the `lightning=lnurl1...` in a link to a web page (LUD-01), in lower case.
fn web_fallback(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (_, query) = rest.split_once('?')?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (_, value) = form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case("lightning"))?;
    let lower = value.to_ascii_lowercase();
    (lower.starts_with("lnurl1") && is_bech32(&lower)).then_some(lower)
}

fn is_like_invoice(lower: &str) -> bool {
    ["lnbc", "lntb", "lnsb"].iter().any(|head| lower.starts_with(head))
        && lower.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns whether the form fits: a human-readable part, `1`, and at least six characters of the
/// alphabet. Does not check the checksum.
fn is_bech32(lower: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'0' | b'2'..=b'9' | b'a' | b'c'..=b'h' | b'j'..=b'n' | b'p'..=b'z');
    lower.split_once('1').is_some_and(|(_, data)| data.len() >= 6 && data.bytes().all(fits))
}

/// Reads `name@host[:port]` (LUD-16), with or without the prefix of BIP-353.
fn address(lower: &str) -> Option<String> {
    let bare = lower.strip_prefix('₿').unwrap_or(lower);
    let (name, place) = bare.split_once('@')?;
    let (host, port) =
        place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
    let named = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+'));
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let placed = host.len() <= 253
        && host.split('.').all(label)
        && (host.contains('.') || port.is_some() || host == "localhost");
    let reachable = port.is_none_or(|port| {
        port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+')
    });
    (named && placed && reachable).then(|| bare.to_owned())
}

/// Returns whether the form fits a base58 address, or a bech32 address of any chain.
fn is_onchain(text: &str, lower: &str) -> bool {
    let segwit = ["bc1", "tb1", "bcrt1"].iter().any(|head| lower.starts_with(head))
        && (14..=90).contains(&lower.len())
        && is_bech32(lower);
    let base58 = text.starts_with(['1', '3', 'm', 'n', '2'])
        && (26..=35).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l'));
    segwit || base58
}

#[cfg(test)]
mod tests;
