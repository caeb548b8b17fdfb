//! Handing out a token (NUT-00), locked or not (NUT-11).

use super::bury::KEPT_SECONDS;
use super::code::Code;
use super::error::Error;
use super::gate::Name;
use super::inputs::{Inputs, insufficient};
use super::known::{Known, digest};
use super::pay::{outgoing, read_repeat};
use super::request::{Caller, SendToken};
use super::rules::Setup;
use super::show::Replay;
use super::spend::{Act, Order};
use super::view::PaymentView;
use super::{Wallet, coins};
use crate::mint::swap::{Lock, Purpose, Swap, SwapOutcome, Want};
use crate::mint::{Mint, Turn, token};
use crate::model::id::PaymentId;
use crate::model::mint::MintAddress;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::store::{Change, TokenRow};

impl Wallet {
    /// Makes a token of `amount_sats`. Value leaves when somebody claims it; until then
    /// `reclaim_token` takes it back, unless it is locked.
    ///
    /// # Errors
    /// `invalid_input`, `text_refused`, `mint_not_trusted`, `no_mint`, `insufficient_funds`,
    /// `over_payment_limit`, `over_budget`, `fee_too_high`, `spending_paused`,
    /// `possible_duplicate`, `key_conflict`, `mint_unreachable`, `mint_refused`: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: the token is made, and `get_payment` has it.
    pub async fn send_token(
        &self,
        caller: &Caller,
        request: SendToken,
    ) -> Result<PaymentView, Error> {
        let until = self.deadline();
        let _announced = self
            .gates
            .announce(&caller.agent, &[request.idempotency_key.as_deref().map(Name::Key)]);
        let setup = self.setup().await?;
        let lock_to = request.lock_to.as_deref().map(read_lock).transpose()?;
        let mint = self.mint_to_send_from(&setup, &request).await?;
        let payee = payee(&mint, request.memo.as_deref(), lock_to.as_deref());
        let digest = digest(&[
            "send_token",
            &request.amount_sats.to_string(),
            request.mint.as_deref().unwrap_or(""),
            &payee_words(&request),
        ]);
        let key = request.idempotency_key.as_deref();
        let earlier = match self.known_by_key(caller, key, &digest).await? {
            Known::Recorded(payment) => {
                return self.show_payment(&setup, caller, *payment, Replay::Yes).await;
            }
            Known::Again(payment) => Some(payment),
            Known::New => None,
        };
        outgoing("memo", request.memo.as_deref())?;
        let payment = Payment {
            id: earlier.as_ref().map_or_else(PaymentId::random, |payment| payment.id.clone()),
            agent: caller.agent.clone(),
            kind: PaymentKind::TokenSent,
            key: request.idempotency_key.clone(),
            request_digest: digest,
            payment_hash: None,
            payee,
            shown_payee: request.lock_to.clone(),
            note: request.memo.clone(),
            note_is_untrusted: false,
            mint: mint.clone(),
            money: setup.money,
            quote_id: None,
            amount_sats: request.amount_sats,
            reserved_sats: request.amount_sats,
            created_at: earlier.as_ref().map_or((self.clock)(), |payment| payment.created_at),
            attempt: earlier.as_ref().map_or(1, |payment| payment.attempt.saturating_add(1)),
            fetched: None,
            zap: None,
            repeat_of: read_repeat(request.repeat_of.as_deref())?,
            caller_in_doubt: false,
            state: PaymentState::Reserved,
        };
        self.deny(&setup, &payment).await.map_err(|error| error.keyed(key))?;
        let held = self.held_at(&mint).await?;
        if held < request.amount_sats {
            let left_out = self.left_out([&mint].into_iter()).await?;
            return Err(insufficient(request.amount_sats, held, left_out)
                .with("mint", mint.as_str())
                .keyed(key));
        }
        let lock_to = lock_to.map(|key| Lock { key, tags: Vec::new() });
        let act = Act::Token { lock_to, memo: request.memo.clone() };
        let order =
            Order { payment, mint: self.mints.at(&mint)?, act, max_fee_sats: None, pass: None };
        let planned = order.payment.id.clone();
        let payment = self.spend(order, until).await?;
        let replay = if payment.id == planned { Replay::No } else { Replay::Yes };
        self.show_payment(&setup, caller, payment, replay).await
    }

    /// The named mint, else the one that holds most.
    async fn mint_to_send_from(
        &self,
        setup: &Setup,
        request: &SendToken,
    ) -> Result<MintAddress, Error> {
        if let Some(text) = request.mint.as_deref() {
            return Ok(setup.named(text)?.address.clone());
        }
        let mut best: Option<(u64, MintAddress)> = None;
        for mint in setup.mints() {
            let held = self.spendable_at(&mint.address).await?;
            if best.as_ref().is_none_or(|(most, _)| held > *most) {
                best = Some((held, mint.address.clone()));
            }
        }
        best.map(|(_, mint)| mint)
            .ok_or_else(|| Error::new(Code::NoMint, "No usable mint is listed."))
    }

