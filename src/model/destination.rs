//! Destination of a Lightning payment: an invoice, or an address whose server makes one.
//!
//! Contacts nobody.

use super::invoice::{Invoice, InvoiceError};
use super::lnurl::{LnurlEndpoint, LnurlError};
use super::payee::Payee;
use super::text;

/// Destination of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An invoice from the caller.
    Invoice(Box<Invoice>),
    /// A Lightning address or an LNURL, whose server makes the invoice.
    Address {
        /// The server's endpoint.
        target: Box<LnurlEndpoint>,
        /// The address as the caller gave it, short enough to be shown.
        shown: String,
    },
}

/// Reason why a text cannot be paid here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPayable {
    /// An LNURL for signing in.
    #[error("an LNURL for signing in")]
    Login,
    /// An LNURL that cannot be read.
    #[error("an LNURL that cannot be read")]
    BrokenLnurl,
    /// An invoice whose amount is out of range.
    #[error("an invoice whose amount is out of range")]
    Amount,
    /// An invoice that cannot be read.
    #[error("an invoice that cannot be read")]
    BrokenInvoice,
    /// A token: money itself, not a payee.
    #[error("a token")]
    Token,
    /// A payee of a known kind that cannot be paid here.
    #[error("a payee that cannot be paid here")]
    Kind(Payee),
    /// A text of no known kind.
    #[error("not a known kind of payee")]
    Unknown,
}

impl Destination {
    /// Parses `to`.
    ///
    /// # Errors
    /// [`NotPayable`].
    pub fn read(to: &str) -> Result<Self, NotPayable> {
        Self::of(Payee::recognise(to), to)
    }

    /// Returns the destination of a payee; `to` is the text in which it was recognized.
    ///
    /// # Errors
    /// [`NotPayable`].
    pub fn of(payee: Payee, to: &str) -> Result<Self, NotPayable> {
        match LnurlEndpoint::of(&payee) {
            Some(Ok(target)) => {
                let shown = target.address.clone().unwrap_or_else(|| text::clean(to));
                return Ok(Self::Address { target: Box::new(target), shown });
            }
            Some(Err(LnurlError::Login)) => return Err(NotPayable::Login),
            Some(Err(LnurlError::Unreadable)) => return Err(NotPayable::BrokenLnurl),
            None => {}
        }
        match payee {
            Payee::Bolt11(invoice) => Ok(Self::Invoice(invoice)),
            Payee::BrokenBolt11(InvoiceError::Amount) => Err(NotPayable::Amount),
            Payee::BrokenBolt11(_) => Err(NotPayable::BrokenInvoice),
            Payee::Unknown => Err(NotPayable::Unknown),
            Payee::Token(_) => Err(NotPayable::Token),
            other => Err(NotPayable::Kind(other)),
        }
    }

    /// Returns what tells one payment from another: the invoice's hash, or the server's URL.
    pub fn name(&self) -> &str {
        match self {
            Self::Invoice(invoice) => &invoice.payment_hash,
            Self::Address { target, .. } => target.url.as_str(),
        }
    }

    /// Returns the payee for the detection of duplicates.
    pub fn payee(&self) -> &str {
        match self {
            Self::Invoice(invoice) => &invoice.payee,
            Self::Address { target, .. } => target.url.as_str(),
        }
    }

    /// Returns the invoice, if one was given.
    pub fn invoice(&self) -> Option<&Invoice> {
        match self {
            Self::Invoice(invoice) => Some(invoice),
            Self::Address { .. } => None,
        }
    }

    /// Returns the payee as the caller gave it. `None` for an invoice.
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Invoice(_) => None,
            Self::Address { shown, .. } => Some(shown.clone()),
        }
    }
}
