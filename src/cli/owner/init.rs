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

    /// A Nostr key in the environment is told of by its variable's name.
    pub(super) fn nostr_keys(&self) -> Vec<String> {
        let (ours, other) = (env::NSEC, env::OTHER_NSEC);
        let mut lines = Vec::new();
        if self.environment.nsec.is_some() {
            lines.push(format!("{ours} is set. `nutpurse init` takes it over where it makes new keys, and nowhere else."));
        }
        if self.environment.other_nsec_set {
            lines.push(format!(
                "{other} is set. It was not read. To take that key over, put it into {ours} and run `nutpurse init` for a new folder."
            ));
        }
        lines
    }
}
