//! What a caller means by `to`, as far as it can be paid: an invoice, or an address whose server
//! makes one.
//!
//! Asks nobody.

use super::code::Code;
use super::error::Error;
use super::rules::Setup;
use crate::model::invoice::{Invoice, InvoiceError, Network};
use crate::model::lnurl::{Target, TargetError};
use crate::model::mint::MoneyKind;
use crate::model::payee::Payee;
use crate::model::text;

/// Who can be paid.
#[derive(Clone, Debug)]
pub(super) enum Payable {
    /// An invoice, given to us.
    Invoice(Box<Invoice>),
    /// A Lightning address or an LNURL: its server makes the invoice.
    Address {
        /// Where the server is.
        target: Box<Target>,
        /// As the caller gave it, short enough to be shown.
        shown: String,
    },
}

impl Payable {
    /// Reads `to`, or says why it cannot be paid here.
    pub(super) fn read(to: &str) -> Result<Self, Error> {
        let payee = Payee::recognise(to);
        match Target::of(&payee) {
            Some(Ok(target)) => {
                let shown = target.address.clone().unwrap_or_else(|| text::clean(to));
                return Ok(Self::Address { target: Box::new(target), shown });
            }
            Some(Err(TargetError::Login)) => {
                return Err(unsupported(
                    "That LNURL is for signing in, not for paying.",
                    "lnurl_login",
                ));
            }
            Some(Err(TargetError::Unreadable)) => {
                return Err(Error::invalid("to", "to is not an LNURL that can be read."));
            }
            None => {}
        }
        match payee {
            Payee::Bolt11(invoice) => Ok(Self::Invoice(invoice)),
            Payee::BrokenBolt11(InvoiceError::Amount) => {
                Err(Error::new(Code::AmountOutOfRange, "The invoice's amount is out of range."))
            }
            Payee::BrokenBolt11(_) => {
                Err(Error::invalid("to", "to is not a Lightning invoice that can be read."))
            }
            Payee::Unknown => Err(Error::invalid(
                "to",
                "to is neither a Lightning invoice nor an address that can be read.",
            )),
            Payee::Token(_) => {
                Err(unsupported("That is a Cashu token: money, not a payee.", "token")
                    .next("Use receive_token to take the token in."))
            }
            other => Err(unsupported(
                "This kind of payee cannot be paid by this wallet yet.",
                other.kind(),
            )),
        }
    }

    /// What the payee gets, in whole sats; a part of a sat is rounded up.
    pub(super) fn amount_sats(&self, given: Option<u64>) -> Result<u64, Error> {
        match self {
            Self::Invoice(invoice) => amount_sats(invoice, given),
            Self::Address { .. } => given.ok_or_else(amount_missing),
        }
    }

    /// What tells one payment from another: the invoice's hash, or the server that is paid.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Invoice(invoice) => &invoice.payment_hash,
            Self::Address { target, .. } => target.url.as_str(),
        }
    }

    /// Whom it is for, as duplicates are judged.
    pub(super) fn payee(&self) -> &str {
        match self {
            Self::Invoice(invoice) => &invoice.payee,
            Self::Address { target, .. } => target.url.as_str(),
        }
    }

    /// The invoice, if one was given.
    pub(super) fn invoice(&self) -> Option<&Invoice> {
        match self {
            Self::Invoice(invoice) => Some(invoice),
            Self::Address { .. } => None,
        }
    }

    /// The payee as the caller gave it, where that is an address.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Self::Invoice(_) => None,
            Self::Address { shown, .. } => Some(shown.clone()),
        }
    }
}

fn unsupported(message: &str, kind: &str) -> Error {
    Error::new(Code::PayeeUnsupported, message).with("kind", kind)
}

/// No amount was given where the payee names none.
pub(super) fn amount_missing() -> Error {
    Error::new(Code::AmountMissing, "An address names no amount.")
}

/// What an invoice's payee gets, in whole sats.
pub(super) fn amount_sats(invoice: &Invoice, given: Option<u64>) -> Result<u64, Error> {
    match (invoice.amount_sats(), given) {
        (Some(named), Some(given)) if named != given => Err(Error::new(
            Code::AmountMismatch,
            format!("The invoice is for {named} sats, not for {given}."),
        )
        .with("invoice_sats", named)
        .with("asked_sats", given)),
        (Some(named), _) => Ok(named),
        (None, Some(given)) => Ok(given),
        (None, None) => Err(Error::new(Code::AmountMissing, "The invoice names no amount.")),
    }
}

/// What stands against paying an invoice, whoever pays.
pub(super) fn check(setup: &Setup, invoice: &Invoice, now: u64) -> Result<(), Error> {
    if setup.money == MoneyKind::Real && invoice.network != Network::Bitcoin {
        return Err(Error::new(
            Code::WrongNetwork,
            "The invoice is of a test network; this wallet holds real money.",
        ));
    }
    if invoice.is_expired(now) {
        return Err(Error::new(Code::InvoiceExpired, "The invoice has run out."));
    }
    Ok(())
}
