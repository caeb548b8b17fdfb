//! Who can be paid over Lightning: an invoice, or an address whose server makes one.
//!
//! Asks nobody.

use super::invoice::{Invoice, InvoiceError};
use super::lnurl::{LnurlEndpoint, LnurlError};
use super::payee::Payee;
use super::text;

/// Where a payment goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An invoice, given to us.
    Invoice(Box<Invoice>),
    /// A Lightning address or an LNURL: its server makes the invoice.
    Address {
        /// Where the server is.
        target: Box<LnurlEndpoint>,
        /// As the caller gave it, short enough to be shown.
        shown: String,
    },
}

/// Why a text names nobody who can be paid here.
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
    /// A token: money, and nobody to pay.
    #[error("a token")]
    Token,
    /// A payee of a kind that is known, and not payable here.
    #[error("a payee of another kind")]
    Kind(Payee),
    /// Nothing that is known.
    #[error("nothing that is known")]
    Unknown,
}

impl Destination {
    /// Reads `to`.
    ///
    /// # Errors
    /// [`NotPayable`].
    pub fn read(to: &str) -> Result<Self, NotPayable> {
        Self::of(Payee::recognise(to), to)
    }

    /// The destination that a payee is; `to` is the text it was recognised in.
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

    /// What tells one payment from another: the invoice's hash, or the server that is paid.
    pub fn name(&self) -> &str {
        match self {
            Self::Invoice(invoice) => &invoice.payment_hash,
            Self::Address { target, .. } => target.url.as_str(),
        }
    }

    /// Whom it is for, as duplicates are judged.
    pub fn payee(&self) -> &str {
        match self {
            Self::Invoice(invoice) => &invoice.payee,
            Self::Address { target, .. } => target.url.as_str(),
        }
    }

    /// The invoice, if one was given.
    pub fn invoice(&self) -> Option<&Invoice> {
        match self {
            Self::Invoice(invoice) => Some(invoice),
            Self::Address { .. } => None,
        }
    }

    /// The payee as the caller gave it, where that is an address.
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Invoice(_) => None,
            Self::Address { shown, .. } => Some(shown.clone()),
        }
    }
}
