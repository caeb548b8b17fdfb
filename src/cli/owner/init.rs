//! `init`: creates what is missing and shows where it is. A second run changes nothing and prints
//! the same.

use std::io::{self, BufRead, IsTerminal, Read};

use zeroize::Zeroizing;

use super::{GivenKey, InitArgs, Owner, OwnerError, text};
use crate::config::{Settings, env};
use crate::model::keys::KeysPlace;
use crate::model::secret::Secret;

/// Maximum length of a key or a password, in bytes.
const LINE_MAX: u64 = 4_096;

impl Owner<'_> {
    pub(super) fn init(&mut self, args: &InitArgs) -> Result<(), OwnerError> {
        let settings = Settings::load(self.home)?;
        let given = if args.nostr_key { Some(read_key()?) } else { None };
        let place = self.backend.make_keys(given.as_ref()).map_err(OwnerError::Backend)?;
        let keys = match place {
            KeysPlace::Keyring => "this computer's keyring".to_owned(),
            KeysPlace::File => {
                format!("{} (unencrypted: no keyring answered)", self.home.keys().display())
            }
        };
        let mut lines = vec![
            format!("folder: {}", self.home.path().display()),
            format!("limits: {}", self.home.config().display()),
            format!("mints:  {}", self.home.mints().display()),
            format!("keys:   {keys}"),
            text::money(&settings.policy),
        ];
        lines.extend(self.nostr_keys());
        lines.push(text::BOUNDARY.to_owned());
        self.print(&lines)
    }

    /// Reports Nostr keys in the environment, by the variable's name only.
    pub(super) fn nostr_keys(&self) -> Vec<String> {
        let (ours, other) = (env::NSEC, env::OTHER_NSEC);
        let mut lines = Vec::new();
        if self.environment.nsec.is_some() {
            lines.push(format!(
                "{ours} is set. `nutpurse init` uses it only if it creates new keys."
            ));
        }
        if self.environment.other_nsec_set {
            lines.push(format!(
                "{other} is set, but was not read. To use that key, set {ours} to it and run `nutpurse init` for a new folder."
            ));
        }
        lines
    }
}

/// Reads a Nostr key from a terminal, without echo, or from a pipe; the password of an encrypted
/// key is on the next line.
fn read_key() -> Result<GivenKey, OwnerError> {
    let typed = io::stdin().is_terminal();
    let ask = |what: &str| -> Result<Secret, OwnerError> {
        let text = if typed {
            Zeroizing::new(rpassword::prompt_password(what)?)
        } else {
            let mut line = Zeroizing::new(String::new());
            io::stdin().lock().take(LINE_MAX).read_line(&mut line)?;
            line
        };
        Ok(Secret::new(text.trim()))
    };
    let text = ask("The Nostr key (nsec or ncryptsec, not shown): ")?;
    let password = if text.reveal().starts_with("ncryptsec1") {
        Some(ask("Its password (not shown): ")?)
    } else {
        None
    };
    Ok(GivenKey { text, password })
}
