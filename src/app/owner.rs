//! The wallet behind the owner's commands.
//!
//! A running daemon notices a change of the settings files and records it, so this writes nothing
//! then. A command that needs the store asks the daemon to finish first; its clients find the next
//! one automatically.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::nostr::opened;
use super::open::{keys, open_store, wallet, web};
use super::restore::restore;
use crate::api::view::{OpenView, RelaysReport, may_give_up};
use crate::api::words as wire;
use crate::api::{Code, Error, relay_trial};
use crate::cli::owner::{GivenKey, OwnerBackend, RestoreFrom, Summary};
use crate::config::{Environment, Home, Identity, Keys, Settings};
use crate::daemon::Lock;
#[cfg(unix)]
use crate::daemon::{self, ConnectOptions};
use crate::mint::info::missing_nuts;
use crate::model::id::PaymentId;
use crate::model::keys::KeysPlace;
use crate::model::mint::MintAddress;
use crate::model::secret::Secret;
use crate::policy::describe_lines;
use crate::ports::Http;
use crate::store::{Change, PolicyChange, Store};
use crate::wallet::core::failure::Failure;
use crate::wallet::doctor::trial::try_relay;
use crate::wallet::engine::recheck::Step;
use crate::wallet::{Wallet, core::clock};

const NO_WALLET: &str = "there is no wallet here yet: `nutpurse init` creates one";

/// Time limit for a mint's info (NUT-06).
const PATIENCE: Duration = Duration::from_secs(5);

/// The wallet in a folder of this computer. Its calls block: use it off the async threads.
#[derive(Debug)]
pub struct LocalBackend<'a> {
    home: &'a Home,
    environment: &'a Environment,
    runtime: Handle,
}

impl<'a> LocalBackend<'a> {
    /// Creates the backend; opens nothing.
    pub fn new(home: &'a Home, environment: &'a Environment, runtime: Handle) -> Self {
        Self { home, environment, runtime }
    }

    /// Opens the store, under the folder's lock.
    fn store(&self) -> Result<Held, Error> {
        let lock = self.lock()?;
        let store = self.runtime.block_on(open_store(self.home))?;
        Ok(Held { store, _lock: lock })
    }

    /// Runs `work` on the whole wallet, under the folder's lock and without background tasks.
    fn with_wallet<T>(
        &self,
        work: impl AsyncFnOnce(&Wallet) -> Result<T, Failure>,
    ) -> Result<T, String> {
        if !self.home.exists() {
            return Err(NO_WALLET.to_owned());
        }
        let lock = self.lock().map_err(|error| words(&error))?;
        let done = self.runtime.block_on(async {
            let (wallet, ..) = wallet(self.environment, self.home, clock::now).await?;
            wallet.recovery().finish_startup().await?;
            let done = work(&wallet).await;
            wallet.shut().await;
            Ok::<_, Error>(done?)
        });
        drop(lock);
        done.map_err(|error| words(&error))
    }

    /// Takes the folder's lock; a daemon that holds it is asked to finish.
    fn lock(&self) -> Result<Lock, Error> {
        #[cfg(unix)]
        let taken = self.runtime.block_on(daemon::finish(&self.connect_options()))?;
        #[cfg(not(unix))]
        let taken = self.free_lock()?;
        taken.ok_or_else(|| Error::new(Code::WalletBusy, "Another process holds this wallet."))
    }

    /// Takes the folder's lock. `None`: a process has it.
    fn free_lock(&self) -> Result<Option<Lock>, Error> {
        let unusable = |reason: String| {
            Error::new(Code::SettingsInvalid, "The wallet's folder cannot be locked.")
                .with("file", reason)
        };
        Lock::take(self.home).map_err(|error| unusable(error.to_string()))
    }

    #[cfg(unix)]
    fn connect_options(&self) -> ConnectOptions {
        ConnectOptions {
            home: Some(self.home.path().to_path_buf()),
            environment: self.environment.clone(),
            daemon_environment: Vec::new(),
            agent: "cli".to_owned(),
        }
    }

    /// The keys that the folder's identity file names. `None`: it names none.
    fn known_keys(&self) -> Result<Option<(Keys, KeysPlace)>, String> {
        match Identity::read(self.home) {
            Ok(Some(Identity { wallet_id, keys: Some(place), .. })) => {
                Keys::find(self.home, &wallet_id, Some(place), self.environment.keyring_off)
                    .map_err(|error| error.to_string())
            }
            _ => Ok(None),
        }
    }

