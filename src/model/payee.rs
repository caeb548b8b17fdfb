//! Recognises what a caller means by `to`: an invoice, an address, a token or another kind of
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
    /// Recognises a text: in any case where the format allows it, with white space around it, and
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

/// Recognises a `bitcoin:` URI (BIP-21, BIP-321) as what we can pay best of all that it offers: an
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
mod tests {
    use proptest::prelude::*;

    use super::super::invoice::tests::COFFEE;
    use super::*;

    const NPUB: &str = "npub1sn0wdenkukak0d9dfczzeacvhkrgz92ak56egt7vdgzn8pv2wfqqhrjdv9";
    const LNURL: &str = "lnurl1dp68gurn8ghj7um9wfmxjcm99e3k7mf0v9cxj0m385ekvcenxc6r2c35xvukxefcv5mkvv34x5ekzd3ev56nyd3hxqurzepexejxxepnxscrvwfnv9nxzcn9xq6xyefhvgcxxcmyxymnserxfq5fns";
    const TOKEN: &str = "cashuBo2F0gaJhaUgArSaMTR9YJmFwgaNhYQFhc3hA";

    /// Returns the name of the variant that a text is recognised as.
    fn kind_of(text: &str) -> String {
        let shown = format!("{:?}", Payee::recognise(text));
        shown.split('(').next().unwrap_or_default().to_owned()
    }

    #[test]
    fn every_kind_is_recognised() {
        let table = [
            (COFFEE, "Bolt11"),
            ("lnbc1qqqq", "BrokenBolt11"),
            (
                "lno1pqqnyzsmx5cx6umpwssx6atvw35j6ut4v9h8g6t50ysx7enxv4epyrmjw4ehgcm0wfczucm0d5hxzag5qqtzzq3lxgva2qlw2",
                "Bolt12",
            ),
            ("Alice@Example.com", "LightningAddress"),
            ("lightning:alice+tip@sub.example.co", "LightningAddress"),
            ("₿alice@example.com", "LightningAddress"),
            ("bob@127.0.0.1:3338", "LightningAddress"),
            (LNURL, "Lnurl"),
            ("lnurlp://example.com/.well-known/lnurlp/alice", "Lnurl"),
            (
                "https://service.com/giftcard?id=1&lightning=LNURL1DP68GURN8GHJ7UM9WFMXJCM99E3K7MF0V9CXJ0M385E",
                "Lnurl",
            ),
            ("creqApWF0gaNhdGVub3N0cmFheKlucHJvZmlsZTFxeQ", "PaymentRequest"),
            ("CREQB1QYQQSC3HXYUNQDF3XSCRJWF3XYUN2QY", "PaymentRequest"),
            (NPUB, "Npub"),
            (
                "nostr:nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9p",
                "Npub",
            ),
            (TOKEN, "Token"),
            ("https://wallet.example/#token=cashuBo2F0gaJhaUgArSaMTR9YJmFwgaNhYQFhc3hA", "Token"),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "Onchain"),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "Onchain"),
            ("bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?amount=0.1", "Onchain"),
            ("https://example.com", "Unknown"),
            ("alice@localhost@x", "Unknown"),
            ("alice@exämple.com", "Unknown"),
            ("alice@example", "Unknown"),
            ("@example.com", "Unknown"),
            ("Alice <alice@example.com>", "Unknown"),
            ("", "Unknown"),
        ];
        for (text, kind) in table {
            assert_eq!(kind_of(text), kind, "{text}");
            assert_eq!(kind_of(&format!(" {text}\n")), kind, "{text}");
        }
    }

    #[test]
    fn what_has_no_case_is_kept_in_lower_case() {
        assert_eq!(
            Payee::recognise("Alice@Example.COM"),
            Payee::LightningAddress("alice@example.com".into())
        );
        assert_eq!(Payee::recognise(&LNURL.to_uppercase()), Payee::Lnurl(LNURL.into()));
        assert_eq!(
            Payee::recognise(&format!("NOSTR:{}", NPUB.to_uppercase())),
            Payee::Npub(NPUB.into())
        );
        for prefix in ["cashu:", "cashu://", "web+cashu://"] {
            assert_eq!(
                Payee::recognise(&format!("{prefix}{TOKEN}")),
                Payee::Token(Secret::new(TOKEN))
            );
        }
    }

    #[test]
    fn a_bitcoin_address_yields_the_invoice_inside() {
        let upper = COFFEE.to_uppercase();
        for uri in [
            format!("bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?amount=0.0025&lightning={COFFEE}"),
            format!("BITCOIN:?LIGHTNING={upper}"),
            format!("bitcoin:?lno=lno1abc&lightning={COFFEE}&lightning=lnbc1broken"),
        ] {
            let found = Payee::recognise(&uri);
            assert!(matches!(&found, Payee::Bolt11(invoice) if invoice.text == COFFEE), "{uri}");
        }
        assert_eq!(kind_of("bitcoin:?lno=lno1abcdef"), "Bolt12");
        assert_eq!(
            kind_of("bitcoin:bc1q?creq=CREQB1QYQQSC3HXYUNQDF3XSCRJWF3XYUN2QY"),
            "PaymentRequest"
        );
        assert_eq!(kind_of(&format!("bitcoin:?cashu={TOKEN}")), "Onchain");
    }

    #[test]
    fn a_broken_invoice_says_why() {
        assert_eq!(Payee::recognise("lnbc1qqqq"), Payee::BrokenBolt11(InvoiceError::Invalid));
        let long = format!("lnbc1{}", "q".repeat(9_000));
        assert_eq!(Payee::recognise(&long), Payee::BrokenBolt11(InvoiceError::TooLong));
        assert_eq!(Payee::recognise(&"q".repeat(MAX_PAYEE + 1)), Payee::Unknown);
    }

    #[test]
    fn a_token_does_not_print_itself() {
        assert!(!format!("{:?}", Payee::recognise(TOKEN)).contains("o2F0"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), scheme in "(bitcoin:\\??|lightning:/?/?|cashu|lnbc|nostr:|lnurl|₿)?") {
            drop(Payee::recognise(&format!("{scheme}{text}")));
        }

        #[test]
        fn an_address_has_one_at_sign(text in "[a-z0-9.@:-]{0,30}") {
            if let Payee::LightningAddress(address) = Payee::recognise(&text) {
                prop_assert_eq!(address.matches('@').count(), 1);
            }
        }
    }
}
