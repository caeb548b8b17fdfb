//! Where else this Nostr key may keep a wallet (NIP-60: at the relays of its 10019, else at those
//! of its 10002): asked before the first word about a wallet is written, so that no second wallet
//! is made over the first.
//!
//! Only asks. Silence of a relay never means that there is nothing.

use futures::future::join_all;
use serde_json::json;

use crate::nostr::relay_list::{self, usable};
use crate::nostr::{End, Event, nutzap_info, wallet_event};
use crate::wallet::core::relays::{Link, QUESTION};

/// Relays that the owner has not set, and that may hold the wallet of this key: those that the
/// wallet's own events name (`named`); and of those where the key publishes, by the newest list
/// among `events`, each that shows a wallet, or all that did not answer where most did not.
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
    // Without a name: these are not relays that the owner has chosen for the wallet.
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
    // What is published goes to all of them: where at least half say that they have none, there is
    // none.
    if holding.is_empty() && silent.len() > writes.len() / 2 { silent } else { holding }
}
