//! The owner's commands: create, back up and restore the wallet, trust mints, set limits, pause,
//! allow a repeat.
//!
//! A command that loosens the policy shows the whole new policy and needs a [`Confirmation`]; one
//! that tightens it asks nothing. Each change becomes one entry of the history. Output goes to the
//! given writer, never to standard output directly.

mod backend;
mod backup;
mod doctor;
mod init;
mod limits;
mod payments;
mod relays;
mod restore;
mod text;

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::confirm::{ConfirmError, Confirmation};
use crate::config::edit::Edit;
use crate::config::{Environment, Home, Settings, SettingsError};
use crate::model::mint::{MintAddress, MoneyKind};
use crate::policy::SomeLimits;

pub use backend::{GivenKey, OwnerBackend};
pub use payments::PaymentsCommand;
pub use restore::{RestoreArgs, RestoreFrom, Summary};

/// The commands that only a person may run.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum OwnerCommand {
    /// Create the wallet's folder, settings and keys, and show where they are
    Init(InitArgs),
    /// Show the twelve words that restore this wallet
    Backup,
    /// Restore a damaged or lost wallet from its newest good copy or from the twelve words, and
    /// from its mints
    Restore(RestoreArgs),
    /// Show or change the mints that this wallet trusts with money
    #[command(subcommand)]
    Mints(MintsCommand),
    /// Show or change the Nostr relays that keep an encrypted copy of this wallet
    #[command(subcommand)]
    Relays(RelaysCommand),
    /// Show or change the spending limits
    #[command(subcommand)]
    Limits(LimitsCommand),
    /// Stop all spending immediately, in every session
    Pause,
    /// Allow spending again
    Resume,
    /// Show open payments, and decide about those that need a person
    #[command(subcommand)]
    Payments(PaymentsCommand),
    /// End the shared wallet process once it has finished its work; the next client starts a new
    /// one
    Stop,
    /// Check this wallet: its folder, settings, keys, process and relays
    Doctor {
        /// Check only this computer: ask no relay or mint, and leave the wallet's process running
        #[arg(long)]
        local: bool,
    },
}

/// Commands about mints.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum MintsCommand {
    /// Show the mints
    List,
    /// Trust a mint with money
    Trust {
        /// The mint's address
        url: MintAddress,
        /// Mark it as a test mint, whose money is play money
        #[arg(long)]
        test: bool,
    },
    /// Stop trusting a mint; its coins stay in the wallet
    Remove {
        /// The mint's address
        url: MintAddress,
    },
}

/// The options of `init`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct InitArgs {
    /// Use your own Nostr key (nsec or ncryptsec), typed or from a pipe; only for a new folder
    #[arg(long)]
    pub nostr_key: bool,
}

/// Commands about relays.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum RelaysCommand {
    /// Show the relays
    List {
        /// Test each relay: read its limits, and store, read and delete an event with a throwaway
        /// key
        #[arg(long)]
        check: bool,
    },
    /// Keep a copy on another relay
    Add {
        /// The relay's address: wss://...
        url: String,
    },
    /// Stop keeping a copy on a relay; what it already stores stays there
    Remove {
        /// The relay's address
        url: String,
    },
}

/// Commands about limits.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum LimitsCommand {
    /// Show the limits
    Show,
    /// Change limits; raising one asks for confirmation
    Set(SomeLimits),
}

/// Reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No person confirmed the change.
    #[error(transparent)]
    Confirmation(#[from] ConfirmError),
    /// The backend has failed.
    #[error("{0}")]
    Backend(String),
    /// The output failed.
    #[error("the output cannot be written")]
    Io(#[from] io::Error),
}

/// The context of the owner's commands.
pub struct Owner<'a> {
    /// The wallet's folder.
    pub home: &'a Home,
    /// The environment.
    pub environment: &'a Environment,
    /// Asks the person to confirm.
    pub confirmation: &'a mut dyn Confirmation,
    /// The wallet behind the commands.
    pub backend: &'a dyn OwnerBackend,
    /// The output.
    pub out: &'a mut dyn Write,
    /// `true` if a command that has a JSON result prints it.
    pub json: bool,
}

impl std::fmt::Debug for Owner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner").field("home", self.home).finish_non_exhaustive()
    }
}

