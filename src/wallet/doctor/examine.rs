//! Examines the wallet on its relays: reads relays, asks the mints about the proofs, and judges.
//!
//! Writes nothing to a relay, and changes no proof, deposit or event of the wallet.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{Proof, PublicKey, State};
use futures::future::join_all;
use tokio::time::timeout;

use crate::mint::issue::IssueState;
use crate::model::deposit::DepositState;
use crate::model::mint::{MintAddress, MoneyKind};
use crate::nostr::Event;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{InTheWay, Link, QUESTION, plain_url};
use crate::wallet::doctor::findings::{Evidence, Finding, RelayContents};
use crate::wallet::doctor::gather::{NamedQuote, RelayListings, gather, read, read_ends};
use crate::wallet::outbox::counts::unpublished_at;
use crate::wallet::proofs::balances::spendable;
use crate::wallet::proofs::changes::sum_sats;
use crate::wallet::sync::OwnRelays;
use crate::wallet::sync::pull::known;
use crate::wallet::wallet_event::known::in_the_way;

/// Maximum number of quotes asked about, over all mints.
const QUOTES: usize = 50;

/// Report on the wallet on relays. Contains no key, no proof and no quote id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaysReport {
    /// The wallet's public key, as npub.
    pub npub: String,
    /// Kind of money.
    pub money: MoneyKind,
    /// Report on each of the owner's relays.
    pub relays: Vec<RelayStanding>,
    /// Sats of all proofs in live events on the relays, each counted once.
    pub on_relays_sats: u64,
    /// The part that the mints report as unspent.
    pub checked_sats: u64,
    /// The part with no mint's answer: the mint is silent or not listed.
    pub unchecked_sats: u64,
    /// Sats that this device counts as spendable.
    pub here_sats: u64,
    /// Problems found; empty if there are none.
    pub findings: Vec<Finding>,
    /// Reason why the wallet does not publish its own events, if any.
    pub in_the_way: Option<InTheWay>,
}

/// Report on one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStanding {
    /// The relay's URL.
    pub url: String,
    /// State of the relay.
    pub state: RelayState,
    /// Number of live token events that it shows.
    pub events: usize,
    /// Number of live token events that it lacks.
    pub lacks: usize,
    /// Number of token events that it shows although they were deleted.
    pub undeleted: usize,
    /// Number of events that it rejects.
    pub refused: usize,
    /// Number of events waiting to be sent to it.
    pub unpublished: u64,
}

/// State of a relay. Texts are the relay's own words, or our description of a connection error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayState {
    /// It has everything and shows nothing that was deleted.
    Synced,
    /// It lacks events.
    Behind,
    /// It shows deleted events.
    ForgetsDeletions,
    /// It rejects some events.
    Refuses(String),
    /// It was not read completely.
    Partial(String),
    /// It could not be reached.
    Unreachable(String),
}

impl OwnRelays<'_> {
    /// Examines the wallet on its relays. `None`: Nostr is off. Missing answers are reported.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    ///
    /// # Cancel safety
    /// Safe to drop: read-only.
    pub async fn examine(self) -> Result<Option<RelaysReport>, Failure> {
        let core = self.0;
        let Some(link) = &core.nostr else { return Ok(None) };
        let setup = core.setup().await?;
        let known = known(core, 0).await?;
        let read =
            join_all(link.parts.urls.iter().map(|url| read(link, plain_url(url), &known))).await;
        let about: Vec<Event> =
            read.iter().flat_map(|one| one.about.events.iter().cloned()).collect();
        let queue = core.store.outbox().await?;
        let (mut evidence, quotes) = gather(core, link, &setup, &read, &queue, known).await?;
        if !evidence.missing().is_empty() {
            read_ends(link, &mut evidence).await;
        }
        let asked =
            join_all(setup.mints().map(|mint| words_of(core, &mint.address, &evidence))).await;
        evidence.words = asked.into_iter().flatten().collect();
        evidence.quotes = paid_quotes(core, &setup, quotes).await?;

        let refusals = core.store.refusals().await?;
        let mut relays = Vec::new();
        for (one, shown) in read.iter().zip(&evidence.relays) {
            let waiting = queue.iter().filter_map(|queued| {
                Some((&queued.event.id, queued.event.refused.get(&shown.url)?))
            });
            let gone =
                refusals.iter().filter(|no| no.relay == shown.url).map(|no| (&no.id, &no.reason));
            relays.push(
                standing(core, link, one, shown, &evidence, gone.chain(waiting).collect()).await?,
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
            money: setup.money,
            relays,
            on_relays_sats: sum(&|_| true),
            checked_sats: sum(&|word| word == Some(&State::Unspent)),
            unchecked_sats: sum(&|word| word.is_none()),
            here_sats: spendable(core, &setup).await?,
            findings: evidence.findings(),
            in_the_way: in_the_way(core, link, &about).await?,
        }))
    }
}

