//! Reads every relay to its end, and takes in what this wallet's devices have written there.
//!
//! Silence of a relay means nothing, and a deletion makes a coin doubtful at most. An event that cannot be read is left where it is.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde_json::json;

use super::super::Wallet;
use super::super::error::Error;
use super::mirror::{DELETED_AT_ONCE, class, outgoing, unsigned};
use super::{Link, QUESTION, Sight, plain_url};
use crate::model::mint::MintAddress;
use crate::nostr::{End, Event, Identity, Listing, app_data, deletion, history_event, token_event};
use crate::store::{Absorbed, Outgoing, Queued, Seen, TokenEventRow};

/// How soon a deletion that a relay has lost is made again after the last time, in seconds: some relays keep none.
const DELETED_AGAIN_SECONDS: u64 = 60;

/// How far back the history of other devices is read, in seconds: an older invoice has run out.
const LINES_SECONDS: u64 = 14 * 86_400;

/// What a pull brought.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Pulled {
    /// Every relay of the owner was read to its end.
    pub(in super::super) whole: bool,
    /// Relays that answered at all.
    pub(in super::super) reached: usize,
    /// What was new.
    pub(in super::super) absorbed: Absorbed,
    /// What the wallet says of itself there: kinds 17375, 375, 10019, 10002, 7374, 30078.
    pub(in super::super) about: Vec<Event>,
    /// Ids of wallets of ours among them that cannot be read.
    pub(in super::super) unreadable: BTreeSet<String>,
    /// By relay that was read to its end: the ids of what it shows of that.
    pub(in super::super) about_at: BTreeMap<String, BTreeSet<String>>,
}

/// What one relay showed.
struct Shown {
    url: String,
    tokens: Listing,
    deletions: Listing,
    about: Listing,
    data: Listing,
    lines: Listing,
}

impl Shown {
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

impl Wallet {
    /// Reads all relays and takes in what they show.
    ///
    /// # Errors
    /// `storage_failed`. A relay that does not answer is no error.
    pub(in super::super) async fn pull(&self, link: &Link) -> Result<Pulled, Error> {
        let known = Known {
            tokens: self.store.known_token_events().await?,
            lines: self.store.known_lines().await?,
            lines_since: (self.clock)().saturating_sub(LINES_SECONDS),
        };
        let shown = join_all(link.parts.urls.iter().map(|url| look(link, plain_url(url), &known))).await;
        let mut pulled = Pulled { whole: true, ..Pulled::default() };
        let (mut tokens, mut deletions) = (BTreeMap::<String, Event>::new(), BTreeMap::<String, Event>::new());
        let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut undeleted: BTreeSet<String> = BTreeSet::new();
        let mut lines = Vec::new();
        pulled.about.extend(shown.iter().flat_map(|one| one.about.events.iter().chain(&one.data.events).cloned()));
        pulled.unreadable = self.learn_about(link, &pulled.about).await?;
        for one in shown {
            let sight = one.sight();
            pulled.whole &= sight == Sight::Whole;
            pulled.reached = pulled.reached.saturating_add(usize::from(sight != Sight::Away));
            link.seen().relays.insert(one.url.clone(), sight);
            if sight == Sight::Whole {
                let deleted: BTreeSet<String> =
                    one.deletions.events.iter().flat_map(|event| deletion::read(&link.parts.identity, event)).collect();
                undeleted.extend(one.tokens.ids.iter().filter(|id| !deleted.contains(*id)).cloned());
            }
            tokens.extend(one.tokens.events.into_iter().map(|event| (event.id().to_owned(), event)));
            deletions.extend(one.deletions.events.into_iter().map(|event| (event.id().to_owned(), event)));
            lines.extend(one.lines.events);
            if matches!(one.about.end, End::Whole) && !one.about.ids.iter().any(|id| pulled.unreadable.contains(id)) {
                link.seen().about_read.insert(one.url.clone());
            }
            if sight == Sight::Whole {
                pulled.about_at.insert(one.url.clone(), one.about.ids.into_iter().collect());
                held.insert(one.url, one.tokens.ids.into_iter().collect());
            }
        }
        let identity = link.parts.identity.clone();
        let opened = tokio::task::spawn_blocking(move || open_all(&identity, tokens.into_values(), deletions.into_values()));
        let (seen, gone) = opened.await.map_err(unsigned)?;
        pulled.absorbed = self.store.absorb(seen, gone).await?;
        let told = lines.iter().map(|line| {
            let hash = history_event::read(&link.parts.identity, line).ok().and_then(|line| line.payment_hash);
            (line.id().to_owned(), hash)
        });
        self.store.learn_lines(told.collect()).await?;
        self.bring_back(link, &held).await?;
        self.delete_again(link, undeleted).await?;
        let mut seen = link.seen();
        seen.whole = pulled.whole;
        seen.pulled = true;
        Ok(pulled)
    }

    /// Live events that a relay does not hold although it was read to its end go to it again, as they are.
    async fn bring_back(&self, link: &Link, held: &BTreeMap<String, BTreeSet<String>>) -> Result<(), Error> {
        let live = self.store.live_token_events().await?;
        let events = live.iter().filter(|row| !row.json.is_empty());
        let rows = events.map(|row| Outgoing::new(&row.id, token_event::KIND, &row.json, class::TOKEN, (self.clock)()));
        self.send_again(link, rows.collect(), held).await
    }

