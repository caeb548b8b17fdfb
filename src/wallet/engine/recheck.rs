//! Asks mints for everything they have signed for this wallet's mnemonic and corrects the store:
//! after a restore, and when the wallet file is older than it was.
//!
//! Never lowers a counter, and never adds a proof as spendable that the mint does not call unspent.
//! Each answer of a mint is one commit, so a recheck can be killed at any point and repeated.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::mint::Mint;
use crate::mint::restore::{BATCH, GAP, RestoreKeyset};
use crate::model::mint::MintAddress;
use crate::store::Meta;
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, Mistake};
use crate::wallet::engine::journal::{operations, operations_given_up};
use crate::wallet::proofs::changes;
pub use crate::wallet::proofs::changes::Found;

/// Counters skipped above the highest one found: payments from the lost wallet file may still
/// receive change at some of them.
const SPARE: u32 = 100;
/// Distances above the last signed counter that are probed once the search has reached a gap.
const BEYOND_GAP: [u32; 4] = [600, 1_200, 2_400, 4_800];
/// Upper bound of the device numbers searched; no wallet has so many devices.
const MAX_DEVICES: u32 = 1_000;

/// The mints to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All listed mints.
    All,
    /// The listed mints that may not be used before they are asked.
    Unchecked,
    /// This mint, listed or not.
    At(MintAddress),
}

/// Progress of a recheck.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// The mint.
    pub mint: &'a MintAddress,
    /// The device whose proofs are searched.
    pub device: u32,
    /// Counter reached in the current keyset.
    pub counter: u32,
    /// Sums found at this mint so far.
    pub found: Found,
}

/// Result of a recheck at one mint.
#[derive(Debug)]
pub struct CheckedMint {
    /// The mint.
    pub mint: MintAddress,
    /// Sums that the mint has signed for this wallet.
    pub found: Found,
    /// The failure that ended the search early; the mint is asked again later.
    pub error: Option<Failure>,
}

/// Result of a recheck.
#[derive(Debug)]
pub struct Restored {
    /// The mints asked.
    pub mints: Vec<CheckedMint>,
    /// The lowest device number without signatures at any of them.
    pub free_device: u32,
    /// The highest device number with signatures at one of them.
    pub last_device: u32,
}

/// State of the search at one mint.
struct Search {
    mint: Arc<Mint>,
    keysets: Vec<RestoreKeyset>,
    asked: CheckedMint,
}