    /// Step 5 for a token: exact coins go as they are; others are swapped first, by the journaled
    /// engine.
    pub(super) async fn act_token(
        &self,
        payment: Payment,
        mint: &Mint,
        lock_to: Option<Lock>,
        memo: Option<String>,
        inputs: Inputs,
        turn: Turn,
    ) -> Result<Payment, Error> {
        if inputs.exact {
            let row = TokenRow {
                token: mint.write_token(&inputs.coins.proofs, memo),
                ys: coins::ys(&inputs.coins.proofs),
                locked: false,
                claimed_at: None,
            };
            let out = coins::hand_out(&row.ys);
            let beside = vec![out, Change::Token { payment: payment.id.clone(), row }];
            let state = PaymentState::Settled {
                at: (self.clock)(),
                fee_sats: 0,
                preimage: None,
                claimed: false,
            };
            return self.record(payment, state, beside).await;
        }
        let want = Want {
            purpose: Purpose::Send(payment.id.clone()),
            give_sats: payment.amount_sats,
            lock_to,
            memo,
        };
        let reserve = |swap: &Swap| Ok(vec![coins::reserve(swap.input_ys()?, swap.id)]);
        let swapped =
            self.swap(mint, coins::proofs(inputs.coins.proofs), want, reserve, &turn).await;
        // What ends it may ask the mint about other coins, and needs the turn.
        drop(turn);
        match swapped {
            Ok((swap, outcome)) => self.end_send(payment, mint, &swap, outcome).await,
            Err(error) => Err(self.record_failure(payment, error, Vec::new()).await),
        }
    }

    /// What a token's swap came to.
    pub(super) async fn end_send(
        &self,
        mut payment: Payment,
        mint: &Mint,
        swap: &Swap,
        outcome: SwapOutcome,
    ) -> Result<Payment, Error> {
        match outcome {
            SwapOutcome::Done { give, keep } => {
                let token = mint.write_token(&give, swap.memo.clone());
                let row = TokenRow {
                    token,
                    ys: coins::ys(&give),
                    locked: coins::locked(&give),
                    claimed_at: None,
                };
                let event = self.nutzap_event(&mut payment, &coins::proofs(give.clone()))?;
                let mut beside = coins::swapped(swap, [give, keep].concat())?;
                beside.extend(event);
                beside.push(Change::Token { payment: payment.id.clone(), row });
                let state = PaymentState::Settled {
                    at: (self.clock)(),
                    fee_sats: swap.fee_sats(),
                    preimage: None,
                    claimed: false,
                };
                self.record(payment, state, beside).await
            }
            SwapOutcome::Refused(error) => {
                let beside = super::swap::unswapped(swap, &error)?;
                Err(self.record_failure(payment, Error::from(error), beside).await)
            }
            // Where relays show our coins, another device taking some is nothing unusual.
            SwapOutcome::SpentElsewhere
                if self.nostr.is_some()
                    || payment.created_at.saturating_add(patience(swap)) < (self.clock)() =>
            {
                let held = self.store.coins(swap.input_ys()?).await?;
                let states = mint.states(coins::ys(&held)).await?;
                let (free, spent) = coins::by_word(&held, &states);
                if free.len().saturating_add(spent.len()) < held.len() {
                    // In use elsewhere, and perhaps given back: a later round asks again.
                    let state = PaymentState::Sent { since: (self.clock)(), acknowledged: false };
                    return self.record(payment, state, Vec::new()).await;
                }
                let mut beside = vec![coins::free(free), coins::spent(spent)];
                beside.extend(self.bury(swap)?);
                let error = Error::new(
                    Code::MintRefused,
                    "The mint says that these coins were spent elsewhere; the token was not made.",
                )
                .next("Call sync, then make the same call again.");
                let error = self.record_failure(payment, error, beside).await;
                if let Err(error) = self.doubt_the_rest(mint.address()).await {
                    tracing::debug!(
                        code = error.code.as_str(),
                        "the mint was not asked which coins another device spent"
                    );
                }
                Err(error)
            }
            SwapOutcome::Unknown(_) | SwapOutcome::SpentElsewhere => {
                let state = PaymentState::Sent { since: (self.clock)(), acknowledged: false };
                self.record(payment, state, Vec::new()).await
            }
        }
    }
}

/// How long a mint that says of our own coins that they are spent, and that it signed nothing for
/// them, must keep saying so before the token counts as not made, in seconds. Locked coins could
/// not be found again by a restore.
fn patience(swap: &Swap) -> u64 {
    if swap.gives_locked() { KEPT_SECONDS } else { 600 }
}

fn read_lock(text: &str) -> Result<String, Error> {
    let invalid = || {
        Error::invalid(
            "lock_to",
            "lock_to is neither a public key of 66 hex characters nor an npub.",
        )
    };
    if text.len() > 200 {
        return Err(invalid());
    }
    let hex = match bech32::decode(text.trim()) {
        Ok((hrp, data)) if hrp.as_str() == "npub" && data.len() == 32 => hex::encode(data),
        Ok(_) => return Err(invalid()),
        Err(_) => text.to_owned(),
    };
    token::read_lock(&hex).map_err(|_| invalid())
}

/// What makes two tokens equal, apart from the amount.
fn payee(mint: &MintAddress, memo: Option<&str>, lock_to: Option<&str>) -> String {
    digest(&[mint.as_str(), memo.unwrap_or(""), lock_to.unwrap_or("")])
}

fn payee_words(request: &SendToken) -> String {
    digest(&[request.memo.as_deref().unwrap_or(""), request.lock_to.as_deref().unwrap_or("")])
}
