//! How many of the people that this Nostr key follows recommend a mint (NIP-87). Read only: shown
//! beside the owner's own list, and never a reason to use or to contact a mint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::mint::MintAddress;
use crate::nostr::{End, Event, mint_review, npub};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, plain_url};

/// The name of the row.
const ROW: &str = "recommended";
/// How often it is asked, in seconds.
const PERIOD_SECONDS: u64 = 12 * 3_600;
/// How soon after no relay told, in seconds.
const SOONER_SECONDS: u64 = 1_800;
/// The most people whose words are asked for.
const MOST_PEOPLE: usize = 500;
/// The lowest rating that recommends.
const GOOD: u8 = 3;
/// How long one relay may take.
const ASKING: Duration = Duration::from_secs(6);

/// What followed people say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Recommended {
    /// When it was asked, in Unix seconds.
    at: u64,
    /// By mint: how many.
    mints: BTreeMap<String, u64>,
}

/// How many followed people recommend a mint. `None`: none that is known.
pub(crate) async fn recommended_by(
    core: &Core,
    mint: &MintAddress,
) -> Result<Option<u64>, Failure> {
    if core.nostr.is_none() {
        return Ok(None);
    }
    let row: Recommended = core.store.nostr_state(ROW).await?.unwrap_or_default();
    Ok(row.mints.get(mint.as_str()).copied())
}

/// Asks again, if the last time is long ago.
pub(crate) async fn ask_recommended(core: &Core, link: &Link) -> Result<(), Failure> {
    let (row, now) =
        (core.store.nostr_state::<Recommended>(ROW).await?.unwrap_or_default(), (core.clock)());
    if now < row.at.saturating_add(PERIOD_SECONDS) {
        return Ok(());
    }
    let me = link.parts.identity.public_key();
    // What no relay tells is not known: what was known before stays, and it is asked again
    // sooner.
    let later = Recommended {
        at: now.saturating_sub(PERIOD_SECONDS).saturating_add(SOONER_SECONDS),
        ..row
    };
    let Some(follows) = pages(link, &json!({"kinds": [3], "authors": [me], "limit": 1})).await
    else {
        return Ok(core.store.set_nostr_state(ROW, later).await?);
    };
    let newest =
        follows.into_iter().filter(|event| event.author() == me).max_by_key(Event::created_at);
    // Relays refuse the whole question for one name that is none.
    let keys =
        newest.iter().flat_map(|event| event.tag_values("p")).filter(|key| npub(key).is_some());
    let people: BTreeSet<String> = keys.take(MOST_PEOPLE).map(str::to_owned).collect();
    let mut by_mint: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if !people.is_empty() {
        let filter = json!({"kinds": [mint_review::REVIEW], "#k": ["38172"], "authors": people});
        let Some(reviews) = pages(link, &filter).await else {
            return Ok(core.store.set_nostr_state(ROW, later).await?);
        };
        for event in reviews {
            let Ok(review) = mint_review::read_review(&event) else { continue };
            if !people.contains(&review.author) || review.rating.is_some_and(|rating| rating < GOOD)
            {
                continue;
            }
            for mint in review.urls.iter().filter_map(|url| url.parse::<MintAddress>().ok()) {
                by_mint.entry(mint.to_string()).or_default().insert(review.author.clone());
            }
        }
    }
    let mints = by_mint.into_iter().map(|(mint, people)| (mint, people.len() as u64)).collect();
    Ok(core.store.set_nostr_state(ROW, Recommended { at: now, mints }).await?)
}

/// What the owner's relays tell. `None`: none was read to its end.
async fn pages(link: &Link, filter: &serde_json::Value) -> Option<Vec<Event>> {
    let pages = join_all(link.parts.urls.iter().map(|url| async {
        link.parts.anonymous_relays.page(&plain_url(url), filter, ASKING).await
    }))
    .await;
    let any = pages.iter().any(|page| matches!(page.end, End::Whole));
    any.then(|| pages.into_iter().flat_map(|page| page.events).collect())
}
