//! Looks at the wallet on its relays, and says how it stands: reads every relay, asks the mints
//! about the coins, and judges.
//!
//! Writes nothing to a relay and changes no coin, deposit or event of the wallet. Keys stay in
//! here. What the store knows of an event is not read again, so that a long past fits into one
//! reading.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey, State};
use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::super::Wallet;
use super::super::coins::sum_sats;
use super::super::error::Error;
use super::super::rules::Setup;
use super::super::view::{RelayStanding, RelaysReport};
use super::findings::{Evidence, Shown, Token, Wallets};
use super::{Link, QUESTION, plain_url};
use crate::mint::issue::IssueState;
use crate::model::deposit::DepositState;
use crate::model::mint::MintAddress;
use crate::nostr::p2pk::NutzapKey;
use crate::nostr::{
    End, Event, Listing, deletion, history_event, nutzap_info, quote_event, relay_list,
    token_event, wallet_event,
};
use crate::store::{ForeignState, Queued, Times};

/// Quotes of one mint that are asked about.
const QUOTES: usize = 50;

/// What need not be read again.
struct Known {
    tokens: Times,
    deletions: Times,
    lines: Times,
}

/// What one relay gave.
struct Read {
    url: String,
    about: Listing,
    tokens: Listing,
    deletions: Listing,
    lines: Listing,
}

