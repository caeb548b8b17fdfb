//! The two answers of a payee's server (LUD-06): its terms, and an invoice.
//!
//! Amounts are whole thousandths of a sat. Texts are untrusted and raw: clean them before showing.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

use super::super::invoice::Invoice;
use super::{LnurlEndpoint, callback, web};

/// Maximum length of the payee's metadata, in bytes.
const MAX_METADATA: usize = 64 * 1024;

/// Minimum seconds until an invoice expires, or its payment is not started.
const LEAST_LEFT: u64 = 30;

/// Terms of a payee's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayRequest {
    /// The endpoint that was asked.
    pub target: LnurlEndpoint,
    /// The URL for invoices.
    pub callback: Url,
    /// The minimum amount.
    pub min_msat: u64,
    /// The maximum amount.
    pub max_msat: u64,
    /// The metadata as the server wrote it: invoices name its hash.
    pub metadata: String,
    /// The description for people, from the metadata.
    pub description: String,
    /// The address that the server answers for. `None` if it names none.
    pub identifier: Option<String>,
    /// The maximum length of a comment, in characters (LUD-12); 0 allows none.
    pub comment_allowed: u64,
    /// The key that signs receipts for zaps (NIP-57): 64 hex characters in lower case. `None` if
    /// the server takes no zaps.
    pub nostr_key: Option<String>,
}

/// Request data that makes a payment a zap (NIP-57).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZapNote {
    /// The signed request, byte for byte as it is hashed.
    pub json: String,
    /// The payee's server as an LNURL.
    pub lnurl: String,
}

/// Purpose of an LNURL other than being paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherTag {
    /// Withdrawing money from the server (LUD-03).
    Withdraw,
    /// Opening a channel (LUD-02).
    Channel,
    /// Signing in (LUD-04).
    Login,
}

/// Reason why an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The server refuses, with this reason.
    #[error("the server refused")]
    Says(String),
    /// It is not about being paid; the purpose, if its tag is known.
    #[error("the LNURL is not for paying")]
    Other(Option<OtherTag>),
    /// It requires data about the payer (LUD-18).
    #[error("the server requires data about the payer")]
    WantsPayer,
    /// It is for this address, not the requested one.
    #[error("the server answers for another address")]
    Identifier(String),
    /// It refers to this other host for the invoice.
    #[error("the server refers to another host for the invoice")]
    Elsewhere(String),
    /// A required field is missing or invalid.
    #[error("the answer cannot be read: {0}")]
    Unreadable(&'static str),
}

/// Mismatch between an invoice and what was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The invoice's amount is another one, or `None`.
    #[error("the invoice is for another amount")]
    Amount(Option<u64>),
    /// The invoice expires before it could be paid.
    #[error("the invoice has expired, or is about to")]
    Expired,
}

impl PayRequest {
    /// Parses the first answer. Optional fields that cannot be read count as absent.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn read(target: LnurlEndpoint, body: &[u8]) -> Result<Self, AnswerError> {
        let answer = object(body)?;
        match answer.get("tag").and_then(Value::as_str) {
            Some("payRequest") => {}
            Some("withdrawRequest") => return Err(AnswerError::Other(Some(OtherTag::Withdraw))),
            Some("channelRequest") => return Err(AnswerError::Other(Some(OtherTag::Channel))),
            Some("login") => return Err(AnswerError::Other(Some(OtherTag::Login))),
            Some(_) => return Err(AnswerError::Other(None)),
            None => return Err(AnswerError::Unreadable("tag")),
        }
        let number = |name: &'static str| {
            answer.get(name).and_then(Value::as_u64).ok_or(AnswerError::Unreadable(name))
        };
        let (min_msat, max_msat) = (number("minSendable")?, number("maxSendable")?);
        if min_msat > max_msat || max_msat == 0 {
            return Err(AnswerError::Unreadable("minSendable"));
        }
        let metadata = answer
            .get("metadata")
            .and_then(Value::as_str)
            .ok_or(AnswerError::Unreadable("metadata"))?;
        let (description, identifier) = about(metadata)?;
        if let (Some(address), Some(identifier)) = (&target.address, &identifier)
            && !answers_for(identifier, address)
        {
            return Err(AnswerError::Identifier(identifier.clone()));
        }
        if wants_payer(answer.get("payerData")) {
            return Err(AnswerError::WantsPayer);
        }
        let text = answer
            .get("callback")
            .and_then(Value::as_str)
            .ok_or(AnswerError::Unreadable("callback"))?;
        let callback = web(text).map_err(|_| AnswerError::Unreadable("callback"))?;
        if !callback::stays(&target.url, &callback) {
            return Err(AnswerError::Elsewhere(callback.host_str().unwrap_or_default().to_owned()));
        }
        Ok(Self {
            callback,
            min_msat,
            max_msat,
            metadata: metadata.to_owned(),
            description,
            identifier,
            comment_allowed: answer.get("commentAllowed").and_then(Value::as_u64).unwrap_or(0),
            nostr_key: nostr_key(&answer),
            target,
        })
    }

    /// Returns the minimum in whole sats, rounded up.
    pub fn min_sats(&self) -> u64 {
        self.min_msat.div_ceil(1000)
    }

    /// Returns the maximum in whole sats, but no less than the minimum.
    pub fn max_sats(&self) -> u64 {
        (self.max_msat / 1000).max(self.min_sats())
    }

    /// Returns the thousandths to request for `amount_sats`: all of it, or, from a server that takes
    /// no whole sat, its maximum. `None` if the server does not take this amount.
    pub fn asks_msat(&self, amount_sats: u64) -> Option<u64> {
        let whole = amount_sats.saturating_mul(1000);
        if (self.min_msat..=self.max_msat).contains(&whole) {
            return Some(whole);
        }
        let takes_no_whole_sat = self.min_sats() > self.max_msat / 1000;
        (takes_no_whole_sat && amount_sats == self.min_sats()).then_some(self.max_msat)
    }

    /// Returns whether the server takes this comment in full.
    pub fn takes_comment(&self, comment: &str) -> bool {
        u64::try_from(comment.chars().count()).is_ok_and(|length| length <= self.comment_allowed)
    }

    /// Returns the URL of the second request, for the invoice.
    pub fn ask(&self, amount_msat: u64, comment: Option<&str>, zap: Option<&ZapNote>) -> Url {
        let mut url = self.callback.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("amount", &amount_msat.to_string());
            if let Some(comment) = comment {
                query.append_pair("comment", comment);
            }
            if let Some(zap) = zap {
                query.append_pair("nostr", &zap.json).append_pair("lnurl", &zap.lnurl);
            }
        }
        url
    }

    /// Checks that the invoice is for this amount and can still be paid at `now`.
    /// [`Self::is_named_by`] checks what it is for.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn fits(invoice: &Invoice, amount_msat: u64, now: u64) -> Result<(), Misfit> {
        if invoice.amount_msat != Some(amount_msat) {
            return Err(Misfit::Amount(invoice.amount_msat));
        }
        if invoice.expires_at <= now.saturating_add(LEAST_LEFT) {
            Err(Misfit::Expired)
        } else {
            Ok(())
        }
    }

    /// Returns whether the invoice's description hash is that of the zap request, or of the
    /// metadata without one.
    pub fn is_named_by(&self, invoice: &Invoice, zap: Option<&ZapNote>) -> bool {
        let words = zap.map_or(self.metadata.as_str(), |zap| zap.json.as_str());
        invoice.description_hash.as_deref() == Some(sha256_hex(words).as_str())
    }
}

