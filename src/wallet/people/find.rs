//! Looks up people and events on relays without authenticating.
//!
//! Queries the owner's relays and the few that the given text names. Everything found is signed by
//! the person it is about and trusted for nothing else.

use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

use crate::nostr::nutzap_info::{self, NutzapInfo};
use crate::nostr::profile::{self, Profile};
use crate::nostr::relay_list::{self, RelayList, usable};
use crate::nostr::{End, Event, Page, npub};
use crate::ports::{HttpFailure, HttpRequest, JSON, Method};
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, NameServerError};
use crate::wallet::core::relays::{Link, plain_url};

/// Timeout of a lookup.
const LOOKUP: Duration = Duration::from_secs(5);
/// Maximum number of relays outside the owner's list that one lookup queries.
const MOST_HINTS: usize = 4;
/// Size limit of a name server's answer, in bytes.
const MAX_NAMES: usize = 256 * 1024;

/// Published facts about a person.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    /// Public key, hex.
    pub(crate) pubkey: String,
    /// The profile (kind 0).
    pub(crate) profile: Option<Profile>,
    /// The nutzap list (NIP-61).
    pub(crate) nutzaps: Option<NutzapInfo>,
    /// The relays they read.
    pub(crate) reads: Vec<String>,
    /// The relays they write to.
    pub(crate) writes: Vec<String>,
    /// `true` if they list write relays and none of those answered, so the facts may be out of
    /// date.
    pub(crate) silent: bool,
}

/// Looks up a person. With `is_locked_to`, proofs may be locked to the published key for good, so
/// the person's write relays are always queried: other relays may have old data.
///
/// # Errors
/// [`Cause::RelaysSilent`]: no relay could be read, so nothing is known.
pub(crate) async fn person(
    link: &Link,
    pubkey: &str,
    hints: &[String],
    is_locked_to: bool,
) -> Result<Person, Failure> {
    let filter =
        json!({"kinds": [profile::KIND, nutzap_info::KIND, relay_list::KIND], "authors": [pubkey]});
    let mut urls = near(link, hints);
    let mut pages = pages(link, &filter, &urls).await;
    let mut found = read(&pages)?;
    let list_of = |found: &[Event]| {
        newest(found, pubkey, relay_list::KIND).and_then(|event| relay_list::read(&event).ok())
    };
    let info_of = |found: &[Event]| {
        newest(found, pubkey, nutzap_info::KIND).and_then(|event| nutzap_info::read(&event).ok())
    };
    let complete = [profile::KIND, nutzap_info::KIND]
        .iter()
        .all(|kind| newest(&found, pubkey, *kind).is_some());
    let said = list_of(&found).unwrap_or_default().write;
    let mut more = if is_locked_to || !complete { said.clone() } else { Vec::new() };
    if !is_locked_to {
        more.truncate(MOST_HINTS);
    } else if let Some(info) = info_of(&found) {
        more.extend(usable(&info.relays));
    }
    more.retain(|url| !urls.contains(url));
    pages.extend(self::pages(link, &filter, &more).await);
    urls.extend(more);
    found = pages.iter().flat_map(|page| page.events.iter().cloned()).collect();
    let answers = |url: &String| {
        urls.iter().zip(&pages).any(|(one, page)| one == url && matches!(page.end, End::Whole))
    };
    let RelayList { read: reads, write: writes } = list_of(&found).unwrap_or_default();
    Ok(Person {
        pubkey: pubkey.to_owned(),
        profile: newest(&found, pubkey, profile::KIND).and_then(|event| profile::read(&event).ok()),
        nutzaps: info_of(&found),
        reads,
        writes,
        silent: is_locked_to && !said.is_empty() && !said.iter().any(answers),
    })
}

/// Finds the newest event that matches a filter.
///
/// # Errors
/// [`Cause::RelaysSilent`]: no relay could be read.
pub(crate) async fn event(
    link: &Link,
    filter: &Value,
    hints: &[String],
    fits: impl Fn(&Event) -> bool,
) -> Result<Option<Event>, Failure> {
    let found = read(&pages(link, filter, &near(link, hints)).await)?;
    Ok(found.into_iter().filter(|event| fits(event)).max_by_key(Event::created_at))
}

/// Resolves a NIP-05 name to a public key, with relays where its holder may be found. `None`: the
/// host knows no valid key for it.
///
/// # Errors
/// [`Cause::NameServer`]: nothing moved.
pub(crate) async fn named_key(
    core: &Core,
    name: &str,
    host: &str,
) -> Result<Option<(String, Vec<String>)>, Failure> {
    let host_only = host.split(':').next().unwrap_or(host);
    let near = host_only == "localhost" || host_only.parse::<std::net::IpAddr>().is_ok();
    let scheme = if near { "http" } else { "https" };
    let url = format!("{scheme}://{host}/.well-known/nostr.json?name={name}");
    let answer = match core
        .http
        .send(HttpRequest { method: Method::Get, url, body: None, accept: JSON, deadline: LOOKUP })
        .await
    {
        Ok(answer) => answer,
        Err(HttpFailure::Refused(_)) => {
            return Err(Cause::NameServer(NameServerError::Refused).into());
        }
        Err(_) => return Err(Cause::NameServer(NameServerError::Silent).into()),
    };
    if matches!(answer.status, 404 | 410) {
        return Ok(None);
    }
    if !(200..300).contains(&answer.status) || answer.body.len() > MAX_NAMES {
        return Err(Cause::NameServer(NameServerError::OutOfOrder).into());
    }
    let Ok(told) = serde_json::from_slice::<Value>(&answer.body) else { return Ok(None) };
    let key = told
        .get("names")
        .and_then(|names| names.get(name))
        .and_then(Value::as_str)
        .map(str::to_ascii_lowercase);
    let Some(key) = key.filter(|key| npub(key).is_some()) else { return Ok(None) };
    let relays = told.get("relays").and_then(|relays| relays.get(&key)).and_then(Value::as_array);
    let relays =
        relays.map(|relays| usable(relays.iter().filter_map(Value::as_str))).unwrap_or_default();
    Ok(Some((key, relays)))
}

/// Returns the owner's relays and the few that the given text names.
fn near(link: &Link, hints: &[String]) -> Vec<String> {
    let mut urls: Vec<String> = link.parts.urls.iter().map(|url| plain_url(url)).collect();
    urls.extend(usable(hints).into_iter().take(MOST_HINTS));
    urls
}

async fn pages(link: &Link, filter: &Value, urls: &[String]) -> Vec<Page> {
    join_all(urls.iter().map(|url| link.parts.anonymous_relays.page(url, filter, LOOKUP))).await
}

fn read(pages: &[Page]) -> Result<Vec<Event>, Failure> {
    if pages.iter().all(|page| page.events.is_empty() && !matches!(page.end, End::Whole)) {
        return Err(Cause::RelaysSilent.into());
    }
    Ok(pages.iter().flat_map(|page| page.events.iter().cloned()).collect())
}

/// Returns the newest event of a kind by this author; at equal times the lower id, as relays do.
fn newest(events: &[Event], author: &str, kind: u16) -> Option<Event> {
    let theirs = events.iter().filter(|event| event.author() == author && event.kind() == kind);
    theirs
        .max_by_key(|event| (event.created_at(), std::cmp::Reverse(event.id().to_owned())))
        .cloned()
}
