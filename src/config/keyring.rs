//! The platform's keyring, with one entry per wallet and a deadline of two seconds per request.
//!
//! Never prints a secret. A keyring that waits for a dialogue that no one sees counts as not
//! answering.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::model::secret::Secret;

/// Time limit for one request to the keyring.
const DEADLINE: Duration = Duration::from_secs(2);

/// The keyring is missing or locked, or does not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

/// A store of secrets by name.
pub(super) trait Keyring {
    /// Reads the secret with this name. `None` means that there certainly is none.
    fn get(&self, name: &str) -> Result<Option<Secret>, NoAnswer>;

    /// Stores a secret under this name.
    fn set(&self, name: &str, secret: &Secret) -> Result<(), NoAnswer>;
}

/// A missing keyring, which never answers.
#[derive(Debug)]
pub(super) struct NoKeyring;

impl Keyring for NoKeyring {
    fn get(&self, _name: &str) -> Result<Option<Secret>, NoAnswer> {
        Err(NoAnswer)
    }

    fn set(&self, _name: &str, _secret: &Secret) -> Result<(), NoAnswer> {
        Err(NoAnswer)
    }
}

/// The keyring of this platform. It never answers on platforms without support.
#[derive(Debug)]
pub(super) struct Platform;

impl Keyring for Platform {
    fn get(&self, name: &str) -> Result<Option<Secret>, NoAnswer> {
        let name = name.to_owned();
        in_time(DEADLINE, move || platform::get(&name))
    }

    fn set(&self, name: &str, secret: &Secret) -> Result<(), NoAnswer> {
        let (name, secret) = (name.to_owned(), secret.clone());
        in_time(DEADLINE, move || platform::set(&name, &secret))
    }
}

/// Runs a request on its own thread, which is abandoned after the deadline: a blocked keyring call
/// cannot be cancelled, and it uses nothing of ours.
fn in_time<T: Send + 'static>(
    deadline: Duration,
    question: impl FnOnce() -> Result<T, NoAnswer> + Send + 'static,
) -> Result<T, NoAnswer> {
    let (answer, wait) = mpsc::channel();
    let asked = thread::Builder::new()
        .name("keyring".to_owned())
        .spawn(move || drop(answer.send(question())));
    asked.map_err(|_| NoAnswer)?;
    wait.recv_timeout(deadline).map_err(|_| NoAnswer)?
}

#[cfg(target_os = "linux")]
mod platform {
    use keyring_core::api::CredentialStoreApi as _;
    use keyring_core::{Entry, Error};
    use zbus_secret_service_keyring_store::Store;

    use super::NoAnswer;
    use crate::model::secret::Secret;

    const SERVICE: &str = "nutpurse";

    pub(super) fn get(name: &str) -> Result<Option<Secret>, NoAnswer> {
        match entry(name)?.get_password() {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(_) => Err(NoAnswer),
        }
    }

    pub(super) fn set(name: &str, secret: &Secret) -> Result<(), NoAnswer> {
        entry(name)?.set_password(secret.reveal()).map_err(|_| NoAnswer)
    }

    fn entry(name: &str) -> Result<Entry, NoAnswer> {
        let store = Store::new().map_err(|_| NoAnswer)?;
        store.build(SERVICE, name, None).map_err(|_| NoAnswer)
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::NoAnswer;
    use crate::model::secret::Secret;

    pub(super) fn get(_name: &str) -> Result<Option<Secret>, NoAnswer> {
        Err(NoAnswer)
    }

    pub(super) fn set(_name: &str, _secret: &Secret) -> Result<(), NoAnswer> {
        Err(NoAnswer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_that_hangs_or_dies_does_not_answer() {
        let (hold, held) = mpsc::channel::<()>();
        assert_eq!(
            in_time(Duration::from_millis(20), move || held.recv().map_err(|_| NoAnswer)),
            Err(NoAnswer)
        );
        drop(hold);
        assert_eq!(
            in_time::<()>(DEADLINE, || std::panic::resume_unwind(Box::new("gone"))),
            Err(NoAnswer)
        );
        assert_eq!(in_time(DEADLINE, || Ok(7)), Ok(7));
    }
}
