//! Decides on a payment. All sums saturate, so no amount passes a limit by wrapping.

use crate::model::ledger::{Day, Ledger};

use super::{Ask, Denial, Policy, duplicate};

impl Policy {
    /// Checks everything that does not depend on a quote, before any server is contacted: the
    /// pause, the amount against the limits, and likely duplicates. Ignores fees. A caller without
    /// a ledger may pass an empty one, which skips the checks against earlier payments.
    ///
    /// # Errors
    /// The first reason to refuse.
    pub fn precheck(&self, ask: &Ask<'_>, ledger: &Ledger, now: u64) -> Result<(), Denial> {
        let limits = self.limits_for(ask.agent);
        if self.paused {
            return Err(Denial::Paused);
        }
        if limits.per_payment_sats == 0 || ask.amount_sats > limits.per_payment_sats {
            return Err(Denial::OverPaymentLimit {
                limit_sats: limits.per_payment_sats,
                asked_sats: ask.amount_sats,
            });
        }
        duplicate::check(ask, ledger)?;
        self.within_days(ask.agent, ask.amount_sats, ledger, now)
    }

    /// Decides on a complete plan: [`Self::precheck`], then the fee ceiling, then the amount with
    /// the highest fees against the day's limits. Call it inside the transaction that reserves the
    /// money, with the ledger of that transaction.
    ///
    /// # Errors
    /// The first reason to refuse.
    pub fn decide(&self, ask: &Ask<'_>, ledger: &Ledger, now: u64) -> Result<(), Denial> {
        self.precheck(ask, ledger, now)?;
        let limits = self.limits_for(ask.agent);
        let ours = limits
            .max_fee_sats(ask.amount_sats)
            .saturating_add(ask.input_fee_sats.min(limits.max_fee_floor_sats));
        let ceiling = ask.caller_max_fee_sats.map_or(ours, |theirs| theirs.min(ours));
        if ask.fee_ceiling_sats > ceiling {
            return Err(Denial::FeeTooHigh {
                limit_sats: ceiling,
                asked_sats: ask.fee_ceiling_sats,
            });
        }
        self.within_days(
            ask.agent,
            ask.amount_sats.saturating_add(ask.fee_ceiling_sats),
            ledger,
            now,
        )
    }

    /// Returns the largest payment, in sats, that is sure to be admitted now, even with the highest
    /// allowed fees; with lower fees a little more may fit. `spendable_sats` excludes the input
    /// fee, which is at most `input_fee_sats`.
    pub fn largest_payment(
        &self,
        agent: &str,
        ledger: &Ledger,
        spendable_sats: u64,
        input_fee_sats: u64,
    ) -> u64 {
        let limits = self.limits_for(agent);
        if self.paused {
            return 0;
        }
        let room =
            self.left_today(agent, ledger).saturating_sub(input_fee_sats).min(spendable_sats);
        let (mut fits, mut over) = (0, limits.per_payment_sats.min(room).saturating_add(1));
        while over - fits > 1 {
            let middle = fits + (over - fits) / 2;
            if middle.saturating_add(limits.max_fee_sats(middle)) <= room {
                fits = middle;
            } else {
                over = middle;
            }
        }
        fits
    }

    /// Returns what this agent can still spend today, in sats: the lower of what is left of the
    /// wallet's daily limit and of its own.
    pub fn left_today(&self, agent: &str, ledger: &Ledger) -> u64 {
        if ledger.full_until.is_some() {
            return 0;
        }
        self.days(agent, ledger).map(|(limit, day)| day.left_sats(limit)).min().unwrap_or(0)
    }

    /// The daily limits for this agent, each with the day's spending that it applies to.
    fn days<'a>(&self, agent: &str, ledger: &'a Ledger) -> impl Iterator<Item = (u64, &'a Day)> {
        let own = self.agent(agent).limits.per_day_sats.map(|limit| (limit, &ledger.own));
        std::iter::once((self.limits.per_day_sats, &ledger.all)).chain(own)
    }

    fn within_days(
        &self,
        agent: &str,
        asked: u64,
        ledger: &Ledger,
        now: u64,
    ) -> Result<(), Denial> {
        for (limit, day) in self.days(agent, ledger) {
            let fits = limit > 0
                && ledger.full_until.is_none()
                && day.used_sats().checked_add(asked).is_some_and(|sum| sum <= limit);
            if !fits {
                let full_for = ledger.full_until.map_or(0, |until| until.saturating_sub(now));
                let waits = day.fits_in(asked, limit, now).filter(|_| limit > 0);
                return Err(Denial::OverBudget {
                    limit_sats: limit,
                    asked_sats: asked,
                    left_sats: if ledger.full_until.is_some() { 0 } else { day.left_sats(limit) },
                    retry_after_seconds: waits.map(|seconds| seconds.max(full_for)),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
