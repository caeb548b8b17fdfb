//! Deposit quotes on relays (NIP-60, kind 7374). The quote of an open deposit is published
//! encrypted, with its NUT-20 key. If this device's disk is lost before a paid deposit is claimed,
//! the Nostr key alone suffices to claim it.
//!
//! A quote of another device that its mint calls paid becomes a deposit here. If devices claim at
//! once, one gets the proofs; the others see its deletion event and do not dispute theirs. Never
//! asks a mint that the owner does not list.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::mint::issue::IssueState;
use crate::model::deposit::{Deposit, DepositState, LATE_SECONDS};
use crate::model::id::DepositId;
use crate::model::invoice::Invoice;
use crate::model::mint::{MintAddress, MoneyKind, TrustedMint};
use crate::model::secret::Secret;
use crate::nostr::quote_event::{self, QuoteEvent};
use crate::nostr::{Event, deletion};
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::digest::digest;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, QUESTION, plain_url};
use crate::wallet::deposit::issue::advance;
use crate::wallet::nutzaps::end_redeem::AGENT;
use crate::wallet::outbox::queue::{DELETED_AT_ONCE, class, outgoing, unsigned};

/// Key of the stored state.
const ROW: &str = "quotes";
/// Minimum lifetime of a published quote, in seconds: as long as a Lightning payment may take.
const KEPT_SECONDS: u64 = 14 * 86_400;
/// Time to wait for another device's deletion event after a mint calls a deposit issued, in
/// seconds.
const SAID_LATE_SECONDS: u64 = 600;
/// Maximum number of other devices' quotes asked about in one sync.
const MOST_ASKED: usize = 50;

/// Events published, and events seen on relays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Quotes {
    /// Event id by open deposit here: the event published for it, or the one it was claimed from.
    told: BTreeMap<String, String>,
    /// Events of other devices that are still on relays but whose proofs have been issued.
    over: BTreeSet<String>,
}

/// Evidence that another device has claimed a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// Another device deleted the quote's event.
    Claimed,
    /// No deletion yet, but one may still arrive.
    Perhaps,
    /// No sign of it.
    No,
}

async fn quotes(core: &Core) -> Result<Quotes, Failure> {
    Ok(core.store.nostr_state(ROW).await?.unwrap_or_default())
}

/// Queues an event for every open deposit and the deletion of those that have ended. Contacts
/// nobody.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
///
/// # Cancel safety
/// Safe to drop: at worst a quote is published twice, until its event expires.
pub(crate) async fn tell_quotes(core: &Core, link: &Link) -> Result<(), Failure> {
    let _one_at_a_time = link.queueing.lock().await;
    let before = quotes(core).await?;
    let (mut row, open) = (before.clone(), core.store.open_deposits().await?);
    let (identity, now) = (&link.parts.identity, (core.clock)());
    let mut queue = Vec::new();
    for deposit in &open {
        if row.told.contains_key(deposit.id.as_str()) {
            continue;
        }
        let key = match (&deposit.quote_key, deposit.lock) {
            (Some(key), _) => Some(key.clone()),
            (None, Some(lock)) => Some(core.mints.even_unchecked(&deposit.mint)?.quote_key(lock)?),
            (None, None) => None,
        };
        let id = Secret::new(deposit.quote_id.as_str());
        let until =
            deposit.expires_at.saturating_add(LATE_SECONDS).max(now.saturating_add(KEPT_SECONDS));
        let event =
            quote_event::write(identity, &id, key.as_ref(), deposit.mint.as_str(), until, now)
                .map_err(unsigned)?;
        queue.push(outgoing(&event, class::TOKEN, now));
        row.told.insert(deposit.id.to_string(), event.id().to_owned());
    }
    let open: BTreeSet<&str> = open.iter().map(|deposit| deposit.id.as_str()).collect();
    let over: Vec<String> = row
        .told
        .iter()
        .filter(|(id, _)| !open.contains(id.as_str()))
        .map(|(_, event)| event.clone())
        .collect();
    row.told.retain(|id, _| open.contains(id.as_str()));
    for some in over.chunks(DELETED_AT_ONCE) {
        let event = deletion::write_of(identity, quote_event::KIND, some, now).map_err(unsigned)?;
        let mut going = outgoing(&event, class::DELETION, now);
        // A deletion that arrives before the event it deletes would have no effect.
        going.after = some.to_vec();
        queue.push(going);
    }
    if row == before {
        return Ok(());
    }
    core.store.queue_all(queue).await?;
    Ok(core.store.set_nostr_state(ROW, row).await?)
}

