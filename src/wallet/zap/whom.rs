//! Whom a zap means, and the event that is zapped: read from the call, found by name, or on relays.
//!
//! A key that names nobody here is taken as it is. Decides nothing about money.

use super::super::Wallet;
use super::super::code::Code;
use super::super::error::Error;
use super::super::nostr::Link;
use super::super::request::Zap;
use crate::nostr::recipient::{NotARecipient, Recipient, parse};
use crate::nostr::zap::Zapped;
use crate::nostr::{Event, npub};

/// Who is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// Whoever holds this key.
    Key { pubkey: String, hints: Vec<String> },
    /// The same, found by a name.
    Named { address: String, pubkey: String, hints: Vec<String> },
    /// A Lightning address that is no Nostr name.
    Address { address: String },
}

impl Whom {
    pub(super) fn pubkey(&self) -> Option<&str> {
        match self {
            Self::Key { pubkey, .. } | Self::Named { pubkey, .. } => Some(pubkey),
            Self::Address { .. } => None,
        }
    }

    pub(super) fn hints(&self) -> &[String] {
        match self {
            Self::Key { hints, .. } | Self::Named { hints, .. } => hints,
            Self::Address { .. } => &[],
        }
    }

    /// What tells one payee from another.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Key { pubkey, .. } | Self::Named { pubkey, .. } => pubkey.clone(),
            Self::Address { address } => address.clone(),
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Key { pubkey, .. } => shown_key(pubkey),
            Self::Named { address, .. } | Self::Address { address } => address.clone(),
        }
    }
}

impl Wallet {
    /// Whom the call means, and the event that is zapped.
    pub(super) async fn whom(
        &self,
        link: &Link,
        request: &Zap,
    ) -> Result<(Whom, Option<Event>), Error> {
        let to = read_recipient("to", &request.to)?;
        let named =
            request.event.as_deref().map(|text| read_recipient("event", text)).transpose()?;
        match (to, named) {
            (Recipient::Person { pubkey, relays }, None) => {
                Ok((Whom::Key { pubkey, hints: relays }, None))
            }
            (Recipient::Name { name, host }, None) => {
                let address = format!("{name}@{host}");
                match self.named_key(&name, &host).await {
                    Ok(Some((pubkey, hints))) => Ok((Whom::Named { address, pubkey, hints }, None)),
                    // A Lightning address that is no Nostr name.
                    Ok(None) => Ok((Whom::Address { address }, None)),
                    Err(error) => Err(error),
                }
            }
            (Recipient::Event { .. } | Recipient::Replaceable { .. }, Some(_)) => {
                Err(Error::invalid("event", "to is an event already; leave event out."))
            }
            (event, None) => {
                let found = self.find_event(link, &event).await?;
                let hints = hints_of(&event);
                Ok((Whom::Key { pubkey: found.author().to_owned(), hints }, Some(found)))
            }
            (person, Some(event)) => {
                let found = self.find_event(link, &event).await?;
                let whom = match person {
                    Recipient::Person { pubkey, relays } => Whom::Key { pubkey, hints: relays },
                    Recipient::Name { name, host } => match self.named_key(&name, &host).await? {
                        Some((pubkey, hints)) => {
                            Whom::Named { address: format!("{name}@{host}"), pubkey, hints }
                        }
                        None => {
                            return Err(Error::new(
                                Code::RecipientUnknown,
                                "That name's server does not know the name.",
                            ));
                        }
                    },
                    _ => return Err(Error::invalid("to", "to is not a person.")),
                };
                if whom.pubkey() != Some(found.author()) {
                    return Err(Error::invalid("event", "event was not written by to."));
                }
                Ok((whom, Some(found)))
            }
        }
    }

    async fn find_event(&self, link: &Link, named: &Recipient) -> Result<Event, Error> {
        let unknown =
            || Error::new(Code::RecipientUnknown, "No relay that was asked has that event.");
        let hints = hints_of(named);
        match named {
            Recipient::Event { id, .. } => {
                let filter = serde_json::json!({"ids": [id]});
                self.event(link, &filter, &hints, |event| event.id() == id)
                    .await?
                    .ok_or_else(unknown)
            }
            Recipient::Replaceable { kind, pubkey, identifier, .. } => {
                let filter =
                    serde_json::json!({"kinds": [kind], "authors": [pubkey], "#d": [identifier]});
                let fits = |event: &Event| {
                    event.kind() == *kind
                        && event.author() == pubkey
                        && event.tag_values("d").next().unwrap_or("") == identifier
                };
                self.event(link, &filter, &hints, fits).await?.ok_or_else(unknown)
            }
            _ => Err(Error::invalid("event", "event is not a note, nevent or naddr.")),
        }
    }
}

fn read_recipient(field: &str, text: &str) -> Result<Recipient, Error> {
    parse(text).map_err(|why| match why {
        NotARecipient::SecretKey => Error::new(Code::TextRefused, format!("{field} holds a secret key; it was not used."))
            .with("field", field)
            .next("Tell the user that a secret key was given where a public one belongs; it should be replaced."),
        NotARecipient::Damaged => Error::invalid(field, format!("{field} is a Nostr name that is damaged.")),
        NotARecipient::Unknown => {
            Error::invalid(field, format!("{field} is no npub, nprofile, hex key, name@host, note, nevent or naddr."))
        }
    })
}

fn hints_of(named: &Recipient) -> Vec<String> {
    match named {
        Recipient::Person { relays, .. }
        | Recipient::Event { relays, .. }
        | Recipient::Replaceable { relays, .. } => relays.clone(),
        Recipient::Name { .. } => Vec::new(),
    }
}

/// What the zap says of its event.
pub(super) fn zapped(event: &Event, whom: &Whom) -> Zapped {
    let replaceable = (30_000..40_000).contains(&event.kind());
    let name = event.tag_values("d").next().unwrap_or("");
    Zapped {
        event_id: event.id().to_owned(),
        relay: whom.hints().first().cloned(),
        kind: Some(event.kind()),
        coordinate: replaceable.then(|| format!("{}:{}:{name}", event.kind(), event.author())),
    }
}

/// A key as people write it.
pub(super) fn shown_key(hex: &str) -> String {
    npub(hex).unwrap_or_else(|| hex.to_owned())
}
