//! Edits of the settings files: prepared, shown, then written in one step. Comments and order are
//! kept.
//!
//! An [`Edit`] is checked as a whole when it is prepared, and writes nothing until
//! [`Edit::commit`]. Never decides whether a change is allowed; the caller does.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::files::{self, FileError};
use super::home::Home;
use super::settings::{CONFIG_FILE, MINTS_FILE, Settings, SettingsError, Texts, file_fault};
use crate::model::mint::MintAddress;
use crate::policy::{Measure, Policy, SomeLimits};

/// A prepared change of one settings file.
#[derive(Debug)]
pub struct Edit {
    home: Home,
    file: &'static str,
    before: Texts,
    after: Texts,
    old: Settings,
    new: Settings,
}

impl Edit {
    /// Prepares new limits for the whole wallet.
    ///
    /// # Errors
    /// If the files cannot be used now, or could not be used after the change.
    pub fn limits(home: &Home, change: &SomeLimits) -> Result<Self, SettingsError> {
        Self::prepare(home, CONFIG_FILE, |document| {
            let limits = section(document, "limits");
            for (limit, new) in change.each() {
                let Some(new) = new else { continue };
                let typed = match limit.measure {
                    Measure::Sats => integer(new),
                    Measure::Percent => (new as f64 / 100.0).into(),
                };
                set(limits, limit.key, typed);
            }
            Ok(())
        })
    }

    /// Prepares to pause or resume all spending.
    ///
    /// # Errors
    /// The same as for [`Self::limits`].
    pub fn paused(home: &Home, paused: bool) -> Result<Self, SettingsError> {
        Self::prepare(home, CONFIG_FILE, |document| {
            set(section(document, "spending"), "paused", paused.into());
            Ok(())
        })
    }

    /// Prepares a new list of relays.
    ///
    /// # Errors
    /// The same as for [`Self::limits`].
    pub fn relays(home: &Home, relays: &[String]) -> Result<Self, SettingsError> {
        Self::prepare(home, CONFIG_FILE, |document| {
            let list: toml_edit::Array = relays.iter().map(String::as_str).collect();
            set(section(document, "nostr"), "relays", list.into());
            Ok(())
        })
    }

    /// Prepares to list a mint at the end, or to set whether a listed one is a test mint.
    ///
    /// # Errors
    /// The same as for [`Self::limits`].
    pub fn trust_mint(
        home: &Home,
        address: &MintAddress,
        test: bool,
    ) -> Result<Self, SettingsError> {
        Self::prepare(home, MINTS_FILE, |document| {
            if !document.contains_key("mint") {
                // Otherwise the existing text would be printed after the first entry.
                let text = document.trailing().as_str().unwrap_or_default().to_owned();
                document.set_trailing("");
                let mut first = entry(address, test);
                first.decor_mut().set_prefix(ended(&text));
                document.insert("mint", Item::ArrayOfTables([first].into_iter().collect()));
                return Ok(());
            }
            let list = list(document)?;
            let at = list.iter().position(|one| is_of(one, address));
            if let Some(one) = at.and_then(|at| list.get_mut(at)) {
                say_test(one, test);
                return Ok(());
            }
            let mut new = entry(address, test);
            new.decor_mut().set_prefix("\n");
            list.push(new);
            Ok(())
        })
    }

    /// Prepares to remove a mint from the list. Its proofs stay in the wallet.
    ///
    /// # Errors
    /// The same as for [`Self::limits`], and if the mint is not listed.
    pub fn remove_mint(home: &Home, address: &MintAddress) -> Result<Self, SettingsError> {
        Self::prepare(home, MINTS_FILE, |document| {
            let missing = || fault(MINTS_FILE, format!("{address} is not listed"));
            if !document.contains_key("mint") {
                return Err(missing());
            }
            let list = list(document)?;
            let at = list.iter().position(|one| is_of(one, address)).ok_or_else(missing)?;
            let comment = prefix(list.get(at));
            list.remove(at);
            // Comments above the entry are the owner's and may be about the whole file.
            if let Some(next) = list.get_mut(at) {
                let kept = format!("{comment}{}", prefix(Some(next)));
                next.decor_mut().set_prefix(kept);
            } else {
                let kept = format!("{comment}{}", document.trailing().as_str().unwrap_or_default());
                document.set_trailing(kept);
            }
            if document
                .get("mint")
                .and_then(Item::as_array_of_tables)
                .is_some_and(ArrayOfTables::is_empty)
            {
                document.remove("mint");
            }
            Ok(())
        })
    }

