//! What the wallet keeps on relays for a new beginning: which devices it has, and its list of mints (NUT-27).
//!
//! Both only grow by what was read. Neither makes a mint trusted, and neither is written before the relays were read to their end.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::Wallet;
use super::super::error::Error;
use super::Link;
use super::mirror::{class, outgoing, unsigned};
use crate::nostr::{Event, app_data};

/// The name of the row.
const ROW: &str = "backups";

/// What relays keep of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Backups {
    /// Every device that was ever named there.
    pub(in super::super) devices: BTreeSet<u32>,
    devices_at: u64,
    /// Every mint that was ever named there.
    pub(in super::super) mints: BTreeSet<String>,
    mints_at: u64,
}

impl Wallet {
    /// What relays keep for a new beginning, as far as it was read.
    ///
    /// # Errors
    /// `storage_failed`.
    pub(in super::super) async fn backups(&self) -> Result<Backups, Error> {
        Ok(self.store.nostr_state(ROW).await?.unwrap_or_default())
    }

    /// Devices of this wallet that relays name, and mints that they name and the owner does not list.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`.
    pub async fn named_on_relays(&self) -> Result<(BTreeSet<u32>, Vec<String>), Error> {
        let (backups, setup) = (self.backups().await?, self.setup().await?);
        let listed = |mint: &String| setup.policy.mints.iter().any(|one| one.address.as_str() == mint);
        Ok((backups.devices, backups.mints.into_iter().filter(|mint| !listed(mint)).collect()))
    }

    /// Takes in what relays keep, and adds what is missing there.
    pub(in super::super) async fn keep_backups(&self, link: &Link, events: &[Event], whole: bool) -> Result<(), Error> {
        let (setup, meta, now) = (self.setup().await?, self.store.meta().await?, (self.clock)());
        let (identity, of_mints) = (&link.parts.identity, &link.parts.mints_identity);
        let before = self.backups().await?;
        let mut after = before.clone();
        for event in events.iter().filter(|event| event.kind() == app_data::KIND) {
            if let Ok(devices) = app_data::read_devices(identity, event) {
                after.devices.extend(devices);
                after.devices_at = after.devices_at.max(event.created_at());
            } else if let Ok(mints) = app_data::read_mints(of_mints, event) {
                after.mints.extend(
                    mints.into_iter().filter_map(|mint| mint.parse::<crate::model::mint::MintAddress>().ok()).map(|mint| mint.to_string()),
                );
                after.mints_at = after.mints_at.max(event.created_at());
            }
        }
        let written_before = before.devices_at > 0;
        if (whole || written_before) && !meta.device_open {
            if after.devices.insert(meta.device) {
                after.devices_at = now.max(after.devices_at.saturating_add(1));
                let event = app_data::write_devices(identity, &after.devices, after.devices_at).map_err(unsigned)?;
                self.store.queue(outgoing(&event, class::ABOUT, now)).await?;
            }
            let listed: BTreeSet<String> = setup.mints().map(|mint| mint.address.to_string()).collect();
            if !listed.is_subset(&after.mints) {
                after.mints.extend(listed);
                after.mints_at = now.max(after.mints_at.saturating_add(1));
                let mints: Vec<String> = after.mints.iter().cloned().collect();
                let event = app_data::write_mints(of_mints, &mints, after.mints_at).map_err(unsigned)?;
                self.store.queue(outgoing(&event, class::ABOUT, now)).await?;
            }
        }
        if after != before {
            self.store.set_nostr_state(ROW, after).await?;
        }
        Ok(())
    }
}
