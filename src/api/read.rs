//! Requests read into what the wallet understands. A parameter that cannot be read is named, and
//! repeated nowhere.

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

/// Who is paid.
pub(super) fn destination(to: &str) -> Result<Destination, Error> {
    Destination::read(to).map_err(not_payable)
}

/// Why nobody can be paid by this text.
pub(super) fn not_payable(why: NotPayable) -> Error {
    let unsupported =
        |message: &str, kind: &str| Error::new(Code::PayeeUnsupported, message).with("kind", kind);
    match why {
        NotPayable::Login => {
            unsupported("That LNURL is for signing in, not for paying.", "lnurl_login")
        }
        NotPayable::BrokenLnurl => Error::invalid("to", "to is not an LNURL that can be read."),
        NotPayable::Amount => {
            Error::new(Code::AmountOutOfRange, "The invoice's amount is out of range.")
        }
        NotPayable::BrokenInvoice => {
            Error::invalid("to", "to is not a Lightning invoice that can be read.")
        }
        NotPayable::Unknown => Error::invalid(
            "to",
            "to is neither a Lightning invoice nor an address that can be read.",
        ),
        NotPayable::Token => unsupported("That is a Cashu token: money, not a payee.", "token")
            .next("Use receive_token to take the token in."),
        NotPayable::Kind(payee) => unsupported(
            "This kind of payee cannot be paid by this wallet yet.",
            words::payee(&payee),
        ),
    }
}

/// A number of sats, from 1 to all there will ever be.
pub(super) fn sats(field: &str, sats: u64) -> Result<Sats, Error> {
    Sats::new(sats).ok_or_else(|| Error::invalid(field, format!("{field} is out of range.")))
}

/// The same, where it may be left out.
pub(super) fn some_sats(field: &str, sats: Option<u64>) -> Result<Option<Sats>, Error> {
    sats.map(|number| self::sats(field, number)).transpose()
}

/// The mint that a caller names.
pub(super) fn mint(text: Option<&str>) -> Result<Option<MintAddress>, Error> {
    parsed(text, "mint", "mint is not the address of a mint.")
}

/// The payment that is knowingly repeated.
pub(super) fn repeat_of(text: Option<&str>) -> Result<Option<PaymentId>, Error> {
    parsed(text, "repeat_of", "repeat_of is not a payment_id.")
}

/// The key that a token is locked to.
pub(super) fn lock_key(text: Option<&str>) -> Result<Option<LockKey>, Error> {
    let message = "lock_to is neither a public key of 66 hex characters nor an npub.";
    parsed(text, "lock_to", message)
}

fn parsed<T: FromStr>(text: Option<&str>, field: &str, message: &str) -> Result<Option<T>, Error> {
    text.map(str::parse).transpose().map_err(|_| Error::invalid(field, message))
}

/// A token that was brought to us.
pub(super) fn token(text: &str) -> Result<IncomingToken, Error> {
    IncomingToken::read(text).map_err(|error| {
        let message = match error {
            TokenError::Unreadable => "That is not a Cashu token that can be read.",
            TokenError::Empty => "The token holds no coins.",
            TokenError::TooLarge => "The token is larger than one swap can be.",
            TokenError::Repeats => "The token names a coin twice.",
            TokenError::Mint => "The token does not name one mint.",
        };
        Error::new(Code::TokenInvalid, message)
    })
}

/// The id of a payment.
pub(super) fn payment_id(text: &str) -> Result<PaymentId, Error> {
    if text.starts_with(DepositId::PREFIX) {
        return Err(Error::new(Code::NotFound, "No payment of this agent has that id.")
            .next("That is a deposit: call get_deposit with it."));
    }
    text.parse().map_err(|_| Error::invalid("payment_id", "payment_id is not the id of a payment."))
}

/// The id of a deposit.
pub(super) fn deposit_id(text: &str) -> Result<DepositId, Error> {
    if [PaymentId::PREFIX, ReceiveId::PREFIX].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(Error::new(Code::NotFound, "No deposit of this agent has that id.")
            .next("That is a payment: call get_payment with it."));
    }
    text.parse().map_err(|_| Error::invalid("deposit_id", "deposit_id is not the id of a deposit."))
}

/// The one of several parameters that is given.
pub(super) enum OneName<'a> {
    /// The id of a payment or a received token.
    Id(&'a str),
    /// A payment hash.
    Hash(&'a str),
    /// An idempotency key.
    Key(&'a str),
}

/// Exactly one of the names by which a payment is looked up.
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

/// The name under which a payment or a received token is looked up.
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

/// Whom, or which event, a zap names.
pub(super) fn recipient(field: &str, text: &str) -> Result<Recipient, Error> {
    read_recipient(text).map_err(|why| match why {
        NotARecipient::SecretKey => Error::new(Code::TextRefused, format!("{field} holds a secret key; it was not used."))
            .with("field", field)
            .next("Tell the user that a secret key was given where a public one belongs; it should be replaced."),
        NotARecipient::Damaged => Error::invalid(field, format!("{field} is a Nostr name that is damaged.")),
        NotARecipient::Unknown => {
            Error::invalid(field, format!("{field} is no npub, nprofile, hex key, name@host, note, nevent or naddr."))
        }
    })
}

/// Where a page of the history begins.
pub(super) fn cursor(text: &str) -> Result<Cursor, Error> {
    let invalid = || Error::invalid("cursor", "cursor is not a next_cursor of list_history.");
    let (at, id) = text.split_once('.').ok_or_else(invalid)?;
    if id.is_empty() || id.len() > 64 {
        return Err(invalid());
    }
    Ok(Cursor { at: at.parse().map_err(|_| invalid())?, id: id.to_owned() })
}

/// The same as text.
pub(super) fn write_cursor(cursor: &Cursor) -> String {
    format!("{}.{}", cursor.at, cursor.id)
}
