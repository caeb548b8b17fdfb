//! Lightning zaps (NIP-57): the request we sign (9734) and the receipt that a payee's server
//! publishes (9735).
//!
//! A receipt is a courtesy, never proof that money moved: only the preimage is.

use sha2::{Digest, Sha256};

use super::Unwritable;
use super::codec::{tag, x_only};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use crate::model::invoice::Invoice;

/// The kind of a request; never published.
pub const REQUEST: u16 = 9734;

/// The kind of a receipt.
pub const RECEIPT: u16 = 9735;

/// How much earlier than the request a receipt may say it was made: clocks differ.
const CLOCK_SKEW: u64 = 600;

/// What is zapped, when it is not just a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZapTarget {
    /// The event's id.
    pub event_id: String,
    /// Where it can be found.
    pub relay: Option<String>,
    /// Its kind.
    pub kind: Option<u16>,
    /// `kind:author:identifier`, where later events replace it.
    pub coordinate: Option<String>,
}

impl ZapTarget {
    /// As zaps and nutzaps name it.
    pub(super) fn tags(&self) -> Vec<Vec<String>> {
        let mut event = tag(&["e", &self.event_id]);
        event.extend(self.relay.clone());
        let mut tags = vec![event];
        tags.extend(self.coordinate.as_ref().map(|coordinate| tag(&["a", coordinate])));
        tags.extend(self.kind.map(|kind| tag(&["k", &kind.to_string()])));
        tags
    }
}

/// Writes a request. Its [`Event::json`] is what is sent and what the invoice is made for, letter
/// by letter.
///
/// For an anonymous one the caller gives a key that nobody knows.
///
/// # Errors
/// When the recipient is no key, or there is no relay.
#[expect(clippy::too_many_arguments, reason = "each is one field of the format")]
pub fn request(
    identity: &Identity,
    relays: &[String],
    msat: u64,
    lnurl: &str,
    recipient: &str,
    event: Option<&ZapTarget>,
    comment: &str,
    anonymous: bool,
    created_at: u64,
) -> Result<Event, Unwritable> {
    if x_only(recipient).as_deref() != Some(recipient) || relays.is_empty() {
        return Err(Unwritable);
    }
    let mut list = tag(&["relays"]);
    list.extend(relays.iter().cloned());
    let mut tags = vec![
        list,
        tag(&["amount", &msat.to_string()]),
        tag(&["lnurl", lnurl]),
        tag(&["p", recipient]),
    ];
    tags.extend(event.map(ZapTarget::tags).unwrap_or_default());
    if anonymous {
        tags.push(tag(&["anon", ""]));
    }
    Ok(identity.sign(UnsignedEvent {
        kind: REQUEST,
        created_at,
        tags,
        content: comment.to_owned(),
    })?)
}

/// The receipt that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedReceipt {
    /// The request, as it was sent.
    pub request_json: String,
    /// Its id.
    pub request_id: String,
    /// The hash of the invoice that was paid, lower-case hex.
    pub bolt11_payment_hash: String,
    /// What the request asked to pay.
    pub msat: u64,
    /// The key the payee's server signs receipts with.
    pub nostr_pubkey: String,
    /// Whom the zap is for.
    pub recipient: String,
}

/// Why a receipt is not the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    /// Of another kind, or of another time.
    #[error("the event is no receipt of this zap")]
    Other,
    /// Not signed by the payee's server.
    #[error("the receipt is not signed by the payee's server")]
    Author,
    /// It does not hold our request.
    #[error("the receipt does not hold the zap's request")]
    Request,
    /// It holds another invoice, or another amount.
    #[error("the receipt is for another invoice")]
    Invoice,
    /// It names somebody or something else than the request.
    #[error("the receipt names somebody or something else")]
    Target,
    /// Its preimage is none.
    #[error("the receipt's preimage is wrong")]
    Preimage,
}

/// Whether this receipt is the one that is waited for.
///
/// # Errors
/// [`BadReceipt`].
pub fn check_receipt(receipt: &Event, want: &ExpectedReceipt) -> Result<(), BadReceipt> {
    if receipt.kind() != RECEIPT {
        return Err(BadReceipt::Other);
    }
    if receipt.author() != want.nostr_pubkey.to_ascii_lowercase() {
        return Err(BadReceipt::Author);
    }
    let description =
        only(receipt, "description", BadReceipt::Request)?.ok_or(BadReceipt::Request)?;
    let request = Event::read(description).map_err(|_| BadReceipt::Request)?;
    let sent = Event::read(&want.request_json).map_err(|_| BadReceipt::Request)?;
    if request.id() != want.request_id || sent.id() != want.request_id {
        return Err(BadReceipt::Request);
    }
    if receipt.created_at() < request.created_at().saturating_sub(CLOCK_SKEW) {
        return Err(BadReceipt::Other);
    }
    let bolt11 = only(receipt, "bolt11", BadReceipt::Invoice)?.ok_or(BadReceipt::Invoice)?;
    let invoice = Invoice::parse(bolt11).map_err(|_| BadReceipt::Invoice)?;
    let asked = only(&request, "amount", BadReceipt::Invoice)?;
    let as_asked = asked.is_none_or(|asked| asked == want.msat.to_string());
    if invoice.payment_hash != want.bolt11_payment_hash
        || invoice.amount_msat != Some(want.msat)
        || !as_asked
    {
        return Err(BadReceipt::Invoice);
    }
    let same = |name: &str| {
        Ok(only(receipt, name, BadReceipt::Target)? == only(&request, name, BadReceipt::Target)?)
    };
    let sender = only(receipt, "P", BadReceipt::Target)?;
    let recipient = only(receipt, "p", BadReceipt::Target)? == Some(want.recipient.as_str());
    if !recipient
        || !same("p")?
        || !same("e")?
        || !same("a")?
        || sender.is_some_and(|sender| sender != request.author())
    {
        return Err(BadReceipt::Target);
    }
    match only(receipt, "preimage", BadReceipt::Preimage)? {
        Some(preimage) if !preimage.is_empty() => {
            hashes_to(preimage, &invoice.payment_hash).then_some(()).ok_or(BadReceipt::Preimage)
        }
        _ => Ok(()),
    }
}

/// The value of the only tag of this name; `None` without one.
fn only<'a>(
    event: &'a Event,
    name: &str,
    several: BadReceipt,
) -> Result<Option<&'a str>, BadReceipt> {
    let mut tags = event.tags_named(name);
    let first = tags.next().map(|tag| tag.get(1).map_or("", String::as_str));
    if tags.next().is_some() { Err(several) } else { Ok(first) }
}

fn hashes_to(preimage: &str, hash: &str) -> bool {
    let mut bytes = [0; 32];
    hex::decode_to_slice(preimage, &mut bytes).is_ok() && hex::encode(Sha256::digest(bytes)) == hash
}
