//! What a mint of the bench is started with.

use std::time::Duration;

/// The settings of a [`TestMint`](crate::TestMint).
#[derive(Debug, Clone)]
pub struct MintOptions {
    /// The name it gives in its info, and that of its Lightning node.
    pub name: String,
    /// The description in its info.
    pub description: String,
    /// The input fee of its keyset, in thousandths of a sat per proof.
    pub input_fee_ppk: u64,
    /// The id of its keyset is one of version 0 (NUT-02), which does not stand for the fee.
    pub keyset_version_0: bool,
    /// The smallest and the largest deposit, in sat.
    pub mint_limits: (u64, u64),
    /// The smallest and the largest payment, in sat.
    pub melt_limits: (u64, u64),
    /// How many seconds a deposit's quote is valid.
    pub mint_quote_ttl: u64,
    /// How many seconds a payment's quote is valid.
    pub melt_quote_ttl: u64,
    /// Deposits are paid from outside by themselves after this long; `None` leaves them to
    /// [`Lightning::pay`](crate::Lightning::pay).
    pub auto_pay: Option<Duration>,
    /// Whether it pays invoices that leave the amount open.
    pub amountless: bool,
    /// The least it reserves for a routing fee, in sat.
    pub fee_reserve_min: u64,
    /// What it reserves for a routing fee, in hundredths of the amount.
    pub fee_reserve_percent: u64,
    /// Whether its info offers the websocket (NUT-17); the route exists either way.
    pub websocket: bool,
    /// The replay window that its info offers (NUT-19), in seconds; `None` offers none and caches
    /// nothing.
    pub replay_seconds: Option<u64>,
    /// What its keys come from; `None` is random. Two mints of one seed have the same keysets.
    pub seed: Option<[u8; 32]>,
}

impl Default for MintOptions {
    fn default() -> Self {
        Self {
            name: "Testbed Mint".to_owned(),
            description: "A mint on loopback whose money is worth nothing".to_owned(),
            input_fee_ppk: 100,
            keyset_version_0: false,
            mint_limits: (1, 1_000_000),
            melt_limits: (1, 1_000_000),
            mint_quote_ttl: 3600,
            melt_quote_ttl: 600,
            auto_pay: Some(Duration::ZERO),
            amountless: true,
            fee_reserve_min: 1,
            fee_reserve_percent: 2,
            websocket: true,
            replay_seconds: Some(60),
            seed: None,
        }
    }
}

impl MintOptions {
    /// The default, under another name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}