/// Claims quotes of other devices that listed mints call paid. The balance cap does not apply to
/// money already paid.
///
/// # Errors
/// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store. A
/// mint that does not answer is not an error: it is asked again.
///
/// # Cancel safety
/// Safe to drop: each quote becomes a deposit in one commit and is then claimed like any other.
pub(crate) async fn claim_quotes(
    core: &Core,
    link: &Link,
    events: &[Event],
) -> Result<(), Failure> {
    let shown: BTreeMap<&str, &Event> = events
        .iter()
        .filter(|event| event.kind() == quote_event::KIND)
        .map(|event| (event.id(), event))
        .collect();
    if shown.is_empty() {
        return Ok(());
    }
    let (setup, row, now) = (core.setup().await?, quotes(core).await?, (core.clock)());
    let ours: BTreeSet<&str> = row.told.values().chain(&row.over).map(String::as_str).collect();
    let (mut over, mut silent, mut asked) =
        (BTreeSet::new(), BTreeSet::<MintAddress>::new(), 0_usize);
    for (id, event) in shown.iter().filter(|(id, _)| !ours.contains(*id)) {
        let Ok(quote) = quote_event::read(&link.parts.identity, event) else { continue };
        let address = quote.mint.as_deref().and_then(|mint| mint.parse::<MintAddress>().ok());
        let Some(mint) = address.and_then(|address| setup.mint(&address).cloned()) else {
            continue;
        };
        let lapsed = quote.expires_at.is_some_and(|at| at < now)
            || quote.unit.as_deref().is_some_and(|unit| unit != "sat");
        if lapsed || silent.contains(&mint.address) || asked >= MOST_ASKED {
            continue;
        }
        asked = asked.saturating_add(1);
        let _asking = link.asking(&mint.address);
        match claim_quote(core, &mint, &quote).await {
            Ok(RemoteQuoteOutcome::Over) => drop(over.insert((*id).to_owned())),
            Ok(RemoteQuoteOutcome::Open) => {}
            Ok(RemoteQuoteOutcome::Ours(deposit)) => {
                let _one_at_a_time = link.queueing.lock().await;
                let mut row = quotes(core).await?;
                row.told.insert(deposit.to_string(), (*id).to_owned());
                core.store.set_nostr_state(ROW, row).await?;
            }
            Err(error) => {
                tracing::debug!(
                    %error,
                    "another device's deposit could not be claimed; its mint will be asked again"
                );
                silent.insert(mint.address);
            }
        }
    }
    let _one_at_a_time = link.queueing.lock().await;
    let before = quotes(core).await?;
    let mut row = before.clone();
    row.over.extend(over);
    row.over.retain(|id| shown.contains_key(id.as_str()));
    if row == before { Ok(()) } else { Ok(core.store.set_nostr_state(ROW, row).await?) }
}

async fn claim_quote(
    core: &Core,
    listed: &TrustedMint,
    quote: &QuoteEvent,
) -> Result<RemoteQuoteOutcome, Failure> {
    let (address, id) = (&listed.address, quote.quote_id.reveal());
    // A quote becomes one deposit only, no matter which device requested it.
    if core
        .store
        .open_deposits()
        .await?
        .iter()
        .any(|open| open.quote_id == id && open.mint == *address)
    {
        return Ok(RemoteQuoteOutcome::Open);
    }
    let name = digest(&["quote", address.as_str(), id]);
    if let Some(known) = core.store.deposit_by_key(AGENT, &name).await? {
        return Ok(if known.is_open() {
            RemoteQuoteOutcome::Open
        } else {
            RemoteQuoteOutcome::Over
        });
    }
    let (state, bolt11) = core.mints.at(address)?.deposit_quote(id).await?;
    match state {
        IssueState::Unpaid => return Ok(RemoteQuoteOutcome::Open),
        IssueState::Issued => return Ok(RemoteQuoteOutcome::Over),
        IssueState::Paid => {}
    }
    let Some((invoice, amount_sats)) = Invoice::parse(&bolt11)
        .ok()
        .and_then(|invoice| Some((invoice.clone(), invoice.amount_sats()?)))
    else {
        return Ok(RemoteQuoteOutcome::Open);
    };
    let deposit = Deposit {
        id: DepositId::random(),
        agent: AGENT.to_owned(),
        key: Some(name.clone()),
        request_digest: name,
        mint: address.clone(),
        money: if listed.test { MoneyKind::Play } else { MoneyKind::Real },
        quote_id: id.to_owned(),
        lock: None,
        quote_key: quote.key.clone(),
        bolt11: invoice.text.clone(),
        amount_sats,
        description: None,
        created_at: (core.clock)(),
        expires_at: invoice.expires_at,
        dispute: None,
        state: DepositState::Paid,
    };
    core.store.commit(vec![Change::Deposit(deposit.clone())]).await?;
    let id = deposit.id.clone();
    // On failure the deposit is claimed later, like any other.
    if let Err(error) = advance(core, deposit).await {
        tracing::debug!(
            %error,
            "another device's deposit will be claimed later"
        );
    }
    core.wake();
    Ok(RemoteQuoteOutcome::Ours(id))
}

/// Looks on relays for another device's claim of a deposit that its mint calls issued: the deletion
/// of the quote's event.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
pub(super) async fn claimed_by_another(
    core: &Core,
    deposit: &Deposit,
) -> Result<Elsewhere, Failure> {
    let Some(link) = &core.nostr else { return Ok(Elsewhere::No) };
    let Some(event) = quotes(core).await?.told.remove(deposit.id.as_str()) else {
        return Ok(Elsewhere::No);
    };
    if deposit.agent == AGENT {
        // The quote came from another device.
        return Ok(Elsewhere::Claimed);
    }
    let identity = &link.parts.identity;
    let filter =
        json!({"kinds": [deletion::KIND], "authors": [identity.public_key()], "#e": [event]});
    let urls: Vec<String> = link.parts.urls.iter().map(|url| plain_url(url)).collect();
    let pages =
        join_all(urls.iter().map(|url| link.parts.relays.page(url, &filter, QUESTION))).await;
    let mut deleted =
        pages.iter().flat_map(|page| &page.events).flat_map(|one| deletion::read(identity, one));
    let (now, id) = ((core.clock)(), deposit.id.to_string());
    if deleted.any(|id| id == event) {
        link.seen().issued_at.remove(&id);
        return Ok(Elsewhere::Claimed);
    }
    let since = *link.seen().issued_at.entry(id).or_insert(now);
    Ok(if since.saturating_add(SAID_LATE_SECONDS) > now {
        Elsewhere::Perhaps
    } else {
        Elsewhere::No
    })
}

/// State of another device's quote.
enum RemoteQuoteOutcome {
    /// Nothing to do yet.
    Open,
    /// The proofs have been issued.
    Over,
    /// The quote is a deposit here now.
    Ours(DepositId),
}
