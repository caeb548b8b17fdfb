//! Asks mints for all they have signed for our words, and puts the store in line: after a restore,
//! and when the file is older than it was.
//!
//! Never lowers a counter, and never takes a coin that the mint does not call unspent. Each answer
//! of a mint is one commit, so that it may be killed anywhere; done again, it finds the same.

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

/// Counters left out above what was found: change that a payment of the lost life is still to bring
/// was given some of them.
const SPARE: u32 = 100;
/// Where the search has ended at a gap, these many counters above the last signed one are asked
/// about as well.
const BEYOND_GAP: [u32; 4] = [600, 1_200, 2_400, 4_800];
/// More devices than anybody has.
const MAX_DEVICES: u32 = 1_000;

/// Which mints are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every listed one.
    All,
    /// Those that may not be used before they are asked.
    Unchecked,
    /// This one, listed or not.
    At(MintAddress),
}

/// Where the asking stands.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// The mint.
    pub mint: &'a MintAddress,
    /// The device whose coins are looked for.
    pub device: u32,
    /// Counters asked about in this keyset.
    pub counter: u32,
    /// What was found at this mint so far.
    pub found: Found,
}

/// One mint, asked.
#[derive(Debug)]
pub struct CheckedMint {
    /// The mint.
    pub mint: MintAddress,
    /// What it has signed for us.
    pub found: Found,
    /// Why it could not be asked to the end: it is asked again later.
    pub error: Option<Failure>,
}

/// What came of it.
#[derive(Debug)]
pub struct Restored {
    /// The mints.
    pub mints: Vec<CheckedMint>,
    /// The lowest device that none of them knows.
    pub free_device: u32,
    /// The highest device that one of them knows.
    pub last_device: u32,
}

/// A mint that is being asked.
struct Search {
    mint: Arc<Mint>,
    keysets: Vec<RestoreKeyset>,
    asked: CheckedMint,
}

/// Asks the mints for what they have signed, over all keysets and devices. A mint that does not
/// answer is left for the next time.
///
/// # Errors
/// [`Cause::Settings`], and those of the store.
///
/// # Cancel safety
/// Safe to drop: what was found is recorded, and the rest is found the next time.
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
                // A payment of the lost life has ended: its change can be had.
                Ok(true) => searches.push(begin_search(core, address).await?),
                Ok(false) => {}
                Err(error) => tracing::debug!(
                    %error,
                    "held coins were not asked about"
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

/// One device at one mint: every keyset, up to a gap. Whether anything was ever signed for it.
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
        // An older copy knows counters that were used, whatever the mint has signed of them.
        let known_here = core.store.keyset_counter(device, &keyset.id()).await?;
        let (mut from, mut next) = (0_u32, 0_u32);
        let mut probes = BEYOND_GAP.iter();
        loop {
            if from.saturating_sub(next) >= GAP && from >= known_here {
                // With words alone the highest counter is unknown, so the search asks beyond
                // the gap, and goes on where it is signed.
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
                // Read before the question: what a payment spends while it is answered is held
                // by that payment here.
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

/// The mint has told all: the coins held until then are asked about, and it may be used.
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

/// Asks about coins that are held until their mint has been asked. Whether some of them are
/// spent.
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
