//! The wallet behind the owner's commands, when no other process holds it.
//!
//! A process that does hold it notices a change of the files by itself and writes the history; then this writes nothing.

use tokio::runtime::Handle;

use super::open::{keys, open_store};
use super::restore::restore;
use crate::cli::owner::{Desk, RestoreFrom, Summary};
use crate::config::{Environment, Home, Keys, Settings};
use crate::model::id::PaymentId;
use crate::model::keys::KeysPlace;
use crate::model::ledger::state_word;
use crate::model::secret::Secret;
use crate::policy::describe_lines;
use crate::store::{Change, PolicyChange, Store};
use crate::wallet::restore::Step;
use crate::wallet::{Code, Error, clock};

/// Serves the owner's commands. Its calls block: use it off the async threads.
#[derive(Debug)]
pub struct OwnersDesk<'a> {
    home: &'a Home,
    environment: &'a Environment,
    runtime: Handle,
}

impl<'a> OwnersDesk<'a> {
    /// Opens nothing.
    pub fn new(home: &'a Home, environment: &'a Environment, runtime: Handle) -> Self {
        Self { home, environment, runtime }
    }

    fn store(&self) -> Result<Store, Error> {
        self.runtime.block_on(open_store(self.home))
    }

    /// Writes an entry, and what the files say beside it. A process that holds the wallet does that by itself.
    fn note(&self, entry: impl FnOnce(Option<&str>, &str) -> Option<(String, bool)>) -> Result<(), String> {
        let store = match self.store() {
            Ok(store) => store,
            Err(error) if error.code == Code::WalletBusy => return Ok(()),
            Err(error) => return Err(words(&error)),
        };
        let written = Settings::load(self.home).map_err(|error| error.to_string())?.policy.canonical();
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

fn words(error: &Error) -> String {
    match error.code {
        Code::WalletBusy => "another process holds this wallet; close the app that runs it, then do this again".to_owned(),
        Code::WalletDamaged => format!("{} `nutpurse restore` leads out.", error.message),
        _ => error.message.clone(),
    }
}

impl Desk for OwnersDesk<'_> {
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
                let meta = self.runtime.block_on(store.meta()).map_err(|error| error.to_string())?;
                Ok(meta.keys.map(|place| (place, meta.backed_up)))
            }
            Err(error) => Err(words(&error)),
        }
    }

    fn make_keys(&self) -> Result<KeysPlace, String> {
        let store = self.store().map_err(|error| words(&error))?;
        let made = self.runtime.block_on(keys(self.home, &store, self.environment.keyring_off));
        made.map(|(_, place)| place).map_err(|error| words(&error))
    }

    fn words(&self) -> Result<Secret, String> {
        if !self.home.exists() {
            return Err("there is no wallet here yet: `nutpurse init` makes one".to_owned());
        }
        let store = self.store().map_err(|error| words(&error))?;
        let meta = self.runtime.block_on(store.meta()).map_err(|error| error.to_string())?;
        let found = Keys::find(self.home, &meta.wallet_id, meta.keys, self.environment.keyring_off).map_err(|error| error.to_string())?;
        found.map(|(keys, _)| keys.mnemonic().clone()).ok_or_else(|| "there are no keys here".to_owned())
    }

    fn mark_backed_up(&self) -> Result<(), String> {
        let store = self.store().map_err(|error| words(&error))?;
        let marked = self.runtime.block_on(store.set_meta(|meta| meta.backed_up = true));
        marked.map(|_| ()).map_err(|error| error.to_string())
    }

    fn restore(&self, from: &RestoreFrom, told: &(dyn Fn(Step<'_>) + Send + Sync)) -> Result<Summary, String> {
        self.runtime.block_on(restore(self.home, self.environment, from, told))
    }

    fn describe_payment(&self, id: &PaymentId) -> Result<Vec<String>, String> {
        let store = self.store().map_err(|error| words(&error))?;
        let found = self.runtime.block_on(store.payment(id)).map_err(|error| error.to_string())?;
        let payment = found.ok_or_else(|| "no payment has this id".to_owned())?;
        Ok(vec![
            format!("payment {id}: {} sats, {}", payment.amount_sats, state_word(&payment.state)),
            format!("made {} by {}", clock::rfc3339(payment.created_at).unwrap_or_default(), payment.agent),
        ])
    }

    fn allow_repeat(&self, id: &PaymentId) -> Result<(), String> {
        let store = self.store().map_err(|error| words(&error))?;
        self.runtime.block_on(async {
            let found = store.payment(id).await.map_err(|error| error.to_string())?;
            let mut payment = found.ok_or_else(|| "no payment has this id".to_owned())?;
            payment.caller_in_doubt = false;
            store.commit(vec![Change::Payment(payment)]).await.map_err(|error| error.to_string())
        })
    }
}
