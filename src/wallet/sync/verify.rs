//! Asks mints about proofs that relays put in doubt (NUT-07): other devices' proofs, and our own
//! whose event another device deleted.
//!
//! Asks only listed mints. If a mint does not answer, nothing changes.

use crate::model::mint::MintAddress;
use crate::store::{Change, RemoteProofState};
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::proofs::changes;
use crate::wallet::wallet_event::lock_keys::lock_keys;
use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::{PublicKey, State};

/// Interval for asking again about other devices' unspent proofs, in seconds: a device may spend
/// them without telling any relay we read.
const ASKED_AGAIN_SECONDS: u64 = 86_400;
/// Row name in the store. The row contains, by mint, the Unix seconds of the last such query.
const ROW: &str = "asked_again";

/// Result of asking the mints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Sats of other devices' proofs that have become spendable.
    pub(crate) pulled_sats: u64,
    /// Sats of proofs that turned out to be spent.
    pub(crate) dropped_sats: u64,
}

/// Asks all listed mints about the proofs in doubt there. A mint that fails is skipped.
///
/// # Errors
/// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
///
/// # Cancel safety
/// Safe to drop: each mint's answer is stored on its own.
pub(crate) async fn verify(core: &Core) -> Result<Verified, Failure> {
    let mut verified = Verified::default();
    for mint in core.setup().await?.mints() {
        let _asking = core.nostr.as_ref().map(|link| link.asking(&mint.address));
        match verify_at(core, &mint.address, &mut verified).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(
                %error,
                "a mint was not asked about coins on relays"
            ),
        }
    }
    Ok(verified)
}

/// Returns `true`, once a day, if the mint's unspent proofs are due to be asked about again. The
/// first day starts when the mint is first seen here.
async fn is_long_ago(core: &Core, mint: &str) -> Result<bool, Failure> {
    let mut row: BTreeMap<String, u64> = core.store.nostr_state(ROW).await?.unwrap_or_default();
    let now = (core.clock)();
    let before = row.get(mint).copied();
    if before.is_some_and(|at| now < at.saturating_add(ASKED_AGAIN_SECONDS)) {
        return Ok(false);
    }
    row.insert(mint.to_owned(), now);
    core.store.set_nostr_state(ROW, row).await?;
    Ok(before.is_some())
}

/// Asks one mint about the proofs in doubt there.
pub(crate) async fn verify_at(
    core: &Core,
    address: &MintAddress,
    verified: &mut Verified,
) -> Result<(), Failure> {
    let name = address.to_string();
    // Locked proofs become relevant once we have a key that opens them.
    let locked = core.store.remote_proofs(name.clone(), vec![RemoteProofState::Locked]).await?;
    if !locked.is_empty() {
        let keys = lock_keys(core).await?;
        let ys = locked
            .into_iter()
            .filter(|(_, proof)| keys.open_all(std::slice::from_ref(&proof.secret)))
            .map(|(y, _)| y)
            .collect();
        core.store
            .commit(vec![Change::RemoteProofs { ys, to: RemoteProofState::Unverified }])
            .await?;
    }
    let mut doubtful = vec![RemoteProofState::Unverified, RemoteProofState::Pending];
    let mut known = BTreeSet::new();
    if is_long_ago(core, &name).await? {
        known.extend(
            core.store
                .remote_proofs(
                    name.clone(),
                    vec![RemoteProofState::Unspent, RemoteProofState::LeftOut],
                )
                .await?
                .into_iter()
                .map(|(y, _)| y),
        );
        doubtful.extend([RemoteProofState::Unspent, RemoteProofState::LeftOut]);
    }
    let asked = core.store.remote_proofs(name.clone(), doubtful).await?;
    let nothing = asked.is_empty() && core.store.unverified_proofs(name.clone()).await?.is_empty();
    if nothing {
        return Ok(());
    }
    let mint = core.mints.at(address)?;
    // A mint reports unknown proofs as unspent, so only ask about those it may have issued.
    let made =
        mint.may_be_genuine(&asked.iter().map(|(_, proof)| proof).collect::<Vec<_>>()).await?;
    let asked: Vec<_> =
        asked.into_iter().zip(made).filter(|(_, made)| *made).map(|(coin, _)| coin).collect();
    let states = mint.states(asked.iter().map(|(y, _)| *y).collect()).await?;
    let said = |word: State| {
        asked.iter().zip(&states).filter(move |(_, state)| **state == word).map(|(coin, _)| coin)
    };
    let sum = |word: State| {
        said(word).map(|(_, proof)| proof.amount.to_u64()).fold(0, u64::saturating_add)
    };
    let ys = |word: State| said(word).map(|(y, _)| *y).collect::<Vec<PublicKey>>();
    // Proofs that were spendable before do not count as new.
    let news = said(State::Unspent)
        .filter(|(y, _)| !known.contains(y))
        .map(|(_, proof)| proof.amount.to_u64());
    verified.pulled_sats = verified.pulled_sats.saturating_add(news.fold(0, u64::saturating_add));
    verified.dropped_sats = verified.dropped_sats.saturating_add(sum(State::Spent));
    core.store
        .commit(vec![
            Change::RemoteProofs { ys: ys(State::Unspent), to: RemoteProofState::Unspent },
            Change::RemoteProofs { ys: ys(State::Pending), to: RemoteProofState::Pending },
            Change::RemoteProofs { ys: ys(State::Spent), to: RemoteProofState::Spent },
        ])
        .await?;
    // Under the mint's lock, none of our proofs can be reserved before its state is updated.
    let guard = mint.lock().await;
    let doubted = core.store.unverified_proofs(name).await?;
    let states = mint.states(doubted.iter().map(|coin| coin.y).collect()).await?;
    let (mut spent, mut asked) = (Vec::new(), Vec::new());
    for (coin, state) in doubted.iter().zip(&states) {
        match state {
            State::Spent => {
                verified.dropped_sats =
                    verified.dropped_sats.saturating_add(coin.proof.amount.to_u64());
                spent.push(coin.y);
                asked.push(coin.y);
            }
            State::Unspent => asked.push(coin.y),
            _ => {}
        }
    }
    if !spent.is_empty() {
        core.store.commit(vec![changes::spent(spent)]).await?;
    }
    if !asked.is_empty() {
        core.store.mark_verified(asked).await?;
    }
    drop(guard);
    core.changed();
    Ok(())
}
