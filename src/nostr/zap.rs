//! Lightning zaps (NIP-57): the request that we sign (9734), and the receipt that the payee's
//! server publishes (9735).
//!
//! A receipt never proves that money moved; only the preimage does.

use sha2::{Digest, Sha256};

use super::Unwritable;
use super::codec::{tag, x_only};
use super::event::Event;
use super::identity::{Identity, UnsignedEvent};
use crate::model::invoice::Invoice;

/// The kind of a zap request; it is never published.
pub const REQUEST: u16 = 9734;

/// The kind of a zap receipt.
pub const RECEIPT: u16 = 9735;

/// The tolerance for receipts dated before the request, in seconds, because clocks differ.
const CLOCK_SKEW: u64 = 600;

/// The zapped event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZapTarget {
    /// The id.
    pub event_id: String,
    /// A relay that has the event.
    pub relay: Option<String>,
    /// The kind.
    pub kind: Option<u16>,
    /// The coordinate `kind:author:identifier` of a replaceable event.
    pub coordinate: Option<String>,
}

impl ZapTarget {
    /// The tags that name the target in zaps and nutzaps.
    pub(super) fn tags(&self) -> Vec<Vec<String>> {
        let mut event = tag(&["e", &self.event_id]);
        event.extend(self.relay.clone());
        let mut tags = vec![event];
        tags.extend(self.coordinate.as_ref().map(|coordinate| tag(&["a", coordinate])));
        tags.extend(self.kind.map(|kind| tag(&["k", &kind.to_string()])));
        tags
    }
}

/// Writes a zap request. Send its [`Event::json`] unchanged: the invoice commits to these bytes.
///
/// For an anonymous zap the caller passes a random key as `identity`.
///
/// # Errors
/// [`Unwritable`] if the recipient is not a key or there is no relay.
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

/// The expected receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedReceipt {
    /// The request's JSON, as sent.
    pub request_json: String,
    /// The request's id.
    pub request_id: String,
    /// The payment hash of the paid invoice, in lower-case hex.
    pub bolt11_payment_hash: String,
    /// The amount of the request, in millisats.
    pub msat: u64,
    /// The key with which the payee's server signs receipts.
    pub nostr_pubkey: String,
    /// The recipient's public key.
    pub recipient: String,
}

/// Reason why a receipt is not the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    /// The event has another kind or is too old.
    #[error("the event is not a receipt of this zap")]
    Other,
    /// The payee's server did not sign the receipt.
    #[error("the receipt is not signed by the payee's server")]
    Author,
    /// The receipt does not contain our request.
    #[error("the receipt does not contain the zap's request")]
    Request,
    /// The receipt contains another invoice or amount.
    #[error("the receipt is for another invoice")]
    Invoice,
    /// The receipt has another target than the request.
    #[error("the receipt has another target")]
    Target,
    /// The preimage does not match the invoice.
    #[error("the receipt's preimage is wrong")]
    Preimage,
}

/// Checks that a receipt is the expected one.
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

/// The value of the only tag with this name; `None` without one. Several are an error.
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
