//! What the wallet holds. Reads the store alone: no request, no scan.

use std::collections::BTreeMap;

use super::clock::rfc3339;
use super::error::Error;
use super::request::{Caller, GetBalance};
use super::rules::Setup;
use super::view::{Balance, LimitsView, MintBalance, SetAside};
use super::{Wallet, coins};
use crate::model::mint::{MintAddress, MoneyKind};
use crate::model::text;
use crate::store::{Balance as Held, ForeignBalance, ForeignState};

impl Wallet {
    /// What the wallet holds and what may be spent.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`, `wallet_damaged`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn get_balance(
        &self,
        caller: &Caller,
        _request: GetBalance,
    ) -> Result<Balance, Error> {
        let setup = self.setup().await?;
        let now = (self.clock)();
        let ledger = self.store.ledger(&caller.agent, None, now).await?;
        let held = self.store.balances().await?;
        let foreign = self.store.foreign_balances().await?;
        let meta = self.store.meta().await?;
        let (mut mints, mut pending, mut unclaimed) = (Vec::new(), 0u64, 0u64);
        for mint in setup.mints() {
            let here = held.iter().find(|one| is_at(one, &mint.address));
            let (shared, claiming) = shared_at(&foreign, &mint.address);
            let held_here = here.map_or(0, |one| one.pending).saturating_add(claiming);
            pending = pending.saturating_add(held_here);
            unclaimed = unclaimed.saturating_add(here.map_or(0, |one| one.pending_spent));
            mints.push(MintBalance {
                mint: mint.address.to_string(),
                untrusted_name: self.name_of(&mint.address).await,
                spendable_sats: here.map_or(0, |one| one.unspent).saturating_add(shared),
                pending_sats: held_here,
            });
        }
        let limits = setup.policy.limits_for(&caller.agent);
        let mut max_payment_sats = 0;
        for mint in setup.mints() {
            let (most, fee) = self.most_at(&mint.address, limits.max_fee_floor_sats).await?;
            max_payment_sats = max_payment_sats.max(setup.policy.largest_payment(
                &caller.agent,
                &ledger,
                most,
                fee,
            ));
        }
        let left_out = setup
            .mints()
            .map(|mint| left_out_at(&foreign, &mint.address))
            .fold(0, u64::saturating_add);
        let spendable_sats =
            mints.iter().map(|mint| mint.spendable_sats).fold(0, u64::saturating_add);
        Ok(Balance {
            money: setup.money.into(),
            spendable_sats,
            max_payment_sats,
            pending_sats: pending,
            unclaimed_sats: unclaimed,
            incoming_sats: self.incoming(&setup).await?,
            perhaps_handed_out_sats: Some(left_out).filter(|sats| *sats > 0),
            mints,
            set_aside: set_aside(&setup, held, &foreign),
            limits: LimitsView {
                per_payment_sats: limits.per_payment_sats,
                per_day_sats: limits.per_day_sats,
                approval_above_sats: None,
                // A window that counts as full is shown as full.
                spent_24h_sats: if ledger.full_until.is_some() {
                    ledger.all.used_sats().max(limits.per_day_sats)
                } else {
                    ledger.all.used_sats()
                },
                left_24h_sats: setup.policy.left_today(&caller.agent, &ledger),
                scope: "this_wallet_on_this_device",
            },
            nostr: self.nostr_view().await?,
            keys: Some(self.keys),
            policy_changed_at: meta.policy_changed_at.and_then(rfc3339),
            agent: caller.agent.clone(),
            warning: warning(&setup),
        })
    }

    /// The most sats that one payment from this mint can take, amount and fee reserve together, and
    /// the highest input fee that such a payment can cost. Coins of other devices count as they
    /// will be after we have claimed them.
    async fn most_at(&self, address: &MintAddress, fee_at_most: u64) -> Result<(u64, u64), Error> {
        let mint = self.mints.even_unchecked(address)?;
        let fees = mint.known_fees_ppk().await?;
        // What a coin that is made anew costs at the most.
        let ppk = fees.values().copied().max().unwrap_or(0);
        let shared =
            self.store.foreign_coins(address.to_string(), vec![ForeignState::Unspent]).await?;
        let cost: u64 = shared
            .iter()
            .map(|(_, proof)| fees.get(&proof.keyset_id).copied().unwrap_or(0))
            .fold(0, u64::saturating_add);
        let claimed = coins::sum_sats(shared.iter().map(|(_, proof)| proof))
            .saturating_sub(cost.div_ceil(1000));
        let beside = (0..u64::BITS)
            .map(|power| 1_u64 << power)
            .filter(|amount| claimed & amount != 0)
            .map(|amount| (amount, ppk))
            .collect();
        let (most, fee) = self.store.most(address, fees, fee_at_most, beside).await?;
        if most == 0 || mint.gives_change().await? {
            return Ok((most, fee));
        }
        // Exact coins are made first, and cost a fee of their own: of one coin for each power of
        // two at most.
        let made = ppk
            .saturating_mul(u64::from(u64::BITS.saturating_sub(most.leading_zeros())))
            .div_ceil(1000);
        let within = fee.saturating_add(made) <= fee_at_most || made == 0;
        Ok(if within { (most.saturating_sub(made), fee.saturating_add(made)) } else { (0, 0) })
    }

    /// Sats that can be spent at the wallet's mints, without those that another program has perhaps
    /// handed out.
    pub(super) async fn spendable(&self, setup: &Setup) -> Result<u64, Error> {
        let held = self.store.balances().await?;
        let ours = held.iter().filter(|one| setup.mints().any(|mint| is_at(one, &mint.address)));
        let foreign = self.store.foreign_balances().await?;
        let shared = setup.mints().map(|mint| shared_at(&foreign, &mint.address).0);
        Ok(ours.map(|one| one.unspent).chain(shared).fold(0, u64::saturating_add))
    }

    /// Sats that can be spent at one mint, without those that another program has perhaps handed
    /// out.
    pub(super) async fn spendable_at(&self, mint: &MintAddress) -> Result<u64, Error> {
        let (held, foreign) = (self.store.balances().await?, self.store.foreign_balances().await?);
        let shared = shared_at(&foreign, mint).0;
        Ok(held
            .iter()
            .find(|one| is_at(one, mint))
            .map_or(0, |one| one.unspent)
            .saturating_add(shared))
    }

    /// Sats at these mints that another program has perhaps handed out: spent when nothing else is
    /// left, and counted nowhere.
    pub(super) async fn left_out(
        &self,
        mints: impl Iterator<Item = &MintAddress>,
    ) -> Result<u64, Error> {
        let foreign = self.store.foreign_balances().await?;
        Ok(mints.map(|mint| left_out_at(&foreign, mint)).fold(0, u64::saturating_add))
    }

    /// Sats of our own at one mint that can be spent as they are.
    pub(super) async fn unspent_at(&self, mint: &MintAddress) -> Result<u64, Error> {
        let held = self.store.balances().await?;
        Ok(held.iter().find(|one| is_at(one, mint)).map_or(0, |one| one.unspent))
    }

    /// Sats at one mint that can be spent or are held by open payments.
    pub(super) async fn held_at(&self, mint: &MintAddress) -> Result<u64, Error> {
        let held = self.store.balances().await?;
        let (shared, claiming) = shared_at(&self.store.foreign_balances().await?, mint);
        let ours = held
            .iter()
            .find(|one| is_at(one, mint))
            .map_or(0, |one| one.unspent.saturating_add(one.pending));
        Ok(ours.saturating_add(shared).saturating_add(claiming))
    }

    /// Paid to us and not yet claimed by us, in sats.
    async fn incoming(&self, setup: &Setup) -> Result<u64, Error> {
        let paid = self.store.incoming().await?;
        let ours =
            paid.iter().filter(|(at, _)| setup.mints().any(|mint| mint.address.as_str() == at));
        Ok(ours.map(|(_, sats)| *sats).fold(0, u64::saturating_add))
    }

    /// What a mint calls itself, cleaned. `None`: it was never asked, or has no name.
    pub(super) async fn name_of(&self, mint: &MintAddress) -> Option<String> {
        let about = self.mints.even_unchecked(mint).ok()?.about().await.ok()??;
        about.name.as_deref().map(text::clean).filter(|name| !name.is_empty())
    }
}

