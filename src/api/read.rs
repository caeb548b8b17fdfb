//! Reads requests into the wallet's types. An error names the parameter and never its value.

use std::str::FromStr;

use super::code::Code;
use super::error::Error;
use super::words;
use crate::model::destination::{Destination, NotPayable};
use crate::model::id::{DepositId, PaymentId, ReceiveId};
use crate::model::mint::MintAddress;
use crate::model::money::Sats;
use crate::wallet::{
    Cursor, IncomingToken, LockKey, Lookup, NotARecipient, Recipient, TokenError, read_recipient,
};

/// Reads the payee.
pub(super) fn destination(to: &str) -> Result<Destination, Error> {
    Destination::read(to).map_err(not_payable)
}

/// Explains why a text is not a payee.
pub(super) fn not_payable(why: NotPayable) -> Error {
    let unsupported =
        |message: &str, kind: &str| Error::new(Code::PayeeUnsupported, message).with("kind", kind);
    match why {
        NotPayable::Login => {
            unsupported("That LNURL is for signing in, not for payments.", "lnurl_login")
        }
        NotPayable::BrokenLnurl => Error::invalid("to", "to is not a readable LNURL."),
        NotPayable::Amount => {
            Error::new(Code::AmountOutOfRange, "The invoice's amount is out of range.")
        }
        NotPayable::BrokenInvoice => {
            Error::invalid("to", "to is not a readable Lightning invoice.")
        }
        NotPayable::Unknown => {
            Error::invalid("to", "to is neither a readable Lightning invoice nor an address.")
        }
        NotPayable::Token => unsupported("That is a Cashu token: money, not a payee.", "token")
            .next("Use receive_token to redeem the token."),
        NotPayable::Kind(payee) => unsupported(
            "This wallet cannot pay this kind of payee yet.",
            words::PayeeKind::from(&payee).into(),
        ),
    }
}

/// Reads a number of sats, from 1 to 21 million bitcoin.
pub(super) fn sats(field: &str, sats: u64) -> Result<Sats, Error> {
    Sats::new(sats).ok_or_else(|| Error::invalid(field, format!("{field} is out of range.")))
}

/// Reads a number of sats that may be left out.
pub(super) fn some_sats(field: &str, sats: Option<u64>) -> Result<Option<Sats>, Error> {
    sats.map(|number| self::sats(field, number)).transpose()
}

/// Reads the address of a mint.
pub(super) fn mint(text: Option<&str>) -> Result<Option<MintAddress>, Error> {
    parsed(text, "mint", "mint is not the address of a mint.")
}

/// Reads the payment to repeat on purpose.
pub(super) fn repeat_of(text: Option<&str>) -> Result<Option<PaymentId>, Error> {
    parsed(text, "repeat_of", "repeat_of is not a payment_id.")
}

/// Reads the key that a token is locked to.
pub(super) fn lock_key(text: Option<&str>) -> Result<Option<LockKey>, Error> {
    let message = "lock_to is neither a public key of 66 hex characters nor an npub.";
    parsed(text, "lock_to", message)
}

fn parsed<T: FromStr>(text: Option<&str>, field: &str, message: &str) -> Result<Option<T>, Error> {
    text.map(str::parse).transpose().map_err(|_| Error::invalid(field, message))
}

/// Reads a token.
pub(super) fn token(text: &str) -> Result<IncomingToken, Error> {
    IncomingToken::read(text).map_err(|error| {
        let message = match error {
            TokenError::Unreadable => "Not a readable Cashu token.",
            TokenError::Empty => "The token contains no coins.",
            TokenError::TooLarge => "The token is too large for one swap.",
            TokenError::Repeats => "The token contains a coin twice.",
            TokenError::Mint => "The token does not name one mint.",
        };
        Error::new(Code::TokenInvalid, message)
    })
}

/// Reads the id of a payment.
pub(super) fn payment_id(text: &str) -> Result<PaymentId, Error> {
    if text.starts_with(DepositId::PREFIX) {
        return Err(Error::new(Code::NotFound, "No payment of this agent has that id.")
            .next("That is a deposit: call get_deposit with it."));
    }
    text.parse().map_err(|_| Error::invalid("payment_id", "payment_id is not the id of a payment."))
}

/// Reads the id of a deposit.
pub(super) fn deposit_id(text: &str) -> Result<DepositId, Error> {
    if [PaymentId::PREFIX, ReceiveId::PREFIX].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(Error::new(Code::NotFound, "No deposit of this agent has that id.")
            .next("That is a payment: call get_payment with it."));
    }
    text.parse().map_err(|_| Error::invalid("deposit_id", "deposit_id is not the id of a deposit."))
}

/// The one name by which a payment is looked up.
pub(super) enum OneName<'a> {
    /// The id of a payment or a received token.
    Id(&'a str),
    /// A payment hash.
    Hash(&'a str),
    /// An idempotency key.
    Key(&'a str),
}

/// Picks the name by which a payment is looked up. Exactly one must be given.
pub(super) fn one_name<'a>(
    payment_id: Option<&'a str>,
    payment_hash: Option<&'a str>,
    key: Option<&'a str>,
) -> Result<OneName<'a>, Error> {
    match (payment_id, payment_hash, key) {
        (Some(id), None, None) => Ok(OneName::Id(id)),
        (None, Some(hash), None) => Ok(OneName::Hash(hash)),
        (None, None, Some(key)) => Ok(OneName::Key(key)),
        _ => Err(Error::invalid(
            "payment_id",
            "Give exactly one of payment_id, payment_hash, idempotency_key.",
        )),
    }
}

/// Reads the name of a payment or a received token.
pub(super) fn lookup(name: &OneName<'_>) -> Result<Lookup, Error> {
    match name {
        OneName::Id(text) if text.starts_with(ReceiveId::PREFIX) => {
            text.parse().map(Lookup::Received).map_err(|_| {
                Error::invalid("payment_id", "payment_id is not the id of a received token.")
            })
        }
        OneName::Id(text) => payment_id(text).map(Lookup::Id),
        OneName::Hash(hash) => Ok(Lookup::Hash(hash.trim().to_lowercase())),
        OneName::Key(key) => Ok(Lookup::Key((*key).to_owned())),
    }
}

/// Reads the person or event that is zapped.
pub(super) fn recipient(field: &str, text: &str) -> Result<Recipient, Error> {
    read_recipient(text).map_err(|why| match why {
        NotARecipient::SecretKey => Error::new(Code::TextRefused, format!("{field} contains a secret key; it was not used."))
            .with("field", field)
            .next("Tell the user that a secret key was given instead of a public one; they should replace it."),
        NotARecipient::Damaged => Error::invalid(field, format!("{field} is a damaged Nostr identifier.")),
        NotARecipient::Unknown => {
            Error::invalid(field, format!("{field} is not an npub, nprofile, hex key, name@host, note, nevent or naddr."))
        }
    })
}

/// Reads the start of a page of the history.
pub(super) fn cursor(text: &str) -> Result<Cursor, Error> {
    let invalid = || Error::invalid("cursor", "cursor is not a next_cursor from list_history.");
    let (at, id) = text.split_once('.').ok_or_else(invalid)?;
    if id.is_empty() || id.len() > 64 {
        return Err(invalid());
    }
    Ok(Cursor { at: at.parse().map_err(|_| invalid())?, id: id.to_owned() })
}

/// Writes the start of a page of the history.
pub(super) fn write_cursor(cursor: &Cursor) -> String {
    format!("{}.{}", cursor.at, cursor.id)
}
