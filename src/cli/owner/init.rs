//! `init`: creates what is missing and says where it lies. Run again, it changes nothing and says the same.

use super::{Owner, OwnerError, text};
use crate::config::{Settings, env};
use crate::model::keys::KeysPlace;

impl Owner<'_> {
    pub(super) fn init(&mut self) -> Result<(), OwnerError> {
        let settings = Settings::load(self.home)?;
        let place = self.desk.make_keys().map_err(OwnerError::Desk)?;
        let keys = match place {
            KeysPlace::Keyring => "this computer's keyring".to_owned(),
            KeysPlace::File => format!("{} (in clear: no keyring answered)", self.home.keys().display()),
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

    /// A Nostr key in the environment is told of by its variable's name, and not read.
    pub(super) fn nostr_keys(&self) -> Vec<String> {
        let (ours, other) = (env::NSEC, env::OTHER_NSEC);
        let mut lines = Vec::new();
        if self.environment.nsec_set {
            lines.push(format!("{ours} is set. This version uses no Nostr key: it was not read."));
        }
        if self.environment.other_nsec_set {
            lines.push(format!(
                "{other} is set. It was not read. A version that uses Nostr takes such a key over from {ours}, into a new folder that holds no money."
            ));
        }
        lines
    }
}
