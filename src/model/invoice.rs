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
pub(super) mod tests;