/// Asks the mints for what they have signed, over all keysets and devices. A mint that does not
/// answer is asked again next time.
///
/// # Errors
/// [`Cause::Settings`], and those of the store.
///
/// # Cancel safety
/// Safe to drop: what was found is recorded; the rest is found next time.
pub(crate) async fn recheck(
    core: &Core,
    which: Which,
    told: impl Fn(Step<'_>) + Send + Sync,
) -> Result<Restored, Failure> {
    let _one_at_a_time = core.rechecking.lock().await;
    let meta = core.store.meta().await?;
    let mut restored =
        Restored { mints: Vec::new(), free_device: 0, last_device: meta.last_device };
    if which == Which::Unchecked && meta.checked.is_none() {
        return Ok(restored);
    }
    let mints: BTreeSet<MintAddress> = match &which {
        Which::At(mint) => BTreeSet::from([mint.clone()]),
        Which::All | Which::Unchecked => {
            core.rules.current()?.mints.into_iter().map(|mint| mint.address).collect()
        }
    };
    let mut searches = Vec::new();
    for address in mints {
        if which != Which::Unchecked || meta.is_unchecked(address.as_str()) {
            searches.push(begin_search(core, address).await?);
        } else if let Ok(mint) = core.mints.at(&address) {
            match ask_held(core, &mint, &mut Found::default()).await {
                // A payment from the lost wallet file has ended: fetch its change.
                Ok(true) => searches.push(begin_search(core, address).await?),
                Ok(false) => {}
                Err(error) => tracing::debug!(
                    %error,
                    "could not check held coins"
                ),
            }
        }
    }
    let mut free = None;
    for device in 0..MAX_DEVICES {
        let mut known = false;
        for search in searches.iter_mut().filter(|search| search.asked.error.is_none()) {
            match search_device(core, search, device, &told).await {
                Ok(found) => known |= found,
                Err(error) => search.asked.error = Some(error),
            }
        }
        if known {
            restored.last_device = restored.last_device.max(device);
        } else {
            free = free.or(Some(device));
            if device >= meta.device.max(restored.last_device) {
                break;
            }
        }
    }
    restored.free_device = free.unwrap_or(MAX_DEVICES);
    for mut search in searches {
        if search.asked.error.is_none() {
            search.asked.error =
                end_search(core, &search.mint, &mut search.asked.found).await.err();
        }
        restored.mints.push(search.asked);
    }
    let (last, at) = (restored.last_device, (core.clock)());
    let new: Vec<_> =
        restored.mints.iter().map(|asked| (asked.mint.to_string(), asked.found.new_sats)).collect();
    let remember = move |meta: &mut Meta| {
        meta.last_device = meta.last_device.max(last);
        new.into_iter().for_each(|(mint, sats)| meta.remember_found(mint, at, sats));
    };
    core.store.set_meta(remember).await?;
    core.changed();
    core.wake();
    Ok(restored)
}

async fn begin_search(core: &Core, address: MintAddress) -> Result<Search, Failure> {
    let mint = core.mints.even_unchecked(&address)?;
    let (keysets, error) = match mint.restore_keysets().await {
        Ok(keysets) => (keysets, None),
        Err(error) => (Vec::new(), Some(Failure::from(error))),
    };
    Ok(Search {
        mint,
        keysets,
        asked: CheckedMint { mint: address, found: Found::default(), error },
    })
}

/// Searches one device's counters at one mint, in every keyset up to a gap. Returns whether the
/// mint ever signed for the device.
async fn search_device(
    core: &Core,
    search: &mut Search,
    device: u32,
    told: &(impl Fn(Step<'_>) + Send + Sync),
) -> Result<bool, Failure> {
    let Search { mint, keysets, asked } = search;
    let seed = core.mints.seed(device).ok_or(Cause::Internal(Mistake::NoSeed))?;
    let guard = mint.lock().await;
    let unfinished = core.store.has_unfinished().await?;
    let meta = core.store.meta().await?;
    let lost_life = meta.is_unchecked(asked.mint.as_str());
    let spare = if device == meta.device && lost_life { SPARE } else { 0 };
    let mut promised = Vec::new();
    for operation in operations(core).await?.into_iter().chain(operations_given_up(core).await?) {
        promised.extend(operation.input_ys()?);
        promised.extend(operation.output_ys()?);
    }
    let mut known = false;
    for keyset in keysets.iter() {
        // An older copy of the file records used counters even if the mint signed nothing for them.
        let known_here = core.store.keyset_counter(device, &keyset.id()).await?;
        let (mut from, mut next) = (0_u32, 0_u32);
        let mut probes = BEYOND_GAP.iter();
        loop {
            if from.saturating_sub(next) >= GAP && from >= known_here {
                // From the mnemonic alone the highest counter is unknown: probe beyond the gap, and
                // continue there if anything is signed.
                let Some(beyond) = probes
                    .next()
                    .filter(|_| meta.device_open || spare > 0)
                    .and_then(|beyond| next.checked_add(*beyond))
                else {
                    break;
                };
                match mint.restore_batch(&seed, keyset, beyond).await?.next {
                    Some(above) => next = above,
                    None => continue,
                }
            }
            told(Step { mint: &asked.mint, device, counter: from, found: asked.found });
            let batch = mint.restore_batch(&seed, keyset, from).await?;
            if let Some(above) = batch.next {
                next = next.max(above);
                known = true;
                core.store.raise_keyset_counter(device, &keyset.id(), above).await?;
                // Read before the mint is asked: a proof that a payment spends meanwhile still
                // counts as held here.
                let ours = core.store.states(changes::ys(&batch.proofs)).await?;
                let states = mint.states(changes::ys(&batch.proofs)).await?;
                let told = changes::in_states(batch.proofs, &states);
                let findings = changes::found(
                    told,
                    &ours,
                    &promised,
                    (unfinished, lost_life),
                    &mut asked.found,
                );
                if !findings.revived.is_empty() {
                    core.store.revive(findings.revived).await?;
                }
                core.store.commit(findings.changes).await?;
            }
            let Some(after) = from.checked_add(BATCH) else { break };
            from = after;
        }
        if spare > 0 {
            core.store
                .raise_keyset_counter(device, &keyset.id(), next.saturating_add(spare))
                .await?;
        }
    }
    drop(guard);
    Ok(known)
}

/// Ends the search at a mint: asks about held proofs, then allows the mint's use.
async fn end_search(core: &Core, mint: &Mint, found: &mut Found) -> Result<(), Failure> {
    ask_held(core, mint, found).await?;
    let name = mint.address().to_string();
    if !core.store.meta().await?.is_unchecked(&name) {
        return Ok(());
    }
    let meta = core
        .store
        .set_meta(move |meta| meta.checked.get_or_insert_default().extend([name]))
        .await?;
    core.mints.allow_only(meta.checked);
    Ok(())
}

/// Asks about proofs held until their mint was asked. Returns whether some are spent.
async fn ask_held(core: &Core, mint: &Mint, found: &mut Found) -> Result<bool, Failure> {
    let guard = mint.lock().await;
    let held = core.store.stale_proofs(mint.address().to_string()).await?;
    let mut spent = false;
    if !held.is_empty() {
        let states = mint.states(changes::ys(&held)).await?;
        let changes = changes::asked(&held, &states, found);
        spent = changes.iter().any(changes::spends);
        core.store.commit(changes).await?;
        core.changed();
    }
    drop(guard);
    Ok(spent)
}
