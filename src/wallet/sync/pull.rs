//! Reads all events of this wallet from every relay and stores them.
//!
//! Silence of a relay means nothing; a deletion only puts proofs in doubt. Unreadable events stay.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde_json::json;

use crate::model::mint::MintAddress;
use crate::nostr::{End, Event, Identity, Listing, app_data, deletion, history_event, token_event};
use crate::store::{Deletion, EventTimes, Merged, SeenTokenEvent, TokenEventRow};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, QUESTION, Sight, plain_url};
use crate::wallet::outbox::queue::{self, unsigned};
use crate::wallet::sync::send_again::{ShownEvents, make_good};
use crate::wallet::wallet_event::known::learn_about;

/// Age limit of other devices' history, in seconds; invoices older than this have expired.
const LINES_SECONDS: u64 = 14 * 86_400;

/// Result of a pull.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulled {
    /// `true` if all of the owner's relays were read completely.
    pub(crate) whole: bool,
    /// Number of relays that answered at all.
    pub(crate) reached: usize,
    /// New events and proofs.
    pub(crate) absorbed: Merged,
    /// Sats of proofs that relays no longer show and that turned out to be spent.
    pub(crate) dropped_sats: u64,
    /// Events about the wallet itself: kinds 17375, 375, 10019, 10002, 7374, 30078.
    pub(crate) about: Vec<Event>,
    /// Ids of our own wallet events that cannot be read.
    pub(crate) unreadable: BTreeSet<String>,
    /// Ids of those events (except kind 30078), by completely read relay.
    pub(crate) about_at: BTreeMap<String, BTreeSet<String>>,
}

/// Events that one relay showed.
struct RelayEvents {
    url: String,
    tokens: Listing,
    deletions: Listing,
    about: Listing,
    data: Listing,
    lines: Listing,
}

impl RelayEvents {
    fn sight(&self) -> Sight {
        let ends = [&self.tokens.end, &self.deletions.end, &self.about.end, &self.data.end];
        if ends.iter().all(|end| matches!(end, End::Whole)) {
            Sight::Whole
        } else if ends.iter().all(|end| matches!(end, End::Unreachable(_))) {
            Sight::Away
        } else {
            Sight::Cut
        }
    }
}

/// Reads all relays and stores what they show. A relay that does not answer is skipped.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
pub(crate) async fn pull(core: &Core, link: &Link) -> Result<Pulled, Failure> {
    let lines_since = (core.clock)().saturating_sub(LINES_SECONDS);
    let mut known = known(core, lines_since).await?;
    let shown =
        join_all(link.parts.urls.iter().map(|url| look(link, plain_url(url), &known))).await;
    let mut pulled = Pulled { whole: true, ..Pulled::default() };
    let (mut tokens, mut deletions) =
        (BTreeMap::<String, Event>::new(), BTreeMap::<String, Event>::new());
    let (mut held, mut deleted) = (ShownEvents::new(), ShownEvents::new());
    let mut lines = Vec::new();
    pulled.about.extend(
        shown.iter().flat_map(|one| one.about.events.iter().chain(&one.data.events).cloned()),
    );
    pulled.unreadable = learn_about(core, link, &pulled.about).await?;
    for one in shown {
        let sight = one.sight();
        pulled.whole &= sight == Sight::Whole;
        pulled.reached = pulled.reached.saturating_add(usize::from(sight != Sight::Away));
        link.seen().relays.insert(one.url.clone(), sight);
        tokens.extend(one.tokens.events.into_iter().map(|event| (event.id().to_owned(), event)));
        deletions
            .extend(one.deletions.events.into_iter().map(|event| (event.id().to_owned(), event)));
        lines.extend(one.lines.events);
        if matches!(one.about.end, End::Whole)
            && !one.about.ids.iter().any(|id| pulled.unreadable.contains(id))
        {
            link.seen().about_read.insert(one.url.clone());
        }
        if sight == Sight::Whole {
            pulled.about_at.insert(one.url.clone(), one.about.ids.into_iter().collect());
            deleted.insert(one.url.clone(), one.deletions.ids.into_iter().collect());
            held.insert(one.url, one.tokens.ids.into_iter().collect());
        }
    }
    let time = |event: &Event| (event.id().to_owned(), event.created_at());
    known.tokens.extend(tokens.values().map(time));
    known.deletions.extend(deletions.values().map(time));
    let identity = link.parts.identity.clone();
    let opened = tokio::task::spawn_blocking(move || {
        open_all(&identity, tokens.into_values(), deletions.into_values())
    });
    let (seen, gone) = opened.await.map_err(unsigned)?;
    pulled.absorbed = core.store.merge_events(seen, gone).await?;
    let told = lines.iter().map(|line| {
        let hash =
            history_event::read(&link.parts.identity, line).ok().and_then(|line| line.payment_hash);
        (line.id().to_owned(), line.created_at(), hash)
    });
    core.store.add_history_events(told.collect()).await?;
    pulled.dropped_sats = make_good(core, link, &held, &deleted, &known, pulled.whole).await?;
    let mut seen = link.seen();
    seen.whole = pulled.whole;
    seen.pulled = true;
    Ok(pulled)
}

