//! Backups on relays for a restore from the mnemonic: the devices and the mints (NUT-27).
//!
//! Both lists only grow. Neither makes a mint trusted, and neither is written before all relays
//! were read completely. The mint list is signed by a separate key that names nobody, is sent only
//! over unauthenticated connections, and does not pass through the outbox.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::mint::{MintAddress, MoneyKind};
use crate::nostr::app_data::{self, Devices};
use crate::nostr::{Ack, End, Event, Identity};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::relays::{Link, QUESTION, plain_url};
use crate::wallet::outbox::queue::{class, outgoing, unsigned};
use crate::wallet::sync::OwnRelays;

/// Row name in the store.
const ROW: &str = "backups";

/// Contents of the backups, as read so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backups {
    /// All devices ever named there.
    pub(crate) devices: BTreeSet<u32>,
    devices_at: u64,
    /// Mints that any device ever listed as test mints.
    pub(crate) test_mints: BTreeSet<String>,
    /// All mints ever named there.
    pub(crate) mints: BTreeSet<String>,
}

impl OwnRelays<'_> {
    /// Returns the devices named on relays, and the unlisted mints named there.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    pub async fn named_on_relays(self) -> Result<(BTreeSet<u32>, Vec<String>), Failure> {
        let core = self.0;
        let (backups, setup) = (backups(core).await?, core.setup().await?);
        let listed =
            |mint: &String| setup.policy.mints.iter().any(|one| one.address.as_str() == mint);
        Ok((backups.devices, backups.mints.into_iter().filter(|mint| !listed(mint)).collect()))
    }
}

/// Returns the backups as read so far.
///
/// # Errors
/// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
pub(super) async fn backups(core: &Core) -> Result<Backups, Failure> {
    Ok(core.store.nostr_state(ROW).await?.unwrap_or_default())
}

/// Merges the backups that relays show and publishes what they lack. Publishes nothing until all
/// relays were read completely once (`whole`).
pub(crate) async fn keep_backups(
    core: &Core,
    link: &Link,
    events: &[Event],
    whole: bool,
) -> Result<(), Failure> {
    let (setup, meta, now) = (core.setup().await?, core.store.meta().await?, (core.clock)());
    let identity = &link.parts.identity;
    let before = backups(core).await?;
    let mut after = before.clone();
    for event in events.iter().filter(|event| event.kind() == app_data::KIND) {
        if let Ok(told) = app_data::read_devices(identity, event) {
            after.devices.extend(told.devices);
            after.test_mints.extend(told.test_mints);
            after.devices_at = after.devices_at.max(event.created_at());
        }
    }
    let writes = (whole || before.devices_at > 0) && !meta.device_open;
    let listed: BTreeSet<String> = setup.mints().map(|mint| mint.address.to_string()).collect();
    if writes {
        let test_mints =
            if setup.money == MoneyKind::Play { listed.clone() } else { BTreeSet::new() };
        if after.devices.insert(meta.device) || !test_mints.is_subset(&after.test_mints) {
            after.test_mints.extend(test_mints);
            after.devices_at = now.max(after.devices_at.saturating_add(1));
            let told =
                Devices { devices: after.devices.clone(), test_mints: after.test_mints.clone() };
            let event =
                app_data::write_devices(identity, &told, after.devices_at).map_err(unsigned)?;
            core.store.queue(outgoing(&event, class::ABOUT, now)).await?;
        }
    }
    if !link.seen().mints_kept || !listed.is_subset(&after.mints) {
        let kept = keep_mints(core, link, listed, &mut after.mints, writes).await?;
        link.seen().mints_kept = kept;
    }
    if after != before {
        core.store.set_nostr_state(ROW, after).await?;
    }
    Ok(())
}

/// Reads the mint list from every relay, unauthenticated, and publishes the merged list to each
/// completely read relay that lacks it. Returns whether all of them have it.
async fn keep_mints(
    core: &Core,
    link: &Link,
    listed: BTreeSet<String>,
    known: &mut BTreeSet<String>,
    writes: bool,
) -> Result<bool, Failure> {
    let (identity, anonymous_relays) = (&link.parts.mints_identity, &link.parts.anonymous_relays);
    let filter = json!({"kinds": [app_data::KIND], "authors": [identity.public_key()], "#d": [app_data::MINTS]});
    let urls: Vec<String> = link.parts.urls.iter().map(|url| plain_url(url)).collect();
    let shown =
        join_all(urls.iter().map(|url| anonymous_relays.all(url, &filter, |_| false, QUESTION)))
            .await;
    let newest = |events: &[Event]| events.iter().max_by_key(|event| event.created_at()).cloned();
    let all: Vec<Event> = shown.iter().flat_map(|one| one.events.iter().cloned()).collect();
    for event in &all {
        known.extend(named(identity, event));
    }
    if !writes {
        return Ok(false);
    }
    known.extend(listed);
    let event = match newest(&all) {
        Some(event) if named(identity, &event) == *known => event,
        before => {
            let mints: Vec<String> = known.iter().cloned().collect();
            let at =
                before.map_or(0, |event| event.created_at().saturating_add(1)).max((core.clock)());
            app_data::write_mints(identity, &mints, at).map_err(unsigned)?
        }
    };
    let told = join_all(urls.iter().zip(&shown).map(|(url, one)| async {
        if one.end != End::Whole {
            return false;
        }
        let has_it = newest(&one.events).is_some_and(|newest| newest.id() == event.id());
        has_it
            || anonymous_relays.publish(url, event.json(), event.id(), QUESTION).await
                == Ack::Stored
    }))
    .await;
    Ok(told.into_iter().all(|told| told))
}

/// Returns the mints of a list, normalized.
fn named(identity: &Identity, event: &Event) -> BTreeSet<String> {
    let mints = app_data::read_mints(identity, event).unwrap_or_default();
    mints
        .into_iter()
        .filter_map(|mint| mint.parse::<MintAddress>().ok())
        .map(|mint| mint.to_string())
        .collect()
}