impl Owner<'_> {
    /// Runs a command.
    ///
    /// # Errors
    /// [`OwnerError`]. If the settings cannot be used or no person confirmed, nothing was changed.
    pub fn run(&mut self, command: &OwnerCommand) -> Result<(), OwnerError> {
        match command {
            OwnerCommand::Init(args) => self.init(args),
            OwnerCommand::Relays(RelaysCommand::List { check }) => self.list_relays(*check),
            OwnerCommand::Relays(RelaysCommand::Add { url }) => self.add_relay(url),
            OwnerCommand::Relays(RelaysCommand::Remove { url }) => self.remove_relay(url),
            OwnerCommand::Backup => self.backup(),
            OwnerCommand::Restore(args) => self.restore(args),
            OwnerCommand::Mints(MintsCommand::List) => self.show(text::mints),
            OwnerCommand::Mints(MintsCommand::Trust { url, test }) => self.trust_mint(url, *test),
            OwnerCommand::Mints(MintsCommand::Remove { url }) => {
                self.apply(Edit::remove_mint(self.home, url)?)
            }
            OwnerCommand::Limits(LimitsCommand::Show) => self.show(text::limits),
            OwnerCommand::Limits(LimitsCommand::Set(change)) => {
                self.apply(Edit::limits(self.home, change)?)
            }
            OwnerCommand::Pause => self.apply(Edit::paused(self.home, true)?),
            OwnerCommand::Resume => self.apply(Edit::paused(self.home, false)?),
            OwnerCommand::Payments(command) => self.payments(command),
            OwnerCommand::Stop => self.stop(),
            OwnerCommand::Doctor { local } => self.doctor(*local),
        }
    }

    fn show(&mut self, of: fn(&crate::policy::Policy) -> Vec<String>) -> Result<(), OwnerError> {
        let settings = Settings::peek(self.home)?;
        self.print(&of(&settings.policy))
    }

    fn trust_mint(&mut self, url: &MintAddress, test: bool) -> Result<(), OwnerError> {
        let edit = Edit::trust_mint(self.home, url, test)?;
        let lacks = if edit.changes().is_empty() {
            Vec::new()
        } else {
            text::lacks(self.backend.mint_lacks(url))
        };
        self.apply_after(lacks, edit)
    }

    fn apply(&mut self, edit: Edit) -> Result<(), OwnerError> {
        self.apply_after(Vec::new(), edit)
    }

    /// Applies an edit. If it loosens the policy, shows `first` and the changes and asks for
    /// confirmation.
    fn apply_after(&mut self, first: Vec<String>, edit: Edit) -> Result<(), OwnerError> {
        let changes = edit.changes();
        if changes.is_empty() {
            return self.print(&["Nothing to change: already set.".to_owned()]);
        }
        let loosens = edit.loosens();
        if loosens {
            let mut lines = first;
            if edit.old_policy().listed_money() == MoneyKind::Play
                && edit.new_policy().listed_money() == MoneyKind::Real
            {
                lines.extend(text::first_real_mint(
                    &self.backend.keys().map_err(OwnerError::Backend)?,
                ));
            }
            lines.extend(text::loosening(&changes, edit.new_policy()));
            self.confirmation.confirm(&lines)?;
        }
        self.catch_up()?;
        edit.commit(loosens)?;
        self.print(&changes)?;
        self.record(&changes.join("; "), loosens)
    }

    /// Records changes made by hand before. A history that cannot be written is only reported: it
    /// must not keep a person from pausing.
    fn catch_up(&mut self) -> Result<(), OwnerError> {
        match self.backend.catch_up() {
            Ok(()) => Ok(()),
            Err(reason) => self.print(&[format!(
                "Earlier changes could not be recorded in the history: {reason}"
            )]),
        }
    }

    /// Records a change that has already been made, so a history that cannot be written is only
    /// reported.
    fn record(&mut self, text: &str, loosened: bool) -> Result<(), OwnerError> {
        match self.backend.record(text, loosened) {
            Ok(()) => Ok(()),
            Err(reason) => self.print(&[format!(
                "This was done, but could not be recorded in the history: {reason}"
            )]),
        }
    }

    fn print(&mut self, lines: &[String]) -> Result<(), OwnerError> {
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
