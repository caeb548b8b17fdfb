//! Resumes a swap with unknown outcome: by what the mint has signed (NUT-09) and spent (NUT-07),
//! otherwise by repeating the identical request.
//!
//! Never gives up proofs because of a single answer. A mint that does not serve one of the queries
//! (404) has said nothing: the other query, or the answer to the repeat, decides.

use cdk::nuts::State;

use super::error::{MintError, nut};
use super::swap::{Swap, SwapOutcome};
use super::{Mint, MintGuard};

impl Mint {
    /// Confirms a refusal. It counts only if the mint calls every input unspent.
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
            // After its refusal the mint says that none of the outputs is signed.
            Err(silent)
                if silent.is_not_served() && matches!(self.restored(swap).await, Ok(None)) =>
            {
                SwapOutcome::Refused(error)
            }
            Err(silent) => SwapOutcome::Unknown(silent),
        }
    }

    /// Ends a swap with unknown outcome: by signatures the mint already has, otherwise by repeating
    /// the request.
    pub async fn resume_swap(&self, swap: &Swap, guard: &MintGuard) -> SwapOutcome {
        let unanswered = self.unanswered();
        let restored = match self.restored(swap).await {
            Err(silent) if self.unanswered() != unanswered => return SwapOutcome::Unknown(silent),
            restored => restored,
        };
        let (restored, spent) = match (restored, self.any_spent(swap).await) {
            (Ok(restored), Ok(spent)) => (restored, spent),
            // Only some outputs are signed, or for other amounts: another folder with the same
            // mnemonic used these counters. The answer to a repeat will say so.
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
            // The seed cannot restore outputs locked to a key: the row stays until their proofs are
            // here.
            (Some(_), false) if swap.gives_locked() => SwapOutcome::Unknown(MintError::Wrong(
                "the outputs are signed but the inputs are unspent".to_owned(),
            )),
            // Signed before, but not by this swap: another folder with the same mnemonic used these
            // counters.
            (Some(_), false) => SwapOutcome::Refused(MintError::Refused {
                code: nut::OUTPUTS_SIGNED,
                reason: "the outputs are already signed".to_owned(),
            }),
            (None, false) => match self.post_swap(swap, guard).await {
                // Only the repeat was rejected; the earlier request may still arrive.
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

    /// Repeats a request when the mint does not serve a query. Outputs it signs again are ours. If
    /// it calls the inputs spent, `restored`, its NUT-09 answer, decides by whom; `None`: NUT-09 is
    /// not served.
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
            // Only the repeat was rejected; the earlier request may still arrive.
            (SwapOutcome::Refused(error), _) if error.code().is_none() => {
                SwapOutcome::Unknown(error)
            }
            (outcome, _) => outcome,
        }
    }

    /// Returns the sats of a swap's inputs that the mint calls unspent.
    ///
    /// # Errors
    /// If a request fails.
    pub async fn unspent_of(&self, swap: &Swap) -> Result<u64, MintError> {
        let states = self.states(swap.input_ys()?).await?;
        let left = swap.inputs.iter().zip(states).filter(|(_, state)| *state == State::Unspent);
        Ok(left.map(|(proof, _)| proof.amount.to_u64()).fold(0, u64::saturating_add))
    }

    /// Asks about a disputed swap without repeating it. `Done`: the mint has signed after all.
    /// `Refused`: all inputs are unspent after all. `SpentElsewhere`: neither.
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

    /// Returns the proofs if the mint has signed all outputs (NUT-09). `None`: it has signed none.
    async fn restored(&self, swap: &Swap) -> Result<Option<SwapOutcome>, MintError> {
        match self.signed(&swap.outputs).await? {
            Some(signed) => self.swapped(swap, signed).await.map(Some),
            None => Ok(None),
        }
    }
}
