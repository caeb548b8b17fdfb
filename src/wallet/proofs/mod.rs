//! The wallet's proofs as the store has them: what they are worth, and how each step changes them.

pub(super) mod balances;
pub(super) mod changes;
