//! Opens deposits (NUT-04): a mint's invoice, polled until paid and claimed in the background
//! ([`issue`](super::issue)).
//!
//! A websocket notice only triggers the next poll. Expiry is advisory: a late payment is still
//! claimed.

use crate::model::deposit::{Deposit, DepositState};
use crate::model::id::DepositId;
use crate::model::invoice::{BitcoinNetwork, Invoice};
use crate::model::mint::{MintAddress, MoneyKind, TrustedMint};
use crate::model::money::Sats;
use crate::store::Capped;
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::first_mint;
use crate::wallet::core::digest::{self, digest};
use crate::wallet::core::failure::{Cause, Failure, Late, Missing, WrongQuote};
use crate::wallet::core::outgoing_text::outgoing;
use crate::wallet::deposit::Deposits;
use crate::wallet::deposit::issue::advance;
use crate::wallet::proofs::balances::{check_cap, over_cap};
use tokio::time::{Duration, sleep};

/// Parameters of a deposit.
#[derive(Clone, Debug)]
pub struct DepositIntent {
    /// The amount.
    pub amount: Sats,
    /// The mint to hold it. `None`: the first usable one.
    pub mint: Option<MintAddress>,
    /// Description for the payer.
    pub description: Option<String>,
    /// The caller's idempotency key.
    pub key: Option<String>,
}

/// Interval at which the mint is asked while a caller waits.
const POLL: Duration = Duration::from_secs(1);

/// Maximum duration of the first check, which runs even if the caller does not wait.
const FIRST_LOOK: Duration = Duration::from_secs(3);

impl Deposits<'_> {
    /// Requests an invoice from a mint. Once it is paid, the money is claimed in the background.
    ///
    /// # Errors
    /// [`Cause::Text`], [`Cause::NotTrusted`], [`Cause::NoMint`], [`Cause::OverCap`],
    /// [`Cause::Conflict`], [`Cause::Mint`], [`Cause::Quote`], [`Cause::Late`]: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: at worst an unused invoice remains.
    pub async fn open(self, caller: &Caller, intent: DepositIntent) -> Result<Deposit, Failure> {
        let core = self.0;
        let until = core.deadline();
        let late = || Failure::new(Cause::Late(Late::Invoice));
        let setup = core.setup().await?;
        outgoing("description", intent.description.as_deref())?;
        let digest = digest(&[
            "deposit",
            &intent.amount.get().to_string(),
            intent.mint.as_ref().map_or("", MintAddress::as_str),
            intent.description.as_deref().unwrap_or(""),
        ]);
        let one_of_a_key = match intent.key.as_deref() {
            Some(key) => {
                let pass =
                    until.wait(core.locks.pass(&digest::digest(&[&caller.agent, key]))).await;
                Some(pass.ok_or_else(late)?)
            }
            None => None,
        };
        if let Some(key) = intent.key.as_deref()
            && let Some(earlier) = core.store.deposit_by_key(&caller.agent, key).await?
        {
            if earlier.request_digest != digest {
                return Err(Cause::Conflict.into());
            }
            return Ok(earlier);
        }
        let listed = match &intent.mint {
            Some(address) => setup.usable(address)?.clone(),
            None => first_mint(&setup)?.clone(),
        };
        check_cap(core, &listed.address, listed.max_balance_sats, intent.amount.get()).await?;
        let owned = core.clone();
        let agent = caller.agent.clone();
        // Holds the key's lock until the invoice is stored or refused, even if this caller leaves,
        // so that the next call with the key finds the result.
        let open = async move {
            let _until_then = one_of_a_key;
            open_deposit(&owned, agent, listed, intent, digest).await
        };
        let done = core.run_to_end(until.left(), open).await;
        let deposit = done.unwrap_or_else(|| Err(late()))?;
        watch(core, deposit.clone());
        core.wake();
        // Wakes the task that publishes the quote to relays.
        core.changed();
        Ok(deposit)
    }

    /// Returns a deposit once it is received, or after `wait` at the latest. Without an id, returns
    /// the agent's newest deposit.
    ///
    /// # Errors
    /// [`Cause::NotFound`].
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn get(
        self,
        caller: &Caller,
        id: Option<&DepositId>,
        wait: Duration,
    ) -> Result<Deposit, Failure> {
        let core = self.0;
        let call = core.deadline();
        let until = call.within(wait);
        core.setup().await?;
        let mut deposit = own_deposit(core, caller, id).await?;
        let mut changes = core.notices.subscribe();
        let mut first = true;
        while deposit.is_open() && (first || !until.is_past()) {
            // The first check has its own time limit, so that it runs without a wait too.
            let patience = if first { call.within(FIRST_LOOK) } else { until };
            let (owned, this) = (core.clone(), deposit.clone());
            core.run_to_end(patience.left(), async move { advance(&owned, this).await }).await;
            first = false;
            deposit = core.store.deposit(&deposit.id).await?.unwrap_or(deposit);
            // Asking again about a disputed deposit would only repeat the mint's answer.
            if !deposit.is_open() || deposit.rests((core.clock)()) || until.is_past() {
                break;
            }
            changes.mark_unchanged();
            let _hurried = until.within(POLL).wait(changes.changed()).await;
            deposit = core.store.deposit(&deposit.id).await?.unwrap_or(deposit);
        }
        Ok(deposit)
    }
}

