use proptest::prelude::*;

use super::super::invoice::tests::COFFEE;
use super::*;

const NPUB: &str = "npub1sn0wdenkukak0d9dfczzeacvhkrgz92ak56egt7vdgzn8pv2wfqqhrjdv9";
const LNURL: &str = "lnurl1dp68gurn8ghj7um9wfmxjcm99e3k7mf0v9cxj0m385ekvcenxc6r2c35xvukxefcv5mkvv34x5ekzd3ev56nyd3hxqurzepexejxxepnxscrvwfnv9nxzcn9xq6xyefhvgcxxcmyxymnserxfq5fns";
const TOKEN: &str = "cashuBo2F0gaJhaUgArSaMTR9YJmFwgaNhYQFhc3hA";

/// Returns the name of the variant that a text is recognized as.
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
        assert_eq!(Payee::recognise(&format!("{prefix}{TOKEN}")), Payee::Token(Secret::new(TOKEN)));
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