fn is_at(held: &Held, mint: &MintAddress) -> bool {
    held.unit == "sat" && held.mint == mint.as_str()
}

/// Coins of other devices at a mint, in sats: those that can be claimed, and those being claimed.
fn shared_at(foreign: &[ForeignBalance], mint: &MintAddress) -> (u64, u64) {
    let here = foreign.iter().find(|one| one.unit == "sat" && one.mint == mint.as_str());
    here.map_or((0, 0), |one| (one.unspent, one.claiming))
}

fn left_out_at(foreign: &[ForeignBalance], mint: &MintAddress) -> u64 {
    foreign
        .iter()
        .filter(|one| one.unit == "sat" && one.mint == mint.as_str())
        .map(|one| one.left_out)
        .fold(0, u64::saturating_add)
}

/// Coins at mints that the wallet does not use, or in other units: ours, and what relays show as
/// this wallet's.
fn set_aside(setup: &Setup, held: Vec<Held>, foreign: &[ForeignBalance]) -> Vec<SetAside> {
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
            one.unspent.saturating_add(one.doubtful).saturating_add(one.left_out),
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

fn warning(setup: &Setup) -> Option<String> {
    if setup.policy.paused {
        return Some("The owner has paused all spending.".to_owned());
    }
    if setup.mints().next().is_none() {
        return Some("No usable mint is listed.".to_owned());
    }
    (setup.money == MoneyKind::Play)
        .then(|| "Play money: worth nothing. Do not take it for payment.".to_owned())
}
