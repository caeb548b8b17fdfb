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
        ("₿alice+tip@example.com", "https://example.com/.well-known/lnurlp/alice+tip".to_owned()),
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
    assert_eq!(place(&of("https://example.com/?tag=login&k1=00")), Some(Err(LnurlError::Login)));
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