impl Read {
    /// Why it was not read to its end. `Err`: it could not be reached.
    fn reason(&self) -> Result<Option<&str>, &str> {
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

/// A quote that an event names.
struct Quote {
    event: String,
    mint: MintAddress,
    id: crate::model::secret::Secret,
    sats: Option<u64>,
}

impl Wallet {
    /// How the wallet stands on its relays, and what is wrong there. `None`: there are no relays.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`. Relays and mints that do not answer are no error: the
    /// report says so.
    ///
    /// # Cancel safety
    /// Safe to drop: it only asks.
    pub async fn examine_relays(&self) -> Result<Option<RelaysReport>, Error> {
        let Some(link) = &self.nostr else { return Ok(None) };
        let setup = self.setup().await?;
        let known = Known {
            tokens: self.store.known_token_events().await?,
            deletions: self.store.known_deletions().await?,
            lines: self.store.known_lines(0).await?,
        };
        let read =
            join_all(link.parts.urls.iter().map(|url| read(link, plain_url(url), &known))).await;
        let about: Vec<Event> =
            read.iter().flat_map(|one| one.about.events.iter().cloned()).collect();
        let queue = self.store.outbox().await?;
        let (mut evidence, quotes) = self.gather(link, &setup, &read, &queue, known).await?;
        if !evidence.missing().is_empty() {
            read_ends(link, &mut evidence).await;
        }
        let asked =
            join_all(setup.mints().map(|mint| self.words_of(&mint.address, &evidence))).await;
        evidence.words = asked.into_iter().flatten().collect();
        evidence.quotes = self.paid_quotes(&setup, quotes).await?;

        let refusals = self.store.refusals().await?;
        let mut relays = Vec::new();
        for (one, shown) in read.iter().zip(&evidence.relays) {
            let waiting = queue.iter().filter_map(|queued| {
                Some((&queued.event.id, queued.event.refused.get(&shown.url)?))
            });
            let gone =
                refusals.iter().filter(|no| no.relay == shown.url).map(|no| (&no.id, &no.reason));
            relays.push(
                self.standing(link, one, shown, &evidence, gone.chain(waiting).collect()).await?,
            );
        }
        let coins = evidence.live_coins();
        let sum = |wanted: &dyn Fn(Option<&State>) -> bool| {
            sum_sats(
                coins
                    .iter()
                    .filter(|(y, _)| wanted(evidence.words.get(*y)))
                    .map(|(_, proof)| *proof),
            )
        };
        Ok(Some(RelaysReport {
            npub: link.npub(),
            money: setup.money.into(),
            relays,
            on_relays_sats: sum(&|_| true),
            checked_sats: sum(&|word| word == Some(&State::Unspent)),
            unchecked_sats: sum(&|word| word.is_none()),
            here_sats: self.spendable(&setup).await?,
            findings: evidence.findings(),
            next_step: self.in_the_way(link, &about).await?,
        }))
    }

    /// What the relays gave, opened, beside what the store knows of it.
    async fn gather(
        &self,
        link: &Link,
        setup: &Setup,
        read: &[Read],
        queue: &[Queued],
        known: Known,
    ) -> Result<(Evidence, Vec<Quote>), Error> {
        let mut evidence =
            Evidence { seen: known.tokens.into_keys().collect(), ..Evidence::default() };
        let (mut quotes, mut lines) = (BTreeMap::new(), BTreeSet::<&String>::new());
        let deletions: BTreeSet<&String> = read.iter().flat_map(|one| &one.deletions.ids).collect();
        let deletions = self.store.deletions(deletions.into_iter().cloned().collect()).await?;
        let names: BTreeMap<&String, &Vec<String>> =
            deletions.iter().map(|known| (&known.id, &known.ids)).collect();
        for one in read {
            let new = one
                .deletions
                .events
                .iter()
                .flat_map(|event| deletion::read(&link.parts.identity, event));
            let before = one
                .deletions
                .ids
                .iter()
                .filter_map(|id| names.get(id))
                .flat_map(|ids| (*ids).clone());
            let (tokens, deleted) =
                (one.tokens.ids.iter().cloned().collect(), new.chain(before).collect());
            evidence.relays.push(Shown {
                url: one.url.clone(),
                whole: one.reason() == Ok(None),
                tokens,
                deleted,
            });
            lines.extend(&one.lines.ids);
            for event in one.about.events.iter().chain(&one.tokens.events).chain(&one.lines.events)
            {
                take(link, event, &mut evidence, &mut quotes);
            }
        }
        for row in self.store.live_token_events().await? {
            if evidence.relays.iter().any(|relay| relay.tokens.contains(&row.id))
                && let Ok(event) = Event::read(&row.json)
            {
                take(link, &event, &mut evidence, &mut quotes);
            }
        }
        let shown: BTreeSet<String> =
            evidence.relays.iter().flat_map(|relay| relay.tokens.iter().cloned()).collect();
        evidence.deleted = self.store.gone_among(shown).await?.into_keys().collect();
        let deleted: Vec<String> =
            evidence.relays.iter().flat_map(|relay| relay.deleted.iter().cloned()).collect();
        evidence.deleted.extend(deleted);
        if evidence.relays.iter().all(|relay| relay.whole) {
            lines.extend(queue.iter().map(|one| &one.event.id));
            evidence.lost_lines =
                known.lines.into_keys().filter(|id| !lines.contains(id)).collect();
        }
        for mint in setup.mints() {
            let others = vec![ForeignState::Doubtful, ForeignState::Unspent, ForeignState::Pending];
            evidence.held.extend(self.store.foreign_coins(mint.address.to_string(), others).await?);
        }
        for coin in self.store.coins_in(Some(vec![State::Unspent])).await? {
            if setup.mints().any(|mint| mint.address.as_str() == coin.mint_url.to_string()) {
                evidence.held.insert(coin.y, coin.proof);
            }
        }
        Ok((evidence, quotes.into_values().collect()))
    }

    /// What one mint says of the coins that it can have made. Nothing where it does not answer.
    async fn words_of(
        &self,
        address: &MintAddress,
        evidence: &Evidence,
    ) -> Vec<(PublicKey, State)> {
        let asked = async {
            let mint = self.mints.at(address).ok()?;
            let at_mint = evidence.tokens.values().filter(|token| token.mint == address.as_str());
            let mut coins: BTreeMap<PublicKey, &Proof> = at_mint
                .flat_map(|token| token.coins.iter().map(|(y, proof)| (*y, proof)))
                .collect();
            // A mint calls any coin unspent that it does not know, one of another mint too.
            coins.extend(evidence.held.iter().map(|(y, proof)| (*y, proof)));
            if coins.is_empty() {
                return None;
            }
            let made =
                mint.may_have_made(&coins.values().copied().collect::<Vec<_>>()).await.ok()?;
            let ys: Vec<PublicKey> =
                coins.into_keys().zip(made).filter(|(_, made)| *made).map(|(y, _)| y).collect();
            let states = mint.states(ys.clone()).await.ok()?;
            Some(ys.into_iter().zip(states).collect())
        };
        timeout(QUESTION, asked).await.ok().flatten().unwrap_or_default()
    }

    /// Quotes that are paid and not claimed: the wallet's own, and those that events name, by their
    /// mints' word.
    async fn paid_quotes(
        &self,
        setup: &Setup,
        quotes: Vec<Quote>,
    ) -> Result<Vec<(Option<String>, Option<u64>)>, Error> {
        let own = self.store.open_deposits().await?;
        let known: BTreeSet<&str> = own.iter().map(|deposit| deposit.quote_id.as_str()).collect();
        let others = quotes.iter().filter(|quote| !known.contains(quote.id.reveal()));
        let others = others
            .map(|quote| (&quote.mint, quote.id.reveal(), Some(quote.event.clone()), quote.sats));
        let unpaid = own.iter().filter(|deposit| deposit.state != DepositState::Paid);
        let unpaid = unpaid.map(|deposit| {
            (&deposit.mint, deposit.quote_id.as_str(), None, Some(deposit.amount_sats))
        });
        let asked: Vec<_> = others
            .chain(unpaid)
            .filter(|(mint, ..)| setup.mint(mint).is_some())
            .take(QUOTES)
            .collect();
        let paid = join_all(asked.into_iter().map(|(mint, id, event, sats)| async move {
            let state =
                timeout(QUESTION, self.mints.at(mint).ok()?.deposit_state(id)).await.ok()?.ok()?;
            (state == IssueState::Paid).then_some((event, sats))
        }));
        let claimable = own
            .iter()
            .filter(|deposit| deposit.state == DepositState::Paid)
            .map(|deposit| (None, Some(deposit.amount_sats)));
        Ok(paid.await.into_iter().flatten().chain(claimable).collect())
    }

    async fn standing(
        &self,
        link: &Link,
        read: &Read,
        shown: &Shown,
        evidence: &Evidence,
        refused: BTreeMap<&String, &String>,
    ) -> Result<RelayStanding, Error> {
        let (lacks, undeleted) = (evidence.lacking(shown).len(), evidence.undeleted(shown).len());
        let (state, reason) = match read.reason() {
            Err(reason) => ("unreachable", Some(reason)),
            Ok(Some(reason)) => ("partial", Some(reason)),
            Ok(None) if !refused.is_empty() => {
                ("refuses", refused.values().next().map(|reason| reason.as_str()))
            }
            Ok(None) if lacks > 0 => ("behind", None),
            Ok(None) if undeleted > 0 => ("forgets_deletions", None),
            Ok(None) => ("synced", None),
        };
        Ok(RelayStanding {
            url: shown.url.clone(),
            state,
            events: evidence.live().into_iter().filter(|id| shown.tokens.contains(*id)).count(),
            lacks,
            undeleted,
            refused: refused.len(),
            unpublished: self.unpublished_at(link, &shown.url).await?,
            untrusted_reason: reason.map(str::to_owned),
        })
    }
}

/// Reads the lines that this wallet has read before as well: one of them may say what ended a token
/// event that nobody has seen here.
async fn read_ends(link: &Link, evidence: &mut Evidence) {
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

/// Reads the wallet's events at one relay.
async fn read(link: &Link, url: String, known: &Known) -> Read {
    let (relays, me) = (&link.parts.relays, link.parts.identity.public_key());
    // First, because a relay that has asked who reads there is told after the first reading, and
    // named for those that follow.
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
    Read { url, about, tokens, deletions, lines }
}

/// Opens one event, and puts what it says where it belongs.
fn take(link: &Link, event: &Event, evidence: &mut Evidence, quotes: &mut BTreeMap<String, Quote>) {
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
                    Quote { event: id.clone(), mint, id: quote.quote_id, sats },
                );
            }
        }),
        // Public, and not of the wallet itself.
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
