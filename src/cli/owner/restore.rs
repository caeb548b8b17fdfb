//! `restore`: replaces a damaged, lost or outdated wallet file with a copy, or restores it from the
//! mnemonic.
//!
//! The mnemonic is typed without echo, or read as one line from a pipe; never from the command
//! line.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use zeroize::Zeroizing;

use super::{Owner, OwnerError};
use crate::api::Error;
use crate::model::secret::Secret;
use crate::model::text::clean;
use crate::wallet::core::clock;
use crate::wallet::engine::recheck::{Restored, Step};

/// Maximum length of a mnemonic, in bytes.
const WORDS_MAX: u64 = 1_024;
/// The number of counters asked about after the last one found.
const BEYOND: u64 = 300;

/// The options of `restore`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RestoreArgs {
    /// Restore from this copy of the wallet's file; default: the newest good copy in the folder
    #[arg(long, value_name = "FILE")]
    pub copy: Option<PathBuf>,
    /// Restore from the twelve words, typed or as one line of standard input
    #[arg(long)]
    pub words: bool,
}

/// The source of a restore.
#[derive(Clone, Debug, Default)]
pub struct RestoreFrom {
    /// The copy that a person named.
    pub copy: Option<PathBuf>,
    /// The mnemonic that a person typed.
    pub words: Option<Secret>,
}

/// The result of a restore.
#[derive(Debug)]
pub struct Summary {
    /// Lines for a person about what was done with the files.
    pub done: Vec<String>,
    /// The mints' answers.
    pub restored: Restored,
    /// The device number of this folder.
    pub device: u32,
    /// Unix seconds until which the day's limit counts as used up. `None`: it does not.
    pub window_full_until: Option<u64>,
    /// Sats that can be spent now.
    pub spendable_sats: u64,
    /// Sats of this wallet's other devices, on relays; not part of `spendable_sats`.
    pub shared_sats: u64,
    /// Mints in the wallet's list on relays (NUT-27) that are not listed here.
    pub mints_elsewhere: Vec<String>,
}

impl Owner<'_> {
    pub(super) fn restore(&mut self, args: &RestoreArgs) -> Result<(), OwnerError> {
        let words = if args.words { Some(read_words()?) } else { None };
        let from = RestoreFrom { copy: args.copy.clone(), words };
        let progress = Progress::start();
        let summary = self.backend.restore(&from, &|step| progress.tell(&step));
        progress.end();
        let summary = summary.map_err(OwnerError::Backend)?;
        let silent = summary.restored.mints.iter().any(|mint| mint.error.is_some());
        self.print(&lines(summary))?;
        if silent {
            Err(OwnerError::Backend(
                "not every mint could be asked: run `nutpurse restore` again later".to_owned(),
            ))
        } else {
            Ok(())
        }
    }
}

fn read_words() -> Result<Secret, OwnerError> {
    let text = if io::stdin().is_terminal() {
        Zeroizing::new(rpassword::prompt_password("The twelve words, in order (not shown): ")?)
    } else {
        let mut line = Zeroizing::new(String::new());
        io::stdin().lock().take(WORDS_MAX).read_line(&mut line)?;
        line
    };
    Ok(Secret::new(text.trim()))
}

fn lines(summary: Summary) -> Vec<String> {
    let mut lines = summary.done;
    let (mut restored, mut pending, mut spent) = (0_u64, 0_u64, 0_u64);
    for mint in summary.restored.mints {
        let found = &mint.found;
        restored = restored.saturating_add(found.restored_sats);
        pending = pending.saturating_add(found.pending_sats);
        spent = spent.saturating_add(found.spent_sats);
        lines.push(match mint.error {
            None => format!(
                "{}: checked; {} coins known, {} sats of them unspent",
                mint.mint, found.coins, found.unspent_sats
            ),
            Some(failure) => {
                let message = Error::from(failure).message;
                format!("{}: NOT fully checked ({})", mint.mint, clean(&message))
            }
        });
    }
    lines.push(format!("restored: {restored} sats; pending at their mints: {pending} sats; already spent: {spent} sats"));
    lines.push(format!("spendable now: {} sats", summary.spendable_sats));
    if summary.shared_sats > 0 {
        lines.push(format!("on relays, from other devices: {} sats", summary.shared_sats));
    }
    lines.push(format!("device: {}", summary.device));
    for mint in summary.mints_elsewhere {
        lines
            .push(format!("not checked: {} was a mint of this wallet; add it with `nutpurse mints trust URL`, then restore again", clean(&mint)));
    }
    if let Some(until) = summary.window_full_until {
        let until = clock::rfc3339(until).unwrap_or_default();
        lines.push(format!(
            "The spending of the last 24 hours is unknown: nothing can be spent before {until}."
        ));
    }
    lines
}

/// Progress on standard error: a bar on a terminal, plain lines elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    /// The last line printed, if there is no bar.
    last: Mutex<String>,
}

impl Progress {
    fn start() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(BEYOND).with_style(style)
        });
        Self { bar, last: Mutex::default() }
    }

    fn tell(&self, step: &Step<'_>) {
        let text = format!(
            "{}, device {}: {} sats found",
            step.mint, step.device, step.found.unspent_sats
        );
        if let Some(bar) = &self.bar {
            let at = u64::from(step.counter);
            bar.set_length(at.saturating_add(BEYOND));
            bar.set_position(at);
            bar.set_message(text);
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != text {
            let _said = writeln!(io::stderr(), "{text} ({} counters)", step.counter);
            *last = text;
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