    /// Writes a history entry and the current policy. Does nothing while another process holds the
    /// wallet, since that process records changes itself.
    fn note(
        &self,
        entry: impl FnOnce(Option<&str>, &str) -> Option<(String, bool)>,
    ) -> Result<(), String> {
        let Some(_lock) = self.free_lock().map_err(|error| words(&error))? else { return Ok(()) };
        let store = match self.runtime.block_on(open_store(self.home)) {
            Ok(store) => store,
            Err(error) if error.code == Code::WalletBusy => return Ok(()),
            Err(error) => return Err(words(&error)),
        };
        let written =
            Settings::load(self.home).map_err(|error| error.to_string())?.policy.canonical();
        self.runtime.block_on(async {
            let known = store.meta().await.map_err(|error| error.to_string())?.policy_fingerprint;
            let Some((text, loosened)) = entry(known.as_deref(), &written) else { return Ok(()) };
            let at = clock::now();
            let change = Change::Policy(PolicyChange { at, text, loosened });
            store.commit(vec![change]).await.map_err(|error| error.to_string())?;
            let remember = store.set_meta(move |meta| {
                meta.policy_changed_at = Some(at);
                meta.policy_fingerprint = Some(written);
            });
            remember.await.map(|_| ()).map_err(|error| error.to_string())
        })
    }
}

struct Held {
    store: Store,
    /// Dropped last.
    _lock: Lock,
}

impl Deref for Held {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

fn words(error: &Error) -> String {
    match error.code {
        Code::WalletBusy => {
            "another process holds this wallet; close the app that runs it, then try again"
                .to_owned()
        }
        Code::WalletDamaged => format!("{} Run `nutpurse restore`.", error.message),
        _ => error.message.clone(),
    }
}

impl OwnerBackend for LocalBackend<'_> {
    fn catch_up(&self) -> Result<(), String> {
        self.note(|known, written| {
            let known = known.filter(|known| *known != written)?;
            Some((describe_lines(known, written).join("; "), false))
        })
    }

    fn record(&self, text: &str, loosened: bool) -> Result<(), String> {
        self.note(|_, _| Some((text.to_owned(), loosened)))
    }

    fn keys(&self) -> Result<Option<(KeysPlace, bool)>, String> {
        if !self.home.exists() {
            return Ok(None);
        }
        match self.store() {
            Ok(store) => {
                let meta =
                    self.runtime.block_on(store.meta()).map_err(|error| error.to_string())?;
                Ok(meta.keys.map(|place| (place, meta.backed_up)))
            }
            Err(error) => Err(words(&error)),
        }
    }

    fn make_keys(&self, given: Option<&GivenKey>) -> Result<KeysPlace, String> {
        if let Some((_, place)) = self.known_keys()? {
            return match given {
                Some(_) => Err(
                    "this folder already has keys; a Nostr key can be used only for a new folder"
                        .to_owned(),
                ),
                None => Ok(place),
            };
        }
        let mut environment = self.environment.clone();
        if let Some(given) = given {
            environment.nsec = Some(opened(given)?);
        }
        let store = self.store().map_err(|error| words(&error))?;
        let made = self.runtime.block_on(keys(self.home, &store, &environment));
        made.map(|(_, place)| place).map_err(|error| words(&error))
    }

    fn mint_lacks(&self, mint: &MintAddress) -> Option<Vec<u8>> {
        let settings = Settings::load(self.home).ok()?;
        let http: Arc<dyn Http> = Arc::new(web(&settings).ok()?);
        let asked = async { tokio::time::timeout(PATIENCE, missing_nuts(&http, mint)).await };
        self.runtime.block_on(asked).ok()?.ok()
    }

    fn try_relay(&self, url: &str) -> Vec<String> {
        let http: Result<Arc<dyn Http>, _> = Settings::load(self.home)
            .map_err(|error| error.to_string())
            .and_then(|it| Ok(Arc::new(web(&it).map_err(|e| words(&e))?) as _));
        match http {
            Ok(http) => {
                let remarks = self.runtime.block_on(try_relay(&http, url, clock::now));
                remarks.iter().map(relay_trial::sentence).collect()
            }
            Err(reason) => vec![format!("It was not tested: {reason}.")],
        }
    }

    fn words(&self) -> Result<Secret, String> {
        if !self.home.exists() {
            return Err(NO_WALLET.to_owned());
        }
        if let Some((keys, _)) = self.known_keys()? {
            return Ok(keys.mnemonic().clone());
        }
        let store = self.store().map_err(|error| words(&error))?;
        let meta = self.runtime.block_on(store.meta()).map_err(|error| error.to_string())?;
        let found = Keys::find(self.home, &meta.wallet_id, meta.keys, self.environment.keyring_off)
            .map_err(|error| error.to_string())?;
        found
            .map(|(keys, _)| keys.mnemonic().clone())
            .ok_or_else(|| "there are no keys here".to_owned())
    }

