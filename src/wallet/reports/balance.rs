//! Balance and spending room, read from the store alone: no requests.

use std::collections::BTreeMap;

use crate::model::keys::KeysPlace;
use crate::model::mint::{MintAddress, MoneyKind};
use crate::model::text;
use crate::policy::Limits;
use crate::store::{Balance as Held, RemoteBalance, RemoteProofState};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::Failure;
use crate::wallet::proofs::balances::{is_at, left_out_at, shared_at};
use crate::wallet::proofs::changes;
use crate::wallet::reports::Reports;
use crate::wallet::reports::sync::{NostrStanding, nostr_standing};

/// Balance and spending room. Amounts are sats, times are Unix seconds.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// Kind of money.
    pub money: MoneyKind,
    /// Balances by mint, in the owner's order.
    pub mints: Vec<AtMint>,
    /// The largest payment that would be admitted now.
    pub max_payment_sats: u64,
    /// Sats in sent tokens that nobody has claimed.
    pub unclaimed_sats: u64,
    /// Sats paid to us whose proofs are not issued yet.
    pub incoming_sats: u64,
    /// Sats that another program may have handed out; not part of other amounts here.
    pub left_out_sats: u64,
    /// Coins that are kept but never counted.
    pub set_aside: Vec<SetAside>,
    /// Limits of the calling agent.
    pub limits: Limits,
    /// Sats spent or reserved in the last 24 hours.
    pub spent_24h_sats: u64,
    /// Sats left of the 24-hour limit.
    pub left_24h_sats: u64,
    /// `true` if all spending is paused.
    pub paused: bool,
    /// Status on relays. `None`: Nostr is off.
    pub nostr: Option<NostrStanding>,
    /// Location of the wallet's keys.
    pub keys: KeysPlace,
    /// Time of the owner's last rule change. `None`: never changed.
    pub policy_changed_at: Option<u64>,
}

/// Balance at one mint, in sats.
#[derive(Clone, Debug)]
pub struct AtMint {
    /// The mint.
    pub mint: MintAddress,
    /// The mint's own name, cleaned.
    pub untrusted_name: Option<String>,
    /// Sats that can be spent now.
    pub spendable_sats: u64,
    /// Sats reserved by undecided payments.
    pub pending_sats: u64,
}

/// Coins that are kept but never counted or spent: play money in a real wallet, other units, or
/// mints no longer listed.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// The mint's URL.
    pub mint: String,
    /// The unit.
    pub unit: String,
    /// Amount in that unit.
    pub amount: u64,
}

impl Reports<'_> {
    /// Returns the wallet's kind of money.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    pub async fn money(self) -> Result<MoneyKind, Failure> {
        Ok(self.0.setup().await?.money)
    }

    /// Returns the balance and what the caller may spend.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn balance(self, caller: &Caller) -> Result<Holdings, Failure> {
        let core = self.0;
        let setup = core.setup().await?;
        let now = (core.clock)();
        let ledger = core.store.ledger(&caller.agent, None, now).await?;
        let held = core.store.balances().await?;
        let foreign = core.store.remote_balances().await?;
        let meta = core.store.meta().await?;
        let limits = setup.policy.limits_for(&caller.agent);
        let (mut mints, mut unclaimed_sats, mut max_payment_sats) = (Vec::new(), 0_u64, 0);
        for mint in setup.mints() {
            let here = held.iter().find(|one| is_at(one, &mint.address));
            let (shared, claiming) = shared_at(&foreign, &mint.address);
            unclaimed_sats = unclaimed_sats.saturating_add(here.map_or(0, |one| one.pending_spent));
            mints.push(AtMint {
                mint: mint.address.clone(),
                untrusted_name: name_of(core, &mint.address).await,
                spendable_sats: here.map_or(0, |one| one.unspent).saturating_add(shared),
                pending_sats: here.map_or(0, |one| one.pending).saturating_add(claiming),
            });
            let (most, fee) = most_at(core, &mint.address, limits.max_fee_floor_sats).await?;
            let largest = setup.policy.largest_payment(&caller.agent, &ledger, most, fee);
            max_payment_sats = max_payment_sats.max(largest);
        }
        let left_out = setup.mints().map(|mint| left_out_at(&foreign, &mint.address));
        let used = ledger.all.used_sats();
        // A window that counts as full is reported as full.
        let spent_24h_sats =
            if ledger.full_until.is_some() { used.max(limits.per_day_sats) } else { used };
        Ok(Holdings {
            money: setup.money,
            mints,
            max_payment_sats,
            unclaimed_sats,
            incoming_sats: incoming(core, &setup).await?,
            left_out_sats: left_out.fold(0, u64::saturating_add),
            set_aside: set_aside(&setup, held, &foreign),
            limits,
            spent_24h_sats,
            left_24h_sats: setup.policy.left_today(&caller.agent, &ledger),
            paused: setup.policy.paused,
            nostr: nostr_standing(core).await?,
            keys: core.keys,
            policy_changed_at: meta.policy_changed_at,
        })
    }
}

