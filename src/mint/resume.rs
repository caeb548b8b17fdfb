//! Ends a swap whose outcome is not known, from what the mint has signed (NUT-09) and spent
//! (NUT-07); else by the very same request.
//!
//! Never believes one answer alone where coins would be given up. A mint that does not serve one of
//! the questions (404) has said nothing: the other question, or the answer to the same request,
//! decides.

use cdk::nuts::State;

use super::error::{MintError, nut};
use super::swap::{Swap, SwapOutcome};
use super::{Mint, MintGuard};

impl Mint {
    /// A refusal counts once the mint calls every input unspent.
    pub(super) async fn refused(&self, swap: &Swap, error: MintError) -> SwapOutcome {
        match self.states_of(swap).await {
            Ok(states) if states.iter().all(|state| *state == State::Unspent) => {
                SwapOutcome::Refused(error)
            }
            Ok(states) if states.contains(&State::Spent) => match self.restored(swap).await {
                Ok(Some(done)) => done,
                _ => SwapOutcome::Unknown(error),
            },
            Ok(_) => SwapOutcome::Unknown(error),
            // None of the outputs is signed, as the mint says after its refusal.
            Err(silent)
                if silent.is_not_served() && matches!(self.restored(swap).await, Ok(None)) =>
            {
                SwapOutcome::Refused(error)
            }
            Err(silent) => SwapOutcome::Unknown(silent),
        }
    }

    /// Ends a swap whose outcome is not known: by the signatures the mint has, else by making the
    /// same request again.
    pub async fn resume_swap(&self, swap: &Swap, guard: &MintGuard) -> SwapOutcome {
        let unanswered = self.unanswered();
        let restored = match self.restored(swap).await {
            Err(silent) if self.unanswered() != unanswered => return SwapOutcome::Unknown(silent),
            restored => restored,
        };
        let (restored, spent) = match (restored, self.any_spent(swap).await) {
            (Ok(restored), Ok(spent)) => (restored, spent),
            // Some of the outputs are signed, or for other amounts: another home of the same words
            // used these counters. The mint's answer to the same request says so.
            (Err(MintError::Wrong(_)), Ok(false)) => (None, false),
            (Err(error), Ok(false)) if error.is_not_served() => (None, false),
            (Err(error), Ok(true)) if error.is_not_served() => {
                return self.repeat_swap(swap, None, guard).await;
            }
            (Err(one), Err(other)) if one.is_not_served() && other.is_not_served() => {
                return self.repeat_swap(swap, None, guard).await;
            }
            (Ok(restored), Err(error)) if error.is_not_served() => {
                return self.repeat_swap(swap, Some(restored), guard).await;
            }
            (Err(error), _) | (_, Err(error)) => return SwapOutcome::Unknown(error),
        };
        match (restored, spent) {
            (Some(done), true) => done,
            // What is locked to another is in no seed: its row goes only with its coins.
            (Some(_), false) if swap.gives_locked() => SwapOutcome::Unknown(MintError::Wrong(
                "outputs are signed and inputs are unspent".to_owned(),
            )),
            // Signed before, and not by this swap: another home of the same words used these
            // counters.
            (Some(_), false) => SwapOutcome::Refused(MintError::Refused {
                code: nut::OUTPUTS_SIGNED,
                reason: "the outputs were signed before".to_owned(),
            }),
            (None, false) => match self.post_swap(swap, guard).await {
                // Only the repeat was turned away; the request before it may still arrive, and then
                // its signatures are asked for.
                SwapOutcome::Refused(error) if error.code().is_none() => {
                    SwapOutcome::Unknown(error)
                }
                outcome => outcome,
            },
            (None, true) => match self.restored(swap).await {
                Ok(Some(done)) => done,
                Ok(None) => SwapOutcome::SpentElsewhere,
                Err(error) => SwapOutcome::Unknown(error),
            },
        }
    }

    /// Makes the same request again where the mint does not serve a question: what it signs again
    /// is ours, and where it calls the inputs spent, `restored` tells by whom: it is what NUT-09
    /// has answered, `None` where that is not served.
    async fn repeat_swap(
        &self,
        swap: &Swap,
        restored: Option<Option<SwapOutcome>>,
        guard: &MintGuard,
    ) -> SwapOutcome {
        match (self.post_swap(swap, guard).await, restored) {
            (
                SwapOutcome::Unknown(MintError::UnderWay { code: nut::TOKEN_SPENT }),
                Some(Some(done)),
            ) => done,
            (
                SwapOutcome::Unknown(error @ MintError::UnderWay { code: nut::TOKEN_SPENT }),
                Some(None),
            ) => match self.restored(swap).await {
                Ok(Some(done)) => done,
                Ok(None) => SwapOutcome::SpentElsewhere,
                Err(_) => SwapOutcome::Unknown(error),
            },
            // Only the repeat was turned away; the request before it may still arrive.
            (SwapOutcome::Refused(error), _) if error.code().is_none() => {
                SwapOutcome::Unknown(error)
            }
            (outcome, _) => outcome,
        }
    }

    /// Sats among a swap's inputs that the mint still takes.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn unspent_of(&self, swap: &Swap) -> Result<u64, MintError> {
        let states = self.states(swap.input_ys()?).await?;
        let left = swap.inputs.iter().zip(states).filter(|(_, state)| *state == State::Unspent);
        Ok(left.map(|(proof, _)| proof.amount.to_u64()).fold(0, u64::saturating_add))
    }

    /// Asks what became of a disputed swap, without making it again. `Done` when the mint has
    /// signed after all; `Refused` when it says that the inputs are unspent after all; else
    /// `SpentElsewhere`.
    pub async fn lookup_swap(&self, swap: &Swap) -> SwapOutcome {
        match self.restored(swap).await {
            Ok(Some(done)) => return done,
            Ok(None) => {}
            Err(error) => return SwapOutcome::Unknown(error),
        }
        let states = match swap.input_ys() {
            Ok(ys) => self.states(ys).await,
            Err(error) => Err(error),
        };
        match states {
            Ok(states) if states.iter().all(|state| *state == State::Unspent) => {
                SwapOutcome::Refused(MintError::Wrong(
                    "the inputs are unspent after all".to_owned(),
                ))
            }
            Ok(_) => SwapOutcome::SpentElsewhere,
            Err(error) => SwapOutcome::Unknown(error),
        }
    }

    async fn any_spent(&self, swap: &Swap) -> Result<bool, MintError> {
        Ok(self.states_of(swap).await?.contains(&State::Spent))
    }

    async fn states_of(&self, swap: &Swap) -> Result<Vec<State>, MintError> {
        self.states(swap.input_ys()?).await
    }

    /// The coins, if the mint has signed all outputs already (NUT-09). `None`: it has signed none
    /// of them.
    async fn restored(&self, swap: &Swap) -> Result<Option<SwapOutcome>, MintError> {
        match self.signed(&swap.outputs).await? {
            Some(signed) => self.swapped(swap, signed).await.map(Some),
            None => Ok(None),
        }
    }
}
