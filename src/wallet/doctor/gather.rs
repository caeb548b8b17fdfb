//! Gathers the evidence for `doctor`: the wallet's events on relays, decrypted, and what the store
//! knows about them.
//!
//! Read only. Private keys stay in this module. Events that the store already has are not read
//! again, so that a long history fits into one read.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::State;
use futures::future::join_all;
use serde_json::json;

use crate::model::mint::MintAddress;
use crate::model::secret::Secret;
use crate::nostr::nutzap_key::NutzapKey;
use crate::nostr::{
    End, Event, Listing, deletion, history_event, nutzap_info, quote_event, relay_list,
    token_event, wallet_event,
};
use crate::store::{QueuedEvent, RemoteProofState};
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, QUESTION, plain_url};
use crate::wallet::doctor::findings::{Evidence, RelayContents, Token, Wallets};
use crate::wallet::sync::pull::AlreadyRead;

/// Events from one relay.
pub(crate) struct RelayListings {
    url: String,
    pub(crate) about: Listing,
    tokens: Listing,
    deletions: Listing,
    lines: Listing,
}

impl RelayListings {
    /// Returns the reason why it was not read completely. `Err`: it could not be reached.
    pub(crate) fn reason(&self) -> Result<Option<&str>, &str> {
        let ends = [&self.about.end, &self.tokens.end, &self.deletions.end, &self.lines.end];
        if let Some(End::Unreachable(reason)) =
            ends.iter().find(|end| matches!(end, End::Unreachable(_)))
        {
            return if ends.iter().all(|end| matches!(end, End::Unreachable(_))) {
                Err(reason)
            } else {
                Ok(Some(reason))
            };
        }
        Ok(ends
            .iter()
            .find_map(|end| if let End::Cut(reason) = end { Some(reason.as_str()) } else { None }))
    }
}

/// A quote named by an event.
pub(crate) struct NamedQuote {
    pub(crate) event: String,
    pub(crate) mint: MintAddress,
    pub(crate) id: Secret,
    pub(crate) sats: Option<u64>,
}

/// Collects the relays' events, decrypted, and what the store knows about them.
pub(super) async fn gather(
    core: &Core,
    link: &Link,
    setup: &Setup,
    read: &[RelayListings],
    queue: &[QueuedEvent],
    known: AlreadyRead,
) -> Result<(Evidence, Vec<NamedQuote>), Failure> {
    let mut evidence = Evidence { seen: known.tokens.into_keys().collect(), ..Evidence::default() };
    let (mut quotes, mut lines) = (BTreeMap::new(), BTreeSet::<&String>::new());
    let deletions: BTreeSet<&String> = read.iter().flat_map(|one| &one.deletions.ids).collect();
    let deletions = core.store.deletions(deletions.into_iter().cloned().collect()).await?;
    let names: BTreeMap<&String, &Vec<String>> =
        deletions.iter().map(|known| (&known.id, &known.ids)).collect();
    for one in read {
        let new = one
            .deletions
            .events
            .iter()
            .flat_map(|event| deletion::read(&link.parts.identity, event));
        let before =
            one.deletions.ids.iter().filter_map(|id| names.get(id)).flat_map(|ids| (*ids).clone());
        let (tokens, deleted) =
            (one.tokens.ids.iter().cloned().collect(), new.chain(before).collect());
        evidence.relays.push(RelayContents {
            url: one.url.clone(),
            whole: one.reason() == Ok(None),
            tokens,
            deleted,
        });
        lines.extend(&one.lines.ids);
        for event in one.about.events.iter().chain(&one.tokens.events).chain(&one.lines.events) {
            take(link, event, &mut evidence, &mut quotes);
        }
    }
    for row in core.store.live_token_events().await? {
        if evidence.relays.iter().any(|relay| relay.tokens.contains(&row.id))
            && let Ok(event) = Event::read(&row.json)
        {
            take(link, &event, &mut evidence, &mut quotes);
        }
    }
    let shown: BTreeSet<String> =
        evidence.relays.iter().flat_map(|relay| relay.tokens.iter().cloned()).collect();
    evidence.deleted = core.store.gone_among(shown).await?.into_keys().collect();
    let deleted: Vec<String> =
        evidence.relays.iter().flat_map(|relay| relay.deleted.iter().cloned()).collect();
    evidence.deleted.extend(deleted);
    if evidence.relays.iter().all(|relay| relay.whole) {
        lines.extend(queue.iter().map(|one| &one.event.id));
        evidence.lost_lines = known.lines.into_keys().filter(|id| !lines.contains(id)).collect();
    }
    for mint in setup.mints() {
        let others = vec![
            RemoteProofState::Unverified,
            RemoteProofState::Unspent,
            RemoteProofState::Pending,
        ];
        evidence.held.extend(core.store.remote_proofs(mint.address.to_string(), others).await?);
    }
    for coin in core.store.proofs_in(Some(vec![State::Unspent])).await? {
        if setup.mints().any(|mint| mint.address.as_str() == coin.mint_url.to_string()) {
            evidence.held.insert(coin.y, coin.proof);
        }
    }
    Ok((evidence, quotes.into_values().collect()))
}

