//! The wallet's program, for the examples that drive it from outside.

use std::env::consts::EXE_SUFFIX;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// The `nutpurse` that was built with the running example, into the same target folder and by the
/// same profile.
///
/// # Errors
/// When it was not built.
pub fn wallet_binary() -> Result<PathBuf> {
    let example = std::env::current_exe()?;
    let folder = example
        .parent()
        .and_then(|examples| examples.parent())
        .context("an example has a folder")?;
    let binary = folder.join(format!("nutpurse{EXE_SUFFIX}"));
    ensure!(binary.is_file(), "{} is not there; run: cargo build", binary.display());
    Ok(binary)
}
