//! A BOLT11 invoice, reduced to what is needed to pay it.
//!
//! Checks the signature, so that only what the payee signed is used. Never reads the clock: the
//! caller checks the expiry with its own `now`.

use std::str::FromStr;

use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef, Currency};

use super::money::{MAX_SATS, sats_owed};

/// Maximum length of a text, in bytes. Invoices with many route hints stay far below.
pub const MAX_INVOICE: usize = 8 * 1024;

/// Reason why a text cannot be paid as an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// Longer than [`MAX_INVOICE`].
    #[error("the invoice is longer than {MAX_INVOICE} bytes")]
    TooLong,
    /// Not an invoice, damaged, or signed by someone else.
    #[error("not a valid BOLT11 invoice")]
    Invalid,
    /// The amount is zero, or above all the bitcoin there is.
    #[error("the invoice's amount is out of range")]
    Amount,
}

/// The chain on which an invoice is paid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BitcoinNetwork {
    /// Bitcoin itself: `lnbc`.
    Bitcoin,
    /// A test network, by what follows `ln`: `tb`, `bcrt`, `tbs`, `sb`.
    Other(String),
}

/// An invoice with a valid signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The invoice in lower case, without a prefix.
    pub text: String,
    /// The hash of the preimage, lower-case hex.
    pub payment_hash: String,
    /// The amount in thousandths of a sat, from 1 to [`MAX_SATS`] * 1000. `None` if the payer
    /// chooses.
    pub amount_msat: Option<u64>,
    /// Unix seconds of the expiry; `u64::MAX` if the invoice's own sum does not fit.
    pub expires_at: u64,
    /// The payee's node key, lower-case hex.
    pub payee: String,
    /// The chain.
    pub network: BitcoinNetwork,
    /// The payee's description. Untrusted raw text: clean it before showing.
    pub description: Option<String>,
    /// SHA-256 of a description that is kept elsewhere, lower-case hex.
    pub description_hash: Option<String>,
}

impl Invoice {
    /// Parses an invoice in any case, with white space around it and with or without `lightning:`
    /// or `lightning://`.
    ///
    /// # Errors
    /// [`InvoiceError`]. Never panics.
    pub fn parse(text: &str) -> Result<Self, InvoiceError> {
        let bare = without_prefix(text.trim(), "lightning:");
        if bare.len() > MAX_INVOICE {
            return Err(InvoiceError::TooLong);
        }
        let lower = bare.to_ascii_lowercase();
        let invoice = Bolt11Invoice::from_str(&lower).map_err(|_| InvoiceError::Invalid)?;
        let (description, description_hash) = match invoice.description() {
            Bolt11InvoiceDescriptionRef::Direct(words) => {
                (Some(words.as_inner().0.clone()).filter(|words| !words.is_empty()), None)
            }
            Bolt11InvoiceDescriptionRef::Hash(hash) => (None, Some(hash.0.to_string())),
        };
        Ok(Self {
            payment_hash: invoice.payment_hash().to_string(),
            amount_msat: in_range(invoice.amount_milli_satoshis())?,
            expires_at: invoice
                .duration_since_epoch()
                .as_secs()
                .saturating_add(invoice.expiry_time().as_secs()),
            payee: invoice.get_payee_pub_key().to_string(),
            network: network(&invoice.currency()),
            description,
            description_hash,
            text: lower,
        })
    }

    /// Returns the amount in whole sats, rounded up. `None` if the payer chooses.
    pub fn amount_sats(&self) -> Option<u64> {
        self.amount_msat.map(sats_owed)
    }

    /// Returns whether it has expired at `now`, in Unix seconds.
    pub fn is_expired(&self, now: u64) -> bool {
        now >= self.expires_at
    }
}

/// Returns `text` without `scheme` (in any case) and the two slashes that some write after it.
pub(super) fn without_prefix<'a>(text: &'a str, scheme: &str) -> &'a str {
    match text.split_at_checked(scheme.len()) {
        Some((head, rest)) if head.eq_ignore_ascii_case(scheme) => {
            rest.strip_prefix("//").unwrap_or(rest)
        }
        _ => text,
    }
}

fn in_range(amount_msat: Option<u64>) -> Result<Option<u64>, InvoiceError> {
    match amount_msat {
        None => Ok(None),
        Some(msat) if msat > 0 && sats_owed(msat) <= MAX_SATS => Ok(Some(msat)),
        Some(_) => Err(InvoiceError::Amount),
    }
}

fn network(currency: &Currency) -> BitcoinNetwork {
    match currency {
        Currency::Bitcoin => BitcoinNetwork::Bitcoin,
        Currency::BitcoinTestnet => BitcoinNetwork::Other("tb".to_owned()),
        Currency::Regtest => BitcoinNetwork::Other("bcrt".to_owned()),
        Currency::Simnet => BitcoinNetwork::Other("sb".to_owned()),
        Currency::Signet => BitcoinNetwork::Other("tbs".to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
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
        assert_eq!(
            coffee.payee,
            "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad"
        );
        assert_eq!(
            (coffee.expires_at, coffee.network),
            (1_496_314_658 + 60, BitcoinNetwork::Bitcoin)
        );
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
        for text in ["", "lnbc", "lightning:", "lnbc1", "lno1abc", damaged.as_str(), "ĳlightning"]
        {
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
}
