//! Texts from strangers: tokens, invoices, addresses, answers of payees' servers, payment requests.

use nutpurse::testing::mint::token;
use nutpurse::testing::model::invoice::Invoice;
use nutpurse::testing::model::lnurl::{LnurlEndpoint, PayRequest, read_invoice, reason};
use nutpurse::testing::model::money::MAX_SATS;
use nutpurse::testing::model::payee::Payee;

/// Reads a token. Checks that the result is bounded, and that a second read gives the same.
pub fn read_token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(read) = token::read(&text) {
        assert!(
            read.amount > 0 && !read.digest.is_empty() && text.len() <= token::MAX_TOKEN_BYTES + 64
        );
        assert_eq!(token::read(&text).map(|again| again.digest), Ok(read.digest));
    }
    if let Ok(key) = token::read_lock(&text) {
        assert_eq!(key.len(), 66);
    }
}

/// Reads an invoice, then any other form of a payee.
pub fn read_invoice_and_address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(invoice) = Invoice::parse(&text) {
        assert_eq!(
            Invoice::parse(&invoice.text).as_ref(),
            Ok(&invoice),
            "its own text is the same invoice"
        );
        assert!(invoice.amount_sats().is_none_or(|sats| (1..=MAX_SATS).contains(&sats)));
        assert_eq!((invoice.payment_hash.len(), invoice.payee.len()), (64, 66));
        assert!(
            matches!(Payee::recognise(&invoice.text), Payee::Bolt11(_)),
            "an invoice is a payee"
        );
    }
    match Payee::recognise(&text) {
        Payee::LightningAddress(address) => {
            assert_eq!(address.matches('@').count(), 1);
            assert!(
                address.is_ascii() && !address.chars().any(|c| c.is_whitespace() || c.is_control())
            );
        }
        Payee::Lnurl(text) => assert!(text.len() <= bytes.len() * 3),
        _ => {}
    }
}

/// Reads an answer of a payee's server: the first line is the payee, the rest the answer. Checks
/// that the result is consistent.
pub fn read_payee_answers(bytes: &[u8]) {
    let (to, body) =
        bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let body = body.get(1..).unwrap_or_default();
    if let Ok(invoice) = read_invoice(body) {
        assert!(reason(body).is_none() && invoice.payment_hash.len() == 64);
    }
    let Some(Ok(target)) = LnurlEndpoint::of(&Payee::recognise(&String::from_utf8_lossy(to)))
    else {
        return;
    };
    assert!(
        matches!(target.url.scheme(), "http" | "https")
            && target.url.has_host()
            && target.url.username().is_empty()
    );
    let Ok(request) = PayRequest::read(target.clone(), body) else { return };
    assert!(request.min_msat <= request.max_msat && request.metadata.contains("text/plain"));
    assert!(request.nostr_key.is_none_or(|key| key.len() == 64));
    let callback = request.callback;
    assert!(
        callback.scheme() == "https" || target.url.scheme() == "http",
        "plain text is not come down to"
    );
    let same_number = callback.domain().is_some() || callback.host() == target.url.host();
    assert!(
        same_number
            && callback.username().is_empty()
            && callback.port().is_none_or(|port| Some(port) == target.url.port())
    );
}

/// Recognises payment requests: bare, in a URI, and beside an address.
pub fn read_payment_request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for written in [
        format!("creqA{text}"),
        format!("CREQB1{text}"),
        format!("bitcoin:?creq={text}&lno=lno1"),
        text.into_owned(),
    ] {
        if let Payee::PaymentRequest(request) = Payee::recognise(&written) {
            assert!(request.starts_with("creqA") || request.starts_with("creqb1"), "{request}");
            assert_eq!(
                Payee::recognise(&request),
                Payee::PaymentRequest(request.clone()),
                "it is its own text"
            );
        }
    }
}
