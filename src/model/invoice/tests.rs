use proptest::prelude::*;

use super::*;

/// From the examples of BOLT11: 2,500 micro-bitcoin for "1 cup coffee", expires after a minute.
pub(in crate::model) const COFFEE: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";
/// From the examples of BOLT11: no amount.
const DONATION: &str = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql";
/// From the examples of BOLT11: a hash of the description, on a test network.
const TESTNET: &str = "lntb20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfpp3x9et2e20v6pu37c5d9vax37wxq72un989qrsgqdj545axuxtnfemtpwkc45hx9d2ft7x04mt8q7y6t0k2dge9e7h8kpy9p34ytyslj3yu569aalz2xdk8xkd7ltxqld94u8h2esmsmacgpghe9k8";

#[test]
fn an_invoice_reads_as_its_payee_meant_it() -> Result<(), InvoiceError> {
    let coffee = Invoice::parse(COFFEE)?;
    assert_eq!(coffee.text, COFFEE);
    assert_eq!(
        coffee.payment_hash,
        "0001020304050607080900010203040506070809000102030405060708090102"
    );
    assert_eq!(coffee.amount_sats(), Some(250_000));
    assert_eq!(coffee.payee, "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad");
    assert_eq!((coffee.expires_at, coffee.network), (1_496_314_658 + 60, BitcoinNetwork::Bitcoin));
    assert_eq!(coffee.description.as_deref(), Some("1 cup coffee"));
    assert_eq!(coffee.description_hash, None);
    Ok(())
}

#[test]
fn amount_and_description_may_be_missing() -> Result<(), InvoiceError> {
    let donation = Invoice::parse(DONATION)?;
    assert_eq!((donation.amount_sats(), donation.expires_at), (None, 1_496_314_658 + 3600));
    let test = Invoice::parse(TESTNET)?;
    assert_eq!((test.network, test.description), (BitcoinNetwork::Other("tb".into()), None));
    assert_eq!(
        test.description_hash.as_deref(),
        Some("3925b6f67e2c340036ed12093dd44e0368df1b6ea26c53dbe4811f58fd5db8c1")
    );
    Ok(())
}

#[test]
fn every_way_of_writing_it_is_the_same_invoice() {
    let upper = COFFEE.to_uppercase();
    for prefix in ["", "lightning:", "LIGHTNING:", "Lightning://", "  \n"] {
        for text in [COFFEE, upper.as_str()] {
            let read = Invoice::parse(&format!("{prefix}{text}\n "));
            assert!(read.is_ok_and(|read| read.text == COFFEE), "{prefix}");
        }
    }
}

#[test]
fn a_part_of_a_sat_counts_as_one() -> Result<(), InvoiceError> {
    let mut coffee = Invoice::parse(COFFEE)?;
    coffee.amount_msat = Some(1_001);
    assert_eq!(coffee.amount_sats(), Some(2));
    assert!(coffee.is_expired(coffee.expires_at) && !coffee.is_expired(coffee.expires_at - 1));
    Ok(())
}

#[test]
fn nobody_is_owed_nothing_or_more_than_there_is() {
    for msat in [None, Some(1), Some(MAX_SATS * 1000)] {
        assert_eq!(in_range(msat), Ok(msat));
    }
    for msat in [0, MAX_SATS * 1000 + 1, u64::MAX] {
        assert_eq!(in_range(Some(msat)), Err(InvoiceError::Amount));
    }
}

#[test]
fn what_is_no_invoice_is_refused() {
    let mut damaged = COFFEE.to_owned();
    damaged.replace_range(60..61, "q");
    for text in ["", "lnbc", "lightning:", "lnbc1", "lno1abc", damaged.as_str(), "ĳlightning"] {
        assert_eq!(Invoice::parse(text), Err(InvoiceError::Invalid), "{text}");
    }
    assert_eq!(Invoice::parse(&"l".repeat(MAX_INVOICE + 1)), Err(InvoiceError::TooLong));
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Invoice::parse(&text);
    }

    #[test]
    fn a_changed_letter_is_noticed(at in 10_usize..COFFEE.len(), letter in "[ac-hj-np-z02-9]") {
        let mut changed = COFFEE.to_owned();
        changed.replace_range(at..=at, &letter);
        prop_assert!(changed == COFFEE || Invoice::parse(&changed).is_err());
    }
}
