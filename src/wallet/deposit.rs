//! Filling the wallet over Lightning (NUT-04): an invoice of a mint, polled until it is paid,
//! claimed in the background (`issue`).
//!
//! A websocket notice only hurries the next poll. Expiry is advice: a late payment is still
//! claimed.

use tokio::time::{Duration, sleep};

use super::Wallet;
use super::clock::rfc3339;
use super::code::Code;
use super::error::Error;
use super::known::digest;
use super::pay::outgoing;
use super::receive::over_cap;
use super::request::{Caller, Deposit as DepositRequest, GetDeposit};
use super::rules::first_mint;
use super::view::DepositView;
use crate::model::deposit::{Deposit, DepositState};
use crate::model::id::DepositId;
use crate::model::invoice::{Invoice, Network};
use crate::model::mint::{MoneyKind, TrustedMint};
use crate::store::Capped;

/// How often a waiting caller makes us ask the mint.
const POLL: Duration = Duration::from_secs(1);

/// How long the first look takes at most, also for a caller that does not wait.
const FIRST_LOOK: Duration = Duration::from_secs(3);

impl Wallet {
    /// Asks a mint for an invoice. The money is claimed in the background once it is paid, whoever
    /// waits.
    ///
    /// # Errors
    /// `invalid_input`, `text_refused`, `mint_not_trusted`, `no_mint`, `over_balance_limit`,
    /// `amount_out_of_range`, `key_conflict`, `mint_unreachable`, `mint_refused`: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: at worst an invoice nobody pays.
    pub async fn deposit(
        &self,
        caller: &Caller,
        request: DepositRequest,
    ) -> Result<DepositView, Error> {
        let until = self.deadline();
        let late = || {
            Error::new(
                Code::MintUnreachable,
                "The mint did not answer in time; there is no invoice yet.",
            )
        };
        let setup = self.setup().await?;
        outgoing("description", request.description.as_deref())?;
        let digest = digest(&[
            "deposit",
            &request.amount_sats.to_string(),
            request.mint.as_deref().unwrap_or(""),
            request.description.as_deref().unwrap_or(""),
        ]);
        let one_of_a_key = match request.idempotency_key.as_deref() {
            Some(key) => {
                let pass =
                    until.wait(self.gates.pass(&super::known::digest(&[&caller.agent, key]))).await;
                Some(pass.ok_or_else(|| late().keyed(Some(key)))?)
            }
            None => None,
        };
        if let Some(key) = request.idempotency_key.as_deref()
            && let Some(earlier) = self.store.deposit_by_key(&caller.agent, key).await?
        {
            if earlier.request_digest != digest {
                return Err(Error::new(
                    Code::KeyConflict,
                    "This idempotency key was used for another request.",
                )
                .keyed(Some(key)));
            }
            return Ok(show(&earlier));
        }
        let listed = match request.mint.as_deref() {
            Some(text) => setup.named(text)?.clone(),
            None => first_mint(&setup)?.clone(),
        };
        self.check_cap(&listed.address, listed.max_balance_sats, request.amount_sats).await?;
        let wallet = self.clone();
        let agent = caller.agent.clone();
        // The next call with this key waits until it is known whether there is an invoice, also
        // when this one's caller has left.
        let open = async move {
            let _until_then = one_of_a_key;
            wallet.open_deposit(agent, listed, request, digest).await
        };
        let done = self.run_to_end(until.left(), open).await;
        let deposit = done.unwrap_or_else(|| Err(late()))?;
        self.watch(deposit.clone());
        self.wake();
        // The publishing task tells relays of the quote.
        self.changed();
        Ok(show(&deposit))
    }

    async fn open_deposit(
        &self,
        agent: String,
        listed: TrustedMint,
        request: DepositRequest,
        request_digest: String,
    ) -> Result<Deposit, Error> {
        let mint = self.mints.at(&listed.address)?;
        let quote = mint.quote_deposit(request.amount_sats, request.description.clone()).await?;
        let invoice = Invoice::parse(&quote.bolt11);
        let Some(invoice) =
            invoice.ok().filter(|invoice| invoice.amount_sats() == Some(request.amount_sats))
        else {
            return Err(Error::new(
                Code::MintRefused,
                "The mint's invoice is not for the amount asked for; it was thrown away.",
            ));
        };
        if invoice.is_expired((self.clock)()) {
            return Err(Error::new(
                Code::MintRefused,
                "The mint's invoice has run out already; it was thrown away.",
            ));
        }
        if !listed.test && invoice.network != Network::Bitcoin {
            return Err(Error::new(
                Code::MintRefused,
                "The mint's invoice is of a test network; it was thrown away.",
            ));
        }
        let deposit = Deposit {
            id: DepositId::random(),
            agent,
            key: request.idempotency_key,
            request_digest,
            mint: listed.address,
            money: if listed.test { MoneyKind::Play } else { MoneyKind::Real },
            quote_id: quote.id,
            lock: Some(quote.lock),
            quote_key: None,
            // As it was read: whatever the mint wrote around it is gone.
            bolt11: invoice.text.clone(),
            amount_sats: request.amount_sats,
            description: request.description,
            created_at: (self.clock)(),
            expires_at: if quote.expires_at > 0 { quote.expires_at } else { invoice.expires_at },
            dispute: None,
            state: DepositState::Unpaid,
        };
        let (cap, asked) = (listed.max_balance_sats, deposit.amount_sats);
        match self.store.open_deposit(deposit.clone(), cap, (self.clock)()).await? {
            Capped::Written => Ok(deposit),
            Capped::Over(held) => Err(over_cap(cap.unwrap_or(0), held, asked)),
        }
    }