/// Returns the most sats one payment from this mint can cost (amount plus fee reserve), and the
/// highest input fee of such a payment. Other devices' proofs count as after adoption.
async fn most_at(
    core: &Core,
    address: &MintAddress,
    fee_at_most: u64,
) -> Result<(u64, u64), Failure> {
    let mint = core.mints.even_unchecked(address)?;
    let fees = mint.known_fees_ppk().await?;
    // Highest input fee of a newly issued proof.
    let ppk = fees.values().copied().max().unwrap_or(0);
    let shared =
        core.store.remote_proofs(address.to_string(), vec![RemoteProofState::Unspent]).await?;
    let cost: u64 = shared
        .iter()
        .map(|(_, proof)| fees.get(&proof.keyset_id).copied().unwrap_or(0))
        .fold(0, u64::saturating_add);
    let claimed = changes::sum_sats(shared.iter().map(|(_, proof)| proof))
        .saturating_sub(cost.div_ceil(1000));
    let beside = (0..u64::BITS)
        .map(|power| 1_u64 << power)
        .filter(|amount| claimed & amount != 0)
        .map(|amount| (amount, ppk))
        .collect();
    let (most, fee) = core.store.max_spendable(address, fees, fee_at_most, beside).await?;
    if most == 0 || mint.gives_change().await? {
        return Ok((most, fee));
    }
    // Exact proofs are made first, for a fee of their own; at most one proof per power of two.
    let made = ppk
        .saturating_mul(u64::from(u64::BITS.saturating_sub(most.leading_zeros())))
        .div_ceil(1000);
    let within = fee.saturating_add(made) <= fee_at_most || made == 0;
    Ok(if within { (most.saturating_sub(made), fee.saturating_add(made)) } else { (0, 0) })
}

/// Sums what was paid to us but not issued yet, in sats.
async fn incoming(core: &Core, setup: &Setup) -> Result<u64, Failure> {
    let paid = core.store.incoming().await?;
    let ours = paid.iter().filter(|(at, _)| setup.mints().any(|mint| mint.address.as_str() == at));
    Ok(ours.map(|(_, sats)| *sats).fold(0, u64::saturating_add))
}

/// Returns the mint's own name, cleaned. `None`: never asked, or no name.
pub(super) async fn name_of(core: &Core, mint: &MintAddress) -> Option<String> {
    let about = core.mints.even_unchecked(mint).ok()?.info().await.ok()??;
    about.name.as_deref().map(text::clean).filter(|name| !name.is_empty())
}

/// Sums proofs at unused mints or in other units: our own, and this wallet's on relays.
fn set_aside(setup: &Setup, held: Vec<Held>, foreign: &[RemoteBalance]) -> Vec<SetAside> {
    let used = |mint: &str, unit: &str| {
        unit == "sat" && setup.mints().any(|one| one.address.as_str() == mint)
    };
    let mut aside: BTreeMap<(String, String), u64> = BTreeMap::new();
    let ours = held.into_iter().map(|one| {
        (
            (one.mint, one.unit),
            one.unspent.saturating_add(one.pending).saturating_add(one.pending_spent),
        )
    });
    let theirs = foreign.iter().map(|one| {
        (
            (one.mint.clone(), one.unit.clone()),
            one.unspent.saturating_add(one.unverified).saturating_add(one.left_out),
        )
    });
    for ((mint, unit), amount) in
        ours.chain(theirs).filter(|((mint, unit), amount)| *amount > 0 && !used(mint, unit))
    {
        let sum = aside.entry((mint, unit)).or_default();
        *sum = sum.saturating_add(amount);
    }
    aside.into_iter().map(|((mint, unit), amount)| SetAside { mint, unit, amount }).collect()
}