/// Asks one mint about the proofs it may have issued. Empty if it does not answer.
async fn words_of(
    core: &Core,
    address: &MintAddress,
    evidence: &Evidence,
) -> Vec<(PublicKey, State)> {
    let asked = async {
        let mint = core.mints.at(address).ok()?;
        let at_mint = evidence.tokens.values().filter(|token| token.mint == address.as_str());
        let mut coins: BTreeMap<PublicKey, &Proof> =
            at_mint.flat_map(|token| token.coins.iter().map(|(y, proof)| (*y, proof))).collect();
        // A mint reports any unknown proof as unspent, even another mint's.
        coins.extend(evidence.held.iter().map(|(y, proof)| (*y, proof)));
        if coins.is_empty() {
            return None;
        }
        let made = mint.may_be_genuine(&coins.values().copied().collect::<Vec<_>>()).await.ok()?;
        let ys: Vec<PublicKey> =
            coins.into_keys().zip(made).filter(|(_, made)| *made).map(|(y, _)| y).collect();
        let states = mint.states(ys.clone()).await.ok()?;
        Some(ys.into_iter().zip(states).collect())
    };
    timeout(QUESTION, asked).await.ok().flatten().unwrap_or_default()
}

/// Returns paid quotes whose proofs are not issued yet: the wallet's own and those named in events,
/// according to their mints.
async fn paid_quotes(
    core: &Core,
    setup: &Setup,
    quotes: Vec<NamedQuote>,
) -> Result<Vec<(Option<String>, Option<u64>)>, Failure> {
    let own = core.store.open_deposits().await?;
    let known: BTreeSet<&str> = own.iter().map(|deposit| deposit.quote_id.as_str()).collect();
    let others = quotes.iter().filter(|quote| !known.contains(quote.id.reveal()));
    let others =
        others.map(|quote| (&quote.mint, quote.id.reveal(), Some(quote.event.clone()), quote.sats));
    let unpaid = own.iter().filter(|deposit| deposit.state != DepositState::Paid);
    let unpaid = unpaid
        .map(|deposit| (&deposit.mint, deposit.quote_id.as_str(), None, Some(deposit.amount_sats)));
    let asked: Vec<_> =
        others.chain(unpaid).filter(|(mint, ..)| setup.mint(mint).is_some()).take(QUOTES).collect();
    let paid = join_all(asked.into_iter().map(|(mint, id, event, sats)| async move {
        let state =
            timeout(QUESTION, core.mints.at(mint).ok()?.deposit_state(id)).await.ok()?.ok()?;
        (state == IssueState::Paid).then_some((event, sats))
    }));
    let claimable = own
        .iter()
        .filter(|deposit| deposit.state == DepositState::Paid)
        .map(|deposit| (None, Some(deposit.amount_sats)));
    Ok(paid.await.into_iter().flatten().chain(claimable).collect())
}

async fn standing(
    core: &Core,
    link: &Link,
    read: &RelayListings,
    shown: &RelayContents,
    evidence: &Evidence,
    refused: BTreeMap<&String, &String>,
) -> Result<RelayStanding, Failure> {
    let (lacks, undeleted) = (evidence.lacking(shown).len(), evidence.undeleted(shown).len());
    let state = match (read.reason(), refused.values().next()) {
        (Err(reason), _) => RelayState::Unreachable(reason.to_owned()),
        (Ok(Some(reason)), _) => RelayState::Partial(reason.to_owned()),
        (Ok(None), Some(reason)) => RelayState::Refuses((*reason).clone()),
        (Ok(None), None) if lacks > 0 => RelayState::Behind,
        (Ok(None), None) if undeleted > 0 => RelayState::ForgetsDeletions,
        (Ok(None), None) => RelayState::Synced,
    };
    Ok(RelayStanding {
        url: shown.url.clone(),
        state,
        events: evidence.live().into_iter().filter(|id| shown.tokens.contains(*id)).count(),
        lacks,
        undeleted,
        refused: refused.len(),
        unpublished: unpublished_at(core, link, &shown.url).await?,
    })
}