/// Reads all history events, known ones too: one may name the end of an unseen token event.
pub(crate) async fn read_ends(link: &Link, evidence: &mut Evidence) {
    let (relays, identity) = (&link.parts.relays, &link.parts.identity);
    let filter = json!({"kinds": [history_event::KIND], "authors": [identity.public_key()]});
    let urls: Vec<String> = link.parts.urls.iter().map(|url| plain_url(url)).collect();
    for listing in
        join_all(urls.iter().map(|url| relays.all(url, &filter, |_| false, QUESTION))).await
    {
        evidence.ends_unread |= listing.end != End::Whole;
        evidence.ended.extend(
            listing
                .events
                .iter()
                .filter_map(|event| history_event::read(identity, event).ok())
                .flat_map(|line| line.destroyed),
        );
    }
}

/// Reads the wallet's events from one relay.
pub(crate) async fn read(link: &Link, url: String, known: &AlreadyRead) -> RelayListings {
    let (relays, me) = (&link.parts.relays, link.parts.identity.public_key());
    // First, because a relay may send an authentication challenge (NIP-42) with its first answer;
    // later queries are then authenticated.
    let about = [
        wallet_event::KIND,
        wallet_event::BACKUP,
        nutzap_info::KIND,
        relay_list::KIND,
        quote_event::KIND,
    ];
    let about =
        relays.all(&url, &json!({"kinds": about, "authors": [me]}), |_| false, QUESTION).await;
    let tokens = relays
        .read_new(
            &url,
            &json!({"kinds": [token_event::KIND], "authors": [me]}),
            &known.tokens,
            QUESTION,
        )
        .await;
    let deletions = json!({"kinds": [deletion::KIND], "authors": [me], "#k": ["7375"]});
    let deletions = relays.read_new(&url, &deletions, &known.deletions, QUESTION).await;
    let lines = relays
        .read_new(
            &url,
            &json!({"kinds": [history_event::KIND], "authors": [me]}),
            &known.lines,
            QUESTION,
        )
        .await;
    RelayListings { url, about, tokens, deletions, lines }
}

/// Decrypts one event and adds its contents to the evidence.
fn take(
    link: &Link,
    event: &Event,
    evidence: &mut Evidence,
    quotes: &mut BTreeMap<String, NamedQuote>,
) {
    let (identity, id) = (&link.parts.identity, event.id().to_owned());
    let read = match event.kind() {
        token_event::KIND => token_event::read(identity, event).map(|token| {
            if token.unreadable_proofs > 0 {
                evidence.malformed.insert(id.clone());
            }
            let mint = token
                .mint
                .parse::<MintAddress>()
                .map_or_else(|_| token.mint.clone(), |mint| mint.to_string());
            let coins = token
                .proofs
                .into_iter()
                .filter_map(|proof| Some((proof.y().ok()?, proof)))
                .collect();
            evidence
                .tokens
                .insert(id.clone(), Token { mint, unit: token.unit, coins, del: token.del });
        }),
        history_event::KIND => {
            history_event::read(identity, event).map(|line| evidence.ended.extend(line.destroyed))
        }
        quote_event::KIND => quote_event::read(identity, event).map(|quote| {
            let sats =
                quote.amount.filter(|_| quote.unit.as_deref().is_none_or(|unit| unit == "sat"));
            if let Some(mint) = quote.mint.and_then(|mint| mint.parse().ok()) {
                quotes.insert(
                    id.clone(),
                    NamedQuote { event: id.clone(), mint, id: quote.quote_id, sats },
                );
            }
        }),
        // Public events that are not part of the wallet event.
        nutzap_info::KIND | relay_list::KIND => return,
        _ => wallet_event::read(identity, event).map(|wallet| {
            let keys = wallet
                .privkeys
                .iter()
                .filter_map(|key| NutzapKey::from_secret(key).ok())
                .map(|key| key.public_x().to_owned());
            if event.kind() == wallet_event::KIND {
                evidence.wallets.push(Wallets {
                    at: event.created_at(),
                    id: id.clone(),
                    keys: keys.collect(),
                });
            }
        }),
    };
    if read.is_err() {
        evidence.malformed.insert(id);
    }
}