/// Returns the events that the store already has; history only since `lines_since` (Unix seconds).
pub(crate) async fn known(core: &Core, lines_since: u64) -> Result<AlreadyRead, Failure> {
    Ok(AlreadyRead {
        tokens: core.store.known_token_events().await?,
        deletions: core.store.known_deletions().await?,
        lines: core.store.known_history_events(lines_since).await?,
        lines_since,
    })
}

/// Events that need not be read again.
pub(crate) struct AlreadyRead {
    pub(crate) tokens: EventTimes,
    pub(crate) deletions: EventTimes,
    pub(crate) lines: EventTimes,
    lines_since: u64,
}

async fn look(link: &Link, url: String, known: &AlreadyRead) -> RelayEvents {
    let (relays, me) = (&link.parts.relays, link.parts.identity.public_key());
    // First, because a relay may send an authentication challenge (NIP-42) with its first answer;
    // later queries are then authenticated.
    let about = relays
        .all(
            &url,
            &json!({"kinds": [17375, 375, 10019, 10002, 7374], "authors": [me]}),
            |_| false,
            QUESTION,
        )
        .await;
    let tokens = relays
        .read_new(&url, &json!({"kinds": [7375], "authors": [me]}), &known.tokens, QUESTION)
        .await;
    let deletions = relays
        .read_new(
            &url,
            &json!({"kinds": [5], "authors": [me], "#k": ["7375"]}),
            &known.deletions,
            QUESTION,
        )
        .await;
    // Only our own app data, and never the mint list, which must not be linked to this key.
    let data = json!({"kinds": [app_data::KIND], "authors": [me], "#d": [app_data::DEVICES]});
    let data = relays.all(&url, &data, |_| false, QUESTION).await;
    let filter = json!({"kinds": [7376], "authors": [me], "since": known.lines_since});
    let lines = relays.read_new(&url, &filter, &known.lines, QUESTION).await;
    RelayEvents { url, tokens, deletions, about, data, lines }
}

/// Decrypts what it can. Unreadable events are neither counted nor deleted.
fn open_all(
    identity: &Identity,
    tokens: impl Iterator<Item = Event>,
    deletions: impl Iterator<Item = Event>,
) -> (Vec<SeenTokenEvent>, Vec<Deletion>) {
    let gone =
        deletions.map(|event| queue::deleted(&event, &deletion::read(identity, &event))).collect();
    let mut seen = Vec::new();
    for event in tokens {
        let Ok(token) = token_event::read(identity, &event) else {
            tracing::debug!("a token event could not be read; it is left as it is");
            continue;
        };
        let mint = token
            .mint
            .parse::<MintAddress>()
            .map_or_else(|_| token.mint.clone(), |mint| mint.to_string());
        let (mut ys, mut proofs) = (Vec::new(), Vec::new());
        for proof in token.proofs {
            if let Ok(y) = proof.y() {
                ys.push(y);
                proofs.push(proof);
            }
        }
        let (id, json) = (event.id().to_owned(), event.json().to_owned());
        let row = TokenEventRow {
            id,
            mint,
            unit: token.unit,
            created_at: event.created_at(),
            ys,
            partial: token.unreadable_proofs > 0,
            json,
        };
        seen.push(SeenTokenEvent { event: row, proofs, del: token.del });
    }
    (seen, gone)
}