    fn mark_backed_up(&self) -> Result<(), String> {
        let store = self.store().map_err(|error| words(&error))?;
        let marked = self.runtime.block_on(store.set_meta(|meta| meta.backed_up = true));
        marked.map(|_| ()).map_err(|error| error.to_string())
    }

    fn restore(
        &self,
        from: &RestoreFrom,
        told: &(dyn Fn(Step<'_>) + Send + Sync),
    ) -> Result<Summary, String> {
        let _lock = self.lock().map_err(|error| words(&error))?;
        self.runtime.block_on(restore(self.home, self.environment, from, told))
    }

    #[cfg(unix)]
    fn daemon(&self) -> Result<Vec<String>, String> {
        let Some(status) = self
            .runtime
            .block_on(daemon::status(&self.connect_options()))
            .map_err(|error| error.message)?
        else {
            return Ok(Vec::new());
        };
        let since = clock::rfc3339(status.since).unwrap_or_default();
        let sessions =
            if status.agents.is_empty() { "none".to_owned() } else { status.agents.join(", ") };
        let open =
            if status.has_open { "something is under way or undecided" } else { "nothing is open" };
        let disputed = match status.disputed {
            0 => Vec::new(),
            some => vec![format!(
                "disputed deposits: {some}: their mints say that they have issued the coins, but none arrived here"
            )],
        };
        let lines = vec![
            format!(
                "process: {} keeps this wallet, started {since}, version {}",
                status.pid, status.version
            ),
            format!(
                "sessions: {sessions}; {open}; it ends after {} s without a session, once nothing is open",
                status.idle_seconds
            ),
            format!("its log: {}", self.home.log().display()),
            "`nutpurse payments open` shows what is open, why, and what can be done.".to_owned(),
        ];
        Ok([lines, disputed].concat())
    }

    #[cfg(not(unix))]
    fn daemon(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    fn examine_relays(&self) -> Result<Option<RelaysReport>, String> {
        if Settings::peek(self.home).map_err(|error| error.to_string())?.nostr.relays.is_empty()
            || self.known_keys()?.is_none()
        {
            return Ok(None);
        }
        let lock = self.lock().map_err(|error| words(&error))?;
        let done = self.runtime.block_on(async {
            // Nothing is recovered here: what a crash interrupted is left as it is.
            let (wallet, ..) = wallet(self.environment, self.home, clock::now).await?;
            let report = wallet.relays().examine().await;
            wallet.shut().await;
            Ok::<_, Error>(report?)
        });
        drop(lock);
        done.map(|report| report.map(Into::into)).map_err(|error| words(&error))
    }

    fn stop_daemon(&self) -> Result<bool, String> {
        if !self.home.exists() || self.free_lock().map_err(|error| words(&error))?.is_some() {
            return Ok(false);
        }
        self.lock().map(|_| true).map_err(|error| words(&error))
    }

    fn describe_payment(&self, id: &PaymentId) -> Result<Vec<String>, String> {
        let store = self.store().map_err(|error| words(&error))?;
        let found = self.runtime.block_on(store.payment(id)).map_err(|error| error.to_string())?;
        let payment = found.ok_or_else(|| "no payment has this id".to_owned())?;
        let state = wire::entry_state((&payment.state).into());
        Ok(vec![
            format!("payment {id}: {} sats, {state}", payment.amount_sats),
            format!(
                "made {} by {}",
                clock::rfc3339(payment.created_at).unwrap_or_default(),
                payment.agent
            ),
        ])
    }

    fn allow_repeat(&self, id: &PaymentId) -> Result<(), String> {
        let store = self.store().map_err(|error| words(&error))?;
        self.runtime.block_on(async {
            let found = store.payment(id).await.map_err(|error| error.to_string())?;
            let mut payment = found.ok_or_else(|| "no payment has this id".to_owned())?;
            payment.outcome_undelivered = false;
            store.commit(vec![Change::Payment(payment)]).await.map_err(|error| error.to_string())
        })
    }

    fn open(&self) -> Result<OpenView, String> {
        self.with_wallet(async |wallet| wallet.recovery().undecided().await).map(OpenView::from)
    }

    fn may_give_up(&self, id: &str) -> Result<Vec<String>, String> {
        let record = self.with_wallet(async |wallet| wallet.recovery().may_give_up(id).await)?;
        Ok(may_give_up(&record))
    }

    fn give_up(&self, id: &str) -> Result<(), String> {
        self.with_wallet(async |wallet| wallet.recovery().give_up(id).await)
    }

    fn take_up(&self, id: &str) -> Result<(), String> {
        self.with_wallet(async |wallet| wallet.recovery().take_up(id).await)
    }
}