    /// The policy in the files now.
    pub fn old_policy(&self) -> &Policy {
        &self.old.policy
    }

    /// The policy after the change.
    pub fn new_policy(&self) -> &Policy {
        &self.new.policy
    }

    /// Returns whether the new policy allows something that the old one does not.
    pub fn loosens(&self) -> bool {
        self.old_policy().loosens(self.new_policy())
    }

    /// The differences, one line each.
    pub fn changes(&self) -> Vec<String> {
        self.old_policy().describe_change(self.new_policy())
    }

    /// Writes the change. `confirmed`: a person has seen the whole new policy, so running processes
    /// follow all of it at once; otherwise they follow only its stricter values. A change that
    /// allows nothing more than a confirmed policy counts as confirmed.
    ///
    /// # Errors
    /// If a file has changed since the change was prepared (nothing is written then), or if a file
    /// cannot be written.
    pub fn commit(self, confirmed: bool) -> Result<(), SettingsError> {
        if Texts::read_or_create(&self.home)? != self.before {
            return Err(fault(
                self.file,
                "it has just been changed by someone else; nothing was written".to_owned(),
            ));
        }
        let less_than_accepted =
            !self.loosens() && self.before.accepted == Some(self.old_policy().fingerprint());
        // Record the confirmation first, so that a process that sees the new file finds it.
        if confirmed || less_than_accepted {
            write(&self.home, "accepted", &format!("{}\n", self.new_policy().fingerprint()))?;
        } else if self.before.accepted.is_some() {
            write(&self.home, "accepted", "")?;
        }
        let text = if self.file == CONFIG_FILE { &self.after.config } else { &self.after.mints };
        write(&self.home, self.file, text)
    }

    fn prepare(
        home: &Home,
        file: &'static str,
        change: impl FnOnce(&mut DocumentMut) -> Result<(), SettingsError>,
    ) -> Result<Self, SettingsError> {
        let before = Texts::read_or_create(home)?;
        let old = before.parse()?;
        let text = if file == CONFIG_FILE { &before.config } else { &before.mints };
        let mut document: DocumentMut =
            text.parse().map_err(|_| fault(file, "not TOML".to_owned()))?;
        change(&mut document)?;
        let mut after = before.clone();
        *(if file == CONFIG_FILE { &mut after.config } else { &mut after.mints }) =
            document.to_string();
        let new = after.parse()?;
        Ok(Self { home: home.clone(), file, before, after, old, new })
    }
}

fn section<'a>(document: &'a mut DocumentMut, name: &str) -> &'a mut Item {
    document.entry(name).or_insert(Item::Table(Table::new()))
}

/// Sets a key and keeps the comment after its value.
fn set(section: &mut Item, key: &str, mut new: toml_edit::Value) {
    let Some(table) = section.as_table_like_mut() else { return };
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *new.decor_mut() = old.decor().clone();
    }
    table.insert(key, Item::Value(new));
}

/// Converts sats to a TOML integer. A value that does not fit is refused when the result is
/// checked.
fn integer(sats: u64) -> toml_edit::Value {
    i64::try_from(sats).unwrap_or(i64::MAX).into()
}

fn list(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, SettingsError> {
    let list = document.get_mut("mint").and_then(Item::as_array_of_tables_mut);
    list.ok_or_else(|| {
        fault(MINTS_FILE, "write each mint as a section [[mint]], then try again".to_owned())
    })
}

fn entry(address: &MintAddress, test: bool) -> Table {
    let mut table = Table::new();
    table.insert("url", value(address.as_str()));
    say_test(&mut table, test);
    table
}

fn say_test(table: &mut Table, test: bool) {
    if test {
        table.insert("test", value(true));
    } else {
        table.remove("test");
    }
}

fn is_of(table: &Table, address: &MintAddress) -> bool {
    let url = table.get("url").and_then(Item::as_str);
    url.and_then(|url| url.parse::<MintAddress>().ok()).is_some_and(|one| one == *address)
}

fn prefix(table: Option<&Table>) -> String {
    table.and_then(|table| table.decor().prefix()?.as_str()).unwrap_or_default().to_owned()
}

/// The text followed by an empty line, or nothing if it is empty.
fn ended(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("{text}\n\n") }
}

fn write(home: &Home, name: &str, text: &str) -> Result<(), SettingsError> {
    files::replace(&home.file(name), text).map_err(|error| file_fault(name, &FileError::Io(error)))
}

fn fault(file: &str, reason: String) -> SettingsError {
    SettingsError { file: file.to_owned(), line: None, key: None, reason }
}

#[cfg(test)]
mod tests;
