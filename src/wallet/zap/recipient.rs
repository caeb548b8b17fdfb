//! Finds the recipient of a zap and the zapped event: from the call, by name (NIP-05), or on
//! relays.
//!
//! A public key is accepted without a lookup. Decides nothing about money.

use crate::nostr::Event;
use crate::nostr::recipient::Recipient;
use crate::nostr::zap::ZapTarget;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, ZapRefusal};
use crate::wallet::core::relays::Link;
use crate::wallet::door::record::shown_key;
use crate::wallet::people::find::{self, named_key};
use crate::wallet::zap::ZapIntent;

/// The recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// A public key.
    Key { pubkey: String, hints: Vec<String> },
    /// A public key found by its name (NIP-05).
    Named { address: String, pubkey: String, hints: Vec<String> },
    /// A Lightning address that is not a Nostr name.
    Address { address: String },
}

impl Whom {
    pub(crate) fn pubkey(&self) -> Option<&str> {
        match self {
            Self::Key { pubkey, .. } | Self::Named { pubkey, .. } => Some(pubkey),
            Self::Address { .. } => None,
        }
    }

    pub(crate) fn hints(&self) -> &[String] {
        match self {
            Self::Key { hints, .. } | Self::Named { hints, .. } => hints,
            Self::Address { .. } => &[],
        }
    }

    /// Returns the name that distinguishes recipients.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key { pubkey, .. } | Self::Named { pubkey, .. } => pubkey.clone(),
            Self::Address { address } => address.clone(),
        }
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Key { pubkey, .. } => shown_key(pubkey),
            Self::Named { address, .. } | Self::Address { address } => address.clone(),
        }
    }
}

/// Finds the recipient and the zapped event, if the call names one.
pub(super) async fn whom(
    core: &Core,
    link: &Link,
    intent: &ZapIntent,
) -> Result<(Whom, Option<Event>), Failure> {
    match (intent.to.clone(), intent.event.clone()) {
        (Recipient::Person { pubkey, relays }, None) => {
            Ok((Whom::Key { pubkey, hints: relays }, None))
        }
        (Recipient::Name { name, host }, None) => {
            let address = format!("{name}@{host}");
            match named_key(core, &name, &host).await {
                Ok(Some((pubkey, hints))) => Ok((Whom::Named { address, pubkey, hints }, None)),
                Ok(None) => Ok((Whom::Address { address }, None)),
                Err(error) => Err(error),
            }
        }
        (Recipient::Event { .. } | Recipient::Replaceable { .. }, Some(_)) => {
            Err(Cause::Zap(ZapRefusal::TwoEvents).into())
        }
        (event, None) => {
            let found = find_event(link, &event).await?;
            let hints = hints_of(&event);
            Ok((Whom::Key { pubkey: found.author().to_owned(), hints }, Some(found)))
        }
        (person, Some(event)) => {
            let found = find_event(link, &event).await?;
            let whom = match person {
                Recipient::Person { pubkey, relays } => Whom::Key { pubkey, hints: relays },
                Recipient::Name { name, host } => match named_key(core, &name, &host).await? {
                    Some((pubkey, hints)) => {
                        Whom::Named { address: format!("{name}@{host}"), pubkey, hints }
                    }
                    None => {
                        return Err(Cause::Zap(ZapRefusal::NameUnknown).into());
                    }
                },
                _ => return Err(Cause::Zap(ZapRefusal::NotAPerson).into()),
            };
            if whom.pubkey() != Some(found.author()) {
                return Err(Cause::Zap(ZapRefusal::NotItsAuthor).into());
            }
            Ok((whom, Some(found)))
        }
    }
}

async fn find_event(link: &Link, named: &Recipient) -> Result<Event, Failure> {
    let unknown = || Failure::new(Cause::Zap(ZapRefusal::EventUnknown));
    let hints = hints_of(named);
    match named {
        Recipient::Event { id, .. } => {
            let filter = serde_json::json!({"ids": [id]});
            find::event(link, &filter, &hints, |event| event.id() == id).await?.ok_or_else(unknown)
        }
        Recipient::Replaceable { kind, pubkey, identifier, .. } => {
            let filter =
                serde_json::json!({"kinds": [kind], "authors": [pubkey], "#d": [identifier]});
            let fits = |event: &Event| {
                event.kind() == *kind
                    && event.author() == pubkey
                    && event.tag_values("d").next().unwrap_or("") == identifier
            };
            find::event(link, &filter, &hints, fits).await?.ok_or_else(unknown)
        }
        _ => Err(Cause::Zap(ZapRefusal::NotAnEvent).into()),
    }
}

fn hints_of(named: &Recipient) -> Vec<String> {
    match named {
        Recipient::Person { relays, .. }
        | Recipient::Event { relays, .. }
        | Recipient::Replaceable { relays, .. } => relays.clone(),
        Recipient::Name { .. } => Vec::new(),
    }
}

/// Returns the target that the zap request names.
pub(crate) fn zapped(event: &Event, whom: &Whom) -> ZapTarget {
    let replaceable = (30_000..40_000).contains(&event.kind());
    let name = event.tag_values("d").next().unwrap_or("");
    ZapTarget {
        event_id: event.id().to_owned(),
        relay: whom.hints().first().cloned(),
        kind: Some(event.kind()),
        coordinate: replaceable.then(|| format!("{}:{}:{name}", event.kind(), event.author())),
    }
}
