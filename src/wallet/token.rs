//! A payment by a token: exact coins go as they are; others are swapped first (NUT-03).

use super::dispute::KEPT_SECONDS;
use super::failure::{Cause, Failure};
use super::inputs::Inputs;
use super::{Wallet, coins};
use crate::mint::swap::{Lock, Purpose, Swap, SwapOutcome, Want};
use crate::mint::{Mint, Turn};
use crate::model::payment::{Payment, PaymentState};
use crate::store::{Change, TokenRow};

impl Wallet {
    /// Step 5 for a token: exact coins go as they are; others are swapped first, by the journaled
    /// engine.
    pub(super) async fn make_token(
        &self,
        payment: Payment,
        mint: &Mint,
        lock_to: Option<Lock>,
        memo: Option<String>,
        inputs: Inputs,
        turn: Turn,
    ) -> Result<Payment, Failure> {
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
    ) -> Result<Payment, Failure> {
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
                Err(self.record_failure(payment, error.into(), beside).await)
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
                let failure = Cause::SpentElsewhere { token: true }.into();
                let failure = self.record_failure(payment, failure, beside).await;
                if let Err(error) = self.doubt_the_rest(mint.address()).await {
                    tracing::debug!(
                        %error,
                        "the mint was not asked which coins another device spent"
                    );
                }
                Err(failure)
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
