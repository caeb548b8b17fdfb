//! Counts the followed people who recommend a mint (NIP-87).
//!
//! Shown together with the owner's own list; never a reason to use or contact a mint.

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

/// Row name in the store.
const ROW: &str = "recommended";
/// Interval between queries, in seconds.
const PERIOD_SECONDS: u64 = 12 * 3_600;
/// Interval after a query that no relay answered, in seconds.
const SOONER_SECONDS: u64 = 1_800;
/// Maximum number of people whose reviews are queried.
const MOST_PEOPLE: usize = 500;
/// Lowest rating that counts as a recommendation.
const GOOD: u8 = 3;
/// Timeout of one relay.
const ASKING: Duration = Duration::from_secs(6);

/// Recommendations by followed people.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Recommended {
    /// Unix seconds of the last query.
    at: u64,
    /// Number of people, by mint.
    mints: BTreeMap<String, u64>,
}

/// Returns the number of followed people who recommend a mint. `None`: none known.
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

/// Queries the recommendations again if they are out of date.
pub(crate) async fn ask_recommended(core: &Core, link: &Link) -> Result<(), Failure> {
    let (row, now) =
        (core.store.nostr_state::<Recommended>(ROW).await?.unwrap_or_default(), (core.clock)());
    if now < row.at.saturating_add(PERIOD_SECONDS) {
        return Ok(());
    }
    let me = link.parts.identity.public_key();
    // If no relay answers, the old numbers stay, and the next query comes sooner.
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
    // Relays reject the whole query for one invalid key.
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

/// Queries the owner's relays. `None`: none was read completely.
async fn pages(link: &Link, filter: &serde_json::Value) -> Option<Vec<Event>> {
    let pages = join_all(link.parts.urls.iter().map(|url| async {
        link.parts.anonymous_relays.page(&plain_url(url), filter, ASKING).await
    }))
    .await;
    let any = pages.iter().any(|page| matches!(page.end, End::Whole));
    any.then(|| pages.into_iter().flat_map(|page| page.events).collect())
}