async fn open_deposit(
    core: &Core,
    agent: String,
    listed: TrustedMint,
    intent: DepositIntent,
    request_digest: String,
) -> Result<Deposit, Failure> {
    let mint = core.mints.at(&listed.address)?;
    let amount_sats = intent.amount.get();
    let quote = mint.quote_deposit(amount_sats, intent.description.clone()).await?;
    let invoice = Invoice::parse(&quote.bolt11);
    let invoice = invoice
        .ok()
        .filter(|invoice| invoice.amount_sats() == Some(amount_sats))
        .ok_or(Cause::Quote(WrongQuote::InvoiceAmount))?;
    if invoice.is_expired((core.clock)()) {
        return Err(Cause::Quote(WrongQuote::InvoiceExpired).into());
    }
    if !listed.test && invoice.network != BitcoinNetwork::Bitcoin {
        return Err(Cause::Quote(WrongQuote::InvoiceNetwork).into());
    }
    let deposit = Deposit {
        id: DepositId::random(),
        agent,
        key: intent.key,
        request_digest,
        mint: listed.address,
        money: if listed.test { MoneyKind::Play } else { MoneyKind::Real },
        quote_id: quote.id,
        lock: Some(quote.lock),
        quote_key: None,
        // The parsed text, without anything the mint wrote around it.
        bolt11: invoice.text.clone(),
        amount_sats,
        description: intent.description,
        created_at: (core.clock)(),
        expires_at: if quote.expires_at > 0 { quote.expires_at } else { invoice.expires_at },
        dispute: None,
        state: DepositState::Unpaid,
    };
    let (cap, asked) = (listed.max_balance_sats, deposit.amount_sats);
    match core.store.open_deposit(deposit.clone(), cap, (core.clock)()).await? {
        Capped::Written => Ok(deposit),
        Capped::Over(held) => Err(over_cap(cap.unwrap_or(0), held, asked)),
    }
}

async fn own_deposit(
    core: &Core,
    caller: &Caller,
    id: Option<&DepositId>,
) -> Result<Deposit, Failure> {
    let (found, missing) = match id {
        Some(id) => (core.store.deposit(id).await?, Missing::Deposit),
        None => (core.store.newest_deposit(&caller.agent).await?, Missing::AnyDeposit),
    };
    found
        .filter(|deposit| deposit.agent == caller.agent)
        .ok_or_else(|| Cause::NotFound(missing).into())
}

/// Waits for the mint's notice until the invoice expires; a notice triggers a check.
fn watch(core: &Core, deposit: Deposit) {
    let (owned, closing) = (core.clone(), core.closing.clone());
    let left = deposit.expires_at.saturating_sub((core.clock)()).clamp(60, 3_600);
    core.running.spawn(async move {
        let listen = async {
            let mint = owned.mints.at(&deposit.mint)?;
            if !mint.info().await?.is_some_and(|info| info.notifies) {
                return Ok::<(), Failure>(());
            }
            mint.wait_for_quote_update(&deposit.quote_id).await?;
            advance(&owned, deposit).await?;
            Ok(())
        };
        tokio::select! {
            heard = listen => if let Err(error) = heard { tracing::debug!(%error, "waiting for a deposit's notice failed") },
            () = closing.cancelled() => {}
            () = sleep(Duration::from_secs(left)) => {}
        }
    });
}
