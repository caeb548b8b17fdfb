//! The owner's settings files as the wallet's rules. They are read again at each query: a
//! tightening applies at once, a loosening at the next start or by command.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::settings::LastRead;
use crate::config::{Home, Settings, SettingsError};
use crate::policy::Policy;
use crate::wallet::core::active_policy::Rules;
use crate::wallet::core::failure::{Cause, Failure, SettingsProblem};

/// The rules in force, over the files of one home.
#[derive(Debug)]
pub(crate) struct FileRules {
    home: Home,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last_read: LastRead,
    in_force: Policy,
    /// The policy last read from the files, for the history. `None` once taken.
    written: Option<String>,
}

impl FileRules {
    /// Puts the policy of the files in force, even if it was loosened, since this is a start.
    pub(crate) fn start(home: Home) -> Result<(Arc<Self>, Settings), Failure> {
        let mut last_read = LastRead::default();
        let read =
            Settings::load_if_changed(&home, &mut last_read).map_err(|error| invalid(&error))?;
        let settings = match read {
            Some(settings) => settings,
            None => Settings::load(&home).map_err(|error| invalid(&error))?,
        };
        let written = Some(settings.policy.canonical());
        let state = State { last_read, in_force: settings.policy.clone(), written };
        Ok((Arc::new(Self { home, state: Mutex::new(state) }), settings))
    }
}

impl Rules for FileRules {
    fn current(&self) -> Result<Policy, Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = Settings::load_if_changed(&self.home, &mut state.last_read)
            .map_err(|error| invalid(&error))?;
        if let Some(settings) = newer {
            state.in_force =
                state.in_force.followed_by(&settings.policy, settings.accepted.as_deref());
            state.written = Some(settings.policy.canonical());
        }
        Ok(state.in_force.clone())
    }

    fn take_written(&self) -> Option<String> {
        let _read_now = self.current();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).written.take()
    }
}

pub(super) fn invalid(error: &SettingsError) -> Failure {
    let (file, line, key) = (error.file.clone(), error.line, error.key.clone());
    Cause::Settings(SettingsProblem { file, line, key }).into()
}
