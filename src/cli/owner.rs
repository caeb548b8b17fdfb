//! The owner's commands: create the wallet, back it up, restore it, list mints, set limits, pause,
//! excuse a repeat.
//!
//! A command that loosens the policy shows the whole policy that will hold and needs a
//! [`Confirmation`]; one that tightens it asks nothing. Each change of policy becomes one entry of
//! history. Output goes to the given writer, never to standard output directly.

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

/// What only a person does.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum OwnerCommand {
    /// Create the wallet's folder, its settings and its keys, and say where they lie
    Init(InitArgs),
    /// Show the words from which the wallet can be made again
    Backup,
    /// Bring a damaged or lost wallet back: from its newest good copy, or from the words, and from
    /// what its mints know
    Restore(RestoreArgs),
    /// The mints this wallet trusts with money
    #[command(subcommand)]
    Mints(MintsCommand),
    /// Nostr relays that keep a sealed copy of this wallet
    #[command(subcommand)]
    Relays(RelaysCommand),
    /// What may be spent
    #[command(subcommand)]
    Limits(LimitsCommand),
    /// Stop all spending at once, in every session
    Pause,
    /// Let spending go on
    Resume,
    /// Payments that a person must decide about
    #[command(subcommand)]
    Payments(PaymentsCommand),
    /// End the process that keeps the wallet, once it has finished what it does; the next client
    /// starts another
    Stop,
    /// Show how this wallet stands: its folder, settings, keys, the process that keeps it, and its
    /// relays
    Doctor {
        /// Look at this computer alone: no relay and no mint is asked, and the process that keeps
        /// the wallet goes on
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
        /// Its money is play money
        #[arg(long)]
        test: bool,
    },
    /// Trust a mint no more; its coins stay in the wallet
    Remove {
        /// The mint's address
        url: MintAddress,
    },
}

/// How to create the wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct InitArgs {
    /// Take a Nostr key of yours over (nsec or ncryptsec), typed or from a pipe; only into a new
    /// folder
    #[arg(long)]
    pub nostr_key: bool,
}

/// Commands about relays.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum RelaysCommand {
    /// Show the relays
    List {
        /// Try each of them: what it says of itself, and whether it takes, shows and deletes an
        /// event of a key made for that
        #[arg(long)]
        check: bool,
    },
    /// Keep a copy on one more relay
    Add {
        /// The relay's address: wss://...
        url: String,
    },
    /// Keep no copy there any more
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
    /// Change limits; raising one asks for a word
    Set(SomeLimits),
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No person has confirmed.
    #[error(transparent)]
    Confirmation(#[from] ConfirmError),
    /// The backend has failed.
    #[error("{0}")]
    Backend(String),
    /// The output failed.
    #[error("the output cannot be written")]
    Io(#[from] io::Error),
}

/// Where the commands work.
pub struct Owner<'a> {
    /// The folder.
    pub home: &'a Home,
    /// The environment.
    pub environment: &'a Environment,
    /// How the person is asked.
    pub confirmation: &'a mut dyn Confirmation,
    /// The wallet behind the commands.
    pub backend: &'a dyn OwnerBackend,
    /// Where to write.
    pub out: &'a mut dyn Write,
    /// Where a command has a result as JSON, write that.
    pub json: bool,
}

impl std::fmt::Debug for Owner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner").field("home", self.home).finish_non_exhaustive()
    }
}

impl Owner<'_> {
    /// Does what was asked.
    ///
    /// # Errors
    /// When the settings cannot be used, or no person confirmed what loosens. Then nothing was
    /// changed.
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

    /// `first` is shown before anything else.
    fn apply_after(&mut self, first: Vec<String>, edit: Edit) -> Result<(), OwnerError> {
        let changes = edit.changes();
        if changes.is_empty() {
            return self.print(&["Nothing to change: it is so already.".to_owned()]);
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

    /// No reason to keep a person from pausing: a history that cannot be written is told.
    fn catch_up(&mut self) -> Result<(), OwnerError> {
        match self.backend.catch_up() {
            Ok(()) => Ok(()),
            Err(reason) => {
                self.print(&[format!("Earlier changes are not in the history: {reason}")])
            }
        }
    }

    /// The change has been made: a history that cannot be written is told, and is no failure of it.
    fn record(&mut self, text: &str, loosened: bool) -> Result<(), OwnerError> {
        match self.backend.record(text, loosened) {
            Ok(()) => Ok(()),
            Err(reason) => {
                self.print(&[format!("This was done, but is not in the history: {reason}")])
            }
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
#[path = "owner/tests.rs"]
mod tests;
