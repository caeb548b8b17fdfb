//! What the owner did to the rules, for the history.

use super::Wallet;
use super::failure::Failure;
use crate::policy::describe_lines;
use crate::store::{Change, PolicyChange};

impl Wallet {
    /// Takes note of what the owner has written. A change since the last time is one entry of
    /// history.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    pub async fn follow_policy(&self) -> Result<(), Failure> {
        let Some(written) = self.rules.take_written() else { return Ok(()) };
        let before = self.store.meta().await?.policy_fingerprint;
        if before.as_ref() == Some(&written) {
            return Ok(());
        }
        let at = (self.clock)();
        if let Some(before) = &before {
            let text = describe_lines(before, &written).join("; ");
            self.store
                .commit(vec![Change::Policy(PolicyChange { at, text, loosened: false })])
                .await?;
        }
        let known = before.is_some();
        self.store
            .set_meta(move |meta| {
                meta.policy_fingerprint = Some(written);
                if known {
                    meta.policy_changed_at = Some(at);
                }
            })
            .await?;
        self.changed();
        Ok(())
    }
}
