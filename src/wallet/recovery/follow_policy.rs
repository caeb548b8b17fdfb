//! Records the owner's rule changes in the history.

use crate::policy::describe_lines;
use crate::store::{Change, PolicyChange};
use crate::wallet::core::failure::Failure;
use crate::wallet::recovery::Recovery;

impl Recovery<'_> {
    /// Compares the owner's rules with those last seen; a change becomes one history entry.
    ///
    /// # Errors
    /// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
    pub async fn follow_policy(self) -> Result<(), Failure> {
        let core = self.0;
        let Some(written) = core.rules.take_written() else { return Ok(()) };
        let before = core.store.meta().await?.policy_fingerprint;
        if before.as_ref() == Some(&written) {
            return Ok(());
        }
        let at = (core.clock)();
        if let Some(before) = &before {
            let text = describe_lines(before, &written).join("; ");
            core.store
                .commit(vec![Change::Policy(PolicyChange { at, text, loosened: false })])
                .await?;
        }
        let known = before.is_some();
        core.store
            .set_meta(move |meta| {
                meta.policy_fingerprint = Some(written);
                if known {
                    meta.policy_changed_at = Some(at);
                }
            })
            .await?;
        core.changed();
        Ok(())
    }
}
