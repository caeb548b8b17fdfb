//! The wallet behind the owner's commands, as they see it. No code: `app` implements it.

use super::{RestoreFrom, Summary};
use crate::model::id::PaymentId;
use crate::model::keys::KeysPlace;
use crate::model::mint::MintAddress;
use crate::model::secret::Secret;
use crate::wallet::restore::Step;
use crate::wallet::view::{OpenView, RelaysReport};

/// A Nostr key as a person gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenKey {
    /// nsec, ncryptsec or hex.
    pub text: Secret,
    /// What opens an ncryptsec.
    pub password: Option<Secret>,
}

/// What the commands need of the wallet behind them: history, keys, payments. Errors are words for
/// the person.
pub trait Desk {
    /// Puts into history what was changed by hand since the last entry, so that the next entry
    /// holds its own change alone.
    ///
    /// # Errors
    /// When it cannot be written.
    fn catch_up(&self) -> Result<(), String>;

    /// Puts one change of policy into history.
    ///
    /// # Errors
    /// When it cannot be written.
    fn record(&self, text: &str, loosened: bool) -> Result<(), String>;

    /// Where the keys lie, and whether a person has said that they are backed up. `None`: there are
    /// none yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys(&self) -> Result<Option<(KeysPlace, bool)>, String>;

    /// Finds the keys, or makes them where none were ever made; new ones take a Nostr key over.
    ///
    /// # Errors
    /// When they cannot be had; when a Nostr key is given and there are keys.
    fn make_keys(&self, given: Option<&GivenKey>) -> Result<KeysPlace, String>;

    /// The numbers of the NUTs that the wallet leans on and a mint says it has not. `None`: it did
    /// not answer.
    fn mint_lacks(&self, mint: &MintAddress) -> Option<Vec<u8>>;

    /// Tries a relay with a key that is thrown away: in a sentence each, what it will not do.
    /// Empty: nothing was found.
    fn try_relay(&self, url: &str) -> Vec<String>;

    /// The words. Makes none.
    ///
    /// # Errors
    /// When they cannot be had.
    fn words(&self) -> Result<Secret, String>;

    /// Writes down that a person was shown the words.
    ///
    /// # Errors
    /// When it cannot be written.
    fn mark_backed_up(&self) -> Result<(), String>;

    /// Brings the wallet back as far as it can be, and asks every listed mint what it has signed
    /// for it.
    ///
    /// # Errors
    /// When nothing could be restored. What was found before a failure stays found.
    fn restore(
        &self,
        from: &RestoreFrom,
        told: &(dyn Fn(Step<'_>) + Send + Sync),
    ) -> Result<Summary, String>;

    /// The payment that a repeat would resemble, in a few lines for a person.
    ///
    /// # Errors
    /// When there is none of this id.
    fn describe_payment(&self, id: &PaymentId) -> Result<Vec<String>, String>;

    /// What the process that keeps the wallet says of itself, in a few lines for a person. Empty:
    /// there is none.
    ///
    /// # Errors
    /// When it does not answer.
    fn daemon(&self) -> Result<Vec<String>, String>;

    /// How the wallet stands on its relays; the process that keeps it is asked to finish first.
    /// `None`: it has no relays, or no keys yet.
    ///
    /// # Errors
    /// When the wallet cannot be opened.
    fn examine_relays(&self) -> Result<Option<RelaysReport>, String>;

    /// Asks that process to finish, and waits until it has ended. `false`: there was none.
    ///
    /// # Errors
    /// When it does not end, or another process holds the wallet that cannot be asked.
    fn stop_daemon(&self) -> Result<bool, String>;

    /// Takes the doubt off a payment, so that one like it may be made.
    ///
    /// # Errors
    /// When it cannot be written.
    fn allow_repeat(&self, id: &PaymentId) -> Result<(), String>;

    /// What is open, and why.
    ///
    /// # Errors
    /// When the wallet cannot be opened.
    fn open(&self) -> Result<OpenView, String>;

    /// What a person is told before something is given up. Asks its mint.
    ///
    /// # Errors
    /// When it cannot be given up, or need not be.
    fn may_give_up(&self, id: &str) -> Result<Vec<String>, String>;

    /// Gives it up.
    ///
    /// # Errors
    /// When it was not open any more, or it cannot be written.
    fn give_up(&self, id: &str) -> Result<(), String>;

    /// Takes up again what was given up.
    ///
    /// # Errors
    /// When it was not given up, or it cannot be written.
    fn take_up(&self, id: &str) -> Result<(), String>;
}
