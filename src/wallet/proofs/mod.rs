//! The wallet's proofs in the store: balances, and the changes that each step makes.

pub(super) mod balances;
pub(super) mod changes;
