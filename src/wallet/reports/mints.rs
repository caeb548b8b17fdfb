//! Listed mints: balance, fee, limits and reachability.

use futures::future::join_all;
use tokio::time::{Duration, timeout};

use crate::mint::error::MintError;
use crate::model::mint::{MethodInfo, MintAddress, MoneyKind, TrustedMint};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::Failure;
use crate::wallet::people::recommended::recommended_by;
use crate::wallet::proofs::balances::{left_out, spendable_at};
use crate::wallet::reports::Reports;
use crate::wallet::reports::balance::name_of;

/// Time limit for a mint's answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A listed mint and its current status.
#[derive(Clone, Debug)]
pub struct MintStanding {
    /// The mint's address.
    pub mint: MintAddress,
    /// The mint's own name, cleaned.
    pub untrusted_name: Option<String>,
    /// `true` if the mint issues play money.
    pub test: bool,
    /// `true` if the wallet uses the mint.
    pub usable: bool,
    /// `true` if the mint answered just now. `None`: not known.
    pub reachable: Option<bool>,
    /// Sats that can be spent now.
    pub spendable_sats: u64,
    /// Sats there that another program of this wallet may have handed out.
    pub left_out_sats: u64,
    /// The owner's cap, in sats.
    pub max_balance_sats: Option<u64>,
    /// Input fee in thousandths of a sat per proof.
    pub fee_ppk: Option<u64>,
    /// `true` if the mint's public key has changed since its first use.
    pub identity_changed: bool,
    /// Number of people followed by the owner on Nostr who recommend it. `None`: not known.
    pub recommended_by: Option<u64>,
    /// Supported deposits. `None`: not stated by the mint.
    pub deposit: Option<MethodInfo>,
    /// Supported payments. `None`: not stated by the mint.
    pub pay: Option<MethodInfo>,
    /// NUTs that the wallet relies on and the mint lacks.
    pub lacks: Vec<u8>,
}

impl Reports<'_> {
    /// Lists all mints of the policy. Queries only mints that are in use and were contacted before.
    ///
    /// # Errors
    /// [`Cause::Settings`](crate::wallet::core::failure::Cause::Settings), and those of the store.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn mints(self, _caller: &Caller) -> Result<(MoneyKind, Vec<MintStanding>), Failure> {
        let core = self.0;
        let setup = core.setup().await?;
        let listed = setup.policy.mints.iter().map(|mint| standing_of(core, &setup, mint));
        let mints = join_all(listed).await.into_iter().collect::<Result<_, _>>()?;
        Ok((setup.money, mints))
    }
}

async fn standing_of(
    core: &Core,
    setup: &Setup,
    listed: &TrustedMint,
) -> Result<MintStanding, Failure> {
    let (mint, address) = (core.mints.even_unchecked(&listed.address)?, &listed.address);
    let usable = setup.mint(address).is_some();
    let mut about = mint.info().await?;
    let mut reachable = None;
    if about.is_some() && usable {
        reachable = match timeout(PATIENCE, mint.refresh_info()).await {
            // Our own rate limit; the mint was not asked.
            Ok(Err(MintError::RateLimited { .. })) => None,
            Ok(answer) => Some(answer.map_or_else(|error| error.was_answered(), |()| true)),
            Err(_) => Some(false),
        };
        about = mint.info().await?;
    }
    Ok(MintStanding {
        mint: address.clone(),
        untrusted_name: name_of(core, address).await,
        test: listed.test,
        usable,
        reachable,
        spendable_sats: if usable { spendable_at(core, address).await? } else { 0 },
        left_out_sats: if usable { left_out(core, [address].into_iter()).await? } else { 0 },
        max_balance_sats: listed.max_balance_sats,
        fee_ppk: mint.fee_ppk().await,
        identity_changed: core.store.mint_identity_changed(address.as_str()).await?,
        recommended_by: recommended_by(core, address).await?,
        deposit: about.as_ref().and_then(|about| about.deposit),
        pay: about.as_ref().and_then(|about| about.pay),
        lacks: mint.missing_nuts().await?,
    })
}