/// Parses the second answer, an invoice with a valid signature.
///
/// # Errors
/// [`AnswerError`].
pub fn read_invoice(body: &[u8]) -> Result<Invoice, AnswerError> {
    let answer = object(body)?;
    let text = answer.get("pr").and_then(Value::as_str).ok_or(AnswerError::Unreadable("pr"))?;
    Invoice::parse(text).map_err(|_| AnswerError::Unreadable("pr"))
}

/// Returns the server's reason, if its answer is a refusal.
pub fn reason(body: &[u8]) -> Option<String> {
    match object(body) {
        Err(AnswerError::Says(reason)) => Some(reason),
        _ => None,
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, AnswerError> {
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else {
        return Err(AnswerError::Unreadable("no JSON object"));
    };
    let says_no = answer
        .get("status")
        .and_then(Value::as_str)
        .is_some_and(|status| status.eq_ignore_ascii_case("ERROR"));
    if says_no {
        let reason = answer.get("reason").and_then(Value::as_str).unwrap_or_default();
        return Err(AnswerError::Says(reason.to_owned()));
    }
    Ok(answer)
}

/// Returns the one description for people, and the address if any, from a list of pairs; other
/// kinds are skipped.
fn about(metadata: &str) -> Result<(String, Option<String>), AnswerError> {
    let bad = AnswerError::Unreadable("metadata");
    if metadata.len() > MAX_METADATA {
        return Err(bad);
    }
    let Ok(Value::Array(pairs)) = serde_json::from_str(metadata) else { return Err(bad) };
    let of = |kind: &str| -> Vec<&str> {
        let texts = pairs.iter().filter_map(|pair| match pair.as_array()?.as_slice() {
            [Value::String(name), Value::String(text), ..] if name == kind => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    };
    match (of("text/plain").as_slice(), of("text/identifier").as_slice()) {
        ([words], []) => Ok(((*words).to_owned(), None)),
        ([words], [identifier]) => Ok(((*words).to_owned(), Some((*identifier).to_owned()))),
        _ => Err(bad),
    }
}

/// Returns whether the addresses match. A label after `+` is for the payee's own use, and not every
/// server repeats it.
fn answers_for(identifier: &str, address: &str) -> bool {
    let lower = identifier.trim().to_lowercase();
    let unlabelled = address
        .split_once('@')
        .map(|(name, place)| format!("{}@{place}", name.split('+').next().unwrap_or_default()));
    lower == address || Some(lower) == unlabelled
}

fn wants_payer(wanted: Option<&Value>) -> bool {
    let is_mandatory = |one: &Value| one.get("mandatory").and_then(Value::as_bool).unwrap_or(false);
    wanted.and_then(Value::as_object).is_some_and(|all| all.values().any(is_mandatory))
}

fn nostr_key(answer: &Map<String, Value>) -> Option<String> {
    let allows = answer.get("allowsNostr").and_then(Value::as_bool).unwrap_or(false);
    let key = answer.get("nostrPubkey").and_then(Value::as_str)?;
    let is_key = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    (allows && is_key).then(|| key.to_ascii_lowercase())
}

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests;