    /// What became of a deposit; with `wait_seconds`, once it is received or the time is up.
    ///
    /// # Errors
    /// `invalid_input`, `not_found`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn get_deposit(
        &self,
        caller: &Caller,
        request: GetDeposit,
    ) -> Result<DepositView, Error> {
        let call = self.deadline();
        let until = call.within(Duration::from_secs(request.wait_seconds.unwrap_or(0)));
        self.setup().await?;
        let mut deposit = self.own_deposit(caller, request.deposit_id.as_deref()).await?;
        let mut changes = self.notices.subscribe();
        let mut first = true;
        while deposit.is_open() && (first || !until.is_past()) {
            // The first look is for whoever does not wait at all.
            let patience = if first { call.within(FIRST_LOOK) } else { until };
            let (wallet, this) = (self.clone(), deposit.clone());
            self.run_to_end(patience.left(), async move { wallet.advance(this).await }).await;
            first = false;
            deposit = self.store.deposit(&deposit.id).await?.unwrap_or(deposit);
            // Of a disputed one the mint has just said the same again.
            if !deposit.is_open() || deposit.rests((self.clock)()) || until.is_past() {
                break;
            }
            changes.mark_unchanged();
            let _hurried = until.within(POLL).wait(changes.changed()).await;
            deposit = self.store.deposit(&deposit.id).await?.unwrap_or(deposit);
        }
        Ok(show(&deposit))
    }

    async fn own_deposit(&self, caller: &Caller, id: Option<&str>) -> Result<Deposit, Error> {
        let none = || Error::new(Code::NotFound, "No deposit of this agent has that id.");
        let Some(text) = id else {
            return self
                .store
                .newest_deposit(&caller.agent)
                .await?
                .ok_or_else(|| Error::new(Code::NotFound, "There is no deposit yet."));
        };
        if text.starts_with("pay_") || text.starts_with("rcv_") {
            return Err(none().next("That is a payment: call get_payment with it."));
        }
        let id = text
            .parse::<DepositId>()
            .map_err(|_| Error::invalid("deposit_id", "deposit_id is not the id of a deposit."))?;
        self.store
            .deposit(&id)
            .await?
            .filter(|deposit| deposit.agent == caller.agent)
            .ok_or_else(none)
    }

    /// Listens for the mint's notice until the invoice has run out; a notice makes us ask.
    fn watch(&self, deposit: Deposit) {
        let (wallet, closing) = (self.clone(), self.closing.clone());
        let left = deposit.expires_at.saturating_sub((self.clock)()).clamp(60, 3_600);
        self.running.spawn(async move {
            let listen = async {
                let mint = wallet.mints.at(&deposit.mint)?;
                if !mint.about().await?.is_some_and(|info| info.notifies) {
                    return Ok::<(), Error>(());
                }
                mint.deposit_hint(&deposit.quote_id).await?;
                wallet.advance(deposit).await?;
                Ok(())
            };
            tokio::select! {
                heard = listen => if let Err(error) = heard { tracing::debug!(code = error.code.as_str(), "no notice of a deposit") },
                () = closing.cancelled() => {}
                () = sleep(Duration::from_secs(left)) => {}
            }
        });
    }
}

fn show(deposit: &Deposit) -> DepositView {
    let (state, next_step) = match deposit.state {
        _ if deposit.disputed().is_some() => (
            "paid",
            Some(
                "The mint says that it has issued these coins, and none of them is here. Tell the owner of this wallet: only whoever runs the \
                 mint can say where they went. The mint is asked again once a day.",
            ),
        ),
        DepositState::Unpaid => (
            "unpaid",
            Some(
                "Give bolt11 to whoever pays. Then call get_deposit with this deposit_id and wait_seconds 45; it is claimed by itself.",
            ),
        ),
        DepositState::Paid => {
            ("paid", Some("Paid; it is being claimed. Call get_deposit again in a moment."))
        }
        DepositState::Received { received_sats: 0, .. } => (
            "received",
            Some(
                "Another device of this wallet has claimed it. Call sync: then it counts as spendable here as well.",
            ),
        ),
        DepositState::Received { .. } => ("received", None),
        DepositState::Expired => ("expired", Some("Nobody paid in time. Make a new deposit.")),
    };
    let of_use = state == "unpaid";
    let received_sats = match deposit.state {
        DepositState::Received { received_sats, .. } => Some(received_sats),
        _ => None,
    };
    DepositView {
        deposit_id: deposit.id.to_string(),
        state,
        money: deposit.money.into(),
        bolt11: of_use.then(|| deposit.bolt11.clone()),
        lightning_uri: of_use.then(|| format!("lightning:{}", deposit.bolt11)),
        amount_sats: deposit.amount_sats,
        received_sats,
        mint: deposit.mint.to_string(),
        expires_at: if deposit.expires_at > 0 { rfc3339(deposit.expires_at) } else { None },
        qr_text: None,
        next_step: next_step.map(str::to_owned),
    }
}
