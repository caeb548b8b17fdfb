//! The usual bench: one network, one mint on it, one relay.

use anyhow::Result;

use crate::lightning::Lightning;
use crate::mint::TestMint;
use crate::options::MintOptions;
use crate::relay::Relay;

/// One of each; deposits at its mint pay themselves.
#[derive(Debug)]
pub struct Bench {
    /// The simulated network.
    pub lightning: Lightning,
    /// A mint on it.
    pub mint: TestMint,
    /// A relay.
    pub relay: Relay,
}

impl Bench {
    /// Starts one of each with the default options.
    pub async fn start() -> Result<Self> {
        Self::with(MintOptions::default()).await
    }

    /// Starts one of each, the mint with `options`.
    pub async fn with(options: MintOptions) -> Result<Self> {
        let lightning = Lightning::new();
        let mint = TestMint::start(&lightning, options).await?;
        let relay = Relay::start().await?;
        Ok(Self { lightning, mint, relay })
    }
}
