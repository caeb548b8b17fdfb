//! Searches for an existing wallet of this Nostr key on relays outside the owner's list, before the
//! first wallet event is written over it. NIP-60 puts the wallet on the relays of the key's kind
//! 10019, or else of its kind 10002.
//!
//! Read only. Silence of a relay never counts as "no wallet".

use futures::future::join_all;
use serde_json::json;

use crate::nostr::relay_list::{self, usable};
use crate::nostr::{End, Event, nutzap_info, wallet_event};
use crate::wallet::core::relays::{Link, QUESTION};

/// Returns relays outside the owner's list that may hold this key's wallet. These are the relays
/// that the wallet's own events name (`named`). If there are none, these are the key's write
/// relays, by the newest list among `events`, that show a wallet; or, if none does and more than
/// half did not answer, the silent ones.
pub(crate) async fn elsewhere<'a>(
    link: &Link,
    named: impl Iterator<Item = &'a String>,
    events: &[Event],
) -> Vec<String> {
    let others =
        |urls: Vec<String>| urls.into_iter().filter(|url| !link.is_own(url)).collect::<Vec<_>>();
    let named = others(usable(named));
    if !named.is_empty() {
        return named;
    }
    let me = link.parts.identity.public_key();
    let lists =
        events.iter().filter(|event| event.kind() == relay_list::KIND && event.author() == me);
    let newest =
        lists.max_by_key(|event| event.created_at()).and_then(|event| relay_list::read(event).ok());
    let writes = others(newest.map(|list| list.write).unwrap_or_default());
    let filter = json!({"kinds": [wallet_event::KIND, nutzap_info::KIND], "authors": [me]});
    // Unauthenticated, because the owner did not choose these relays for the wallet.
    let pages =
        join_all(writes.iter().map(|url| link.parts.anonymous_relays.page(url, &filter, QUESTION)))
            .await;
    let (mut holding, mut silent) = (Vec::new(), Vec::new());
    for (url, page) in writes.iter().zip(pages) {
        if !page.events.is_empty() {
            holding.push(url.clone());
        } else if page.end != End::Whole {
            silent.push(url.clone());
        }
    }
    // A wallet is published to all of them, so if at least half show none, there is none.
    if holding.is_empty() && silent.len() > writes.len() / 2 { silent } else { holding }
}