    /// Each of these events goes to every relay that was read to its end and does not show it, whatever it has said before.
    pub(super) async fn send_again(
        &self,
        link: &Link,
        events: Vec<Outgoing>,
        held: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<(), Error> {
        let _no_round_meanwhile = link.flushing.lock().await;
        let queue = self.store.outbox().await?;
        let queued: BTreeMap<&str, &Queued> = queue.iter().map(|one| (one.event.id.as_str(), one)).collect();
        let (mut changed, mut new) = (Vec::new(), Vec::new());
        for mut event in events {
            let lacking: BTreeSet<&String> = held.iter().filter(|(_, ids)| !ids.contains(&event.id)).map(|(url, _)| url).collect();
            if lacking.is_empty() {
                continue;
            }
            if let Some(one) = queued.get(event.id.as_str()) {
                let mut one = Queued::clone(one);
                one.event.acked.retain(|url| !lacking.contains(url));
                if one.event.acked.len() < queued.get(event.id.as_str()).map_or(0, |one| one.event.acked.len()) {
                    one.event.next_at = 0;
                    changed.push(one);
                    link.behind(&lacking);
                }
                continue;
            }
            event.acked = held.keys().filter(|url| !lacking.contains(url)).cloned().collect();
            link.behind(&lacking);
            new.push(event);
        }
        self.store.published(changed, Vec::new()).await?;
        if new.is_empty() { Ok(()) } else { Ok(self.store.queue_all(new).await?) }
    }
}

impl Wallet {
    /// Deletions that some relay has lost: it shows an event that is gone, and nothing there says so. Other devices would believe it.
    async fn delete_again(&self, link: &Link, undeleted: BTreeSet<String>) -> Result<(), Error> {
        let on_its_way = self.store.outbox().await?.iter().any(|one| one.event.class == class::DELETION);
        let now = (self.clock)();
        let lately = link.seen().deleted_again_at.is_some_and(|at| now < at.saturating_add(DELETED_AGAIN_SECONDS));
        let gone = if on_its_way || lately { Vec::new() } else { self.store.gone_among(undeleted).await? };
        if !gone.is_empty() {
            link.seen().deleted_again_at = Some(now);
        }
        for some in gone.chunks(DELETED_AT_ONCE) {
            let event = deletion::write(&link.parts.identity, some, now).map_err(unsigned)?;
            self.store.queue(outgoing(&event, class::DELETION, now)).await?;
        }
        Ok(())
    }
}

/// What need not be read again.
struct Known {
    tokens: BTreeSet<String>,
    lines: BTreeSet<String>,
    lines_since: u64,
}

async fn look(link: &Link, url: String, known: &Known) -> Shown {
    let (relays, me) = (&link.parts.relays, link.parts.identity.public_key());
    let tokens = relays.all(&url, &json!({"kinds": [7375], "authors": [me]}), |id| known.tokens.contains(id), QUESTION).await;
    let deletions = relays.all(&url, &json!({"kinds": [5], "authors": [me], "#k": ["7375"]}), |_| false, QUESTION).await;
    let about = relays.all(&url, &json!({"kinds": [17375, 375, 10019, 10002, 7374], "authors": [me]}), |_| false, QUESTION).await;
    // Of the key's app data only what is ours; and never the list of mints, which is kept without our name.
    let data = json!({"kinds": [app_data::KIND], "authors": [me], "#d": [app_data::DEVICES]});
    let data = relays.all(&url, &data, |_| false, QUESTION).await;
    let filter = json!({"kinds": [7376], "authors": [me], "since": known.lines_since});
    let lines = relays.all(&url, &filter, |id| known.lines.contains(id), QUESTION).await;
    Shown { url, tokens, deletions, about, data, lines }
}

/// Opens what can be opened. What cannot is neither counted nor deleted.
fn open_all(identity: &Identity, tokens: impl Iterator<Item = Event>, deletions: impl Iterator<Item = Event>) -> (Vec<Seen>, Vec<String>) {
    let gone = deletions.flat_map(|event| deletion::read(identity, &event)).collect();
    let mut seen = Vec::new();
    for event in tokens {
        let Ok(token) = token_event::read(identity, &event) else {
            tracing::debug!("a token event could not be read; it is left as it is");
            continue;
        };
        let mint = token.mint.parse::<MintAddress>().map_or_else(|_| token.mint.clone(), |mint| mint.to_string());
        let (mut ys, mut proofs) = (Vec::new(), Vec::new());
        for proof in token.proofs {
            if let Ok(y) = proof.y() {
                ys.push(y);
                proofs.push(proof);
            }
        }
        let (id, json) = (event.id().to_owned(), event.json().to_owned());
        let row =
            TokenEventRow { id, mint, unit: token.unit, created_at: event.created_at(), ys, partial: token.unreadable_proofs > 0, json };
        seen.push(Seen { event: row, proofs, del: token.del });
    }
    (seen, gone)
}
