//! The wallet behind the owner's commands. No code: `app` implements it.

use super::{RestoreFrom, Summary};
use crate::api::view::{OpenView, RelaysReport};
use crate::model::id::PaymentId;
use crate::model::keys::KeysPlace;
use crate::model::mint::MintAddress;
use crate::model::secret::Secret;
use crate::wallet::engine::recheck::Step;

/// A Nostr key as a person gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenKey {
    /// nsec, ncryptsec or hex.
    pub text: Secret,
    /// The password of an ncryptsec (NIP-49).
    pub password: Option<Secret>,
}

/// The wallet's operations for the owner's commands. Errors are texts for the person.
pub trait OwnerBackend {
    /// Records changes made by hand since the last history entry, so that the next entry contains
    /// only its own change.
    ///
    /// # Errors
    /// If it cannot be written.
    fn catch_up(&self) -> Result<(), String>;

    /// Records one change of policy.
    ///
    /// # Errors
    /// If it cannot be written.
    fn record(&self, text: &str, loosened: bool) -> Result<(), String>;

    /// The place of the keys, and `true` if they were shown for a backup. `None`: there are no
    /// keys yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn keys(&self) -> Result<Option<(KeysPlace, bool)>, String>;

    /// Finds the keys, or makes them where none were ever made, with the given Nostr key.
    ///
    /// # Errors
    /// If the keys cannot be read or made; if a Nostr key is given and there are keys.
    fn make_keys(&self, given: Option<&GivenKey>) -> Result<KeysPlace, String>;

    /// The numbers of the NUTs that the wallet needs and the mint does not support. `None`: the
    /// mint did not answer.
    fn mint_lacks(&self, mint: &MintAddress) -> Option<Vec<u8>>;

    /// Tries a relay with a throwaway key: one sentence for each thing that it does not do.
    fn try_relay(&self, url: &str) -> Vec<String>;

    /// The mnemonic. Makes none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn words(&self) -> Result<Secret, String>;

    /// Records that a person was shown the mnemonic.
    ///
    /// # Errors
    /// If it cannot be written.
    fn mark_backed_up(&self) -> Result<(), String>;

    /// Restores the wallet as far as possible, and asks every listed mint for what it signed.
    ///
    /// # Errors
    /// If nothing could be restored. What was found before a failure is kept.
    fn restore(
        &self,
        from: &RestoreFrom,
        told: &(dyn Fn(Step<'_>) + Send + Sync),
    ) -> Result<Summary, String>;

    /// Describes the payment that would be repeated, in a few lines for a person.
    ///
    /// # Errors
    /// If there is no payment of this id.
    fn describe_payment(&self, id: &PaymentId) -> Result<Vec<String>, String>;

    /// The daemon's status, in a few lines for a person. Empty: there is no daemon.
    ///
    /// # Errors
    /// If the daemon does not answer.
    fn daemon(&self) -> Result<Vec<String>, String>;

    /// Compares the wallet with its relays; the daemon is asked to finish first. `None`: the wallet
    /// has no relays, or no keys yet.
    ///
    /// # Errors
    /// If the wallet cannot be opened.
    fn examine_relays(&self) -> Result<Option<RelaysReport>, String>;

    /// Asks the daemon to finish, and waits until it has ended. `false`: there was no daemon.
    ///
    /// # Errors
    /// If the daemon does not end, or another process that cannot be asked holds the wallet.
    fn stop_daemon(&self) -> Result<bool, String>;

    /// Allows another payment like this one, whose caller may not know its outcome.
    ///
    /// # Errors
    /// If it cannot be written.
    fn allow_repeat(&self, id: &PaymentId) -> Result<(), String>;

    /// Everything that is open, and why.
    ///
    /// # Errors
    /// If the wallet cannot be opened.
    fn open(&self) -> Result<OpenView, String>;

    /// The text to confirm before a payment or a received token is given up. Asks its mint.
    ///
    /// # Errors
    /// If it cannot be given up, or need not be.
    fn may_give_up(&self, id: &str) -> Result<Vec<String>, String>;

    /// Gives up a payment or a received token.
    ///
    /// # Errors
    /// If it is no longer open, or cannot be written.
    fn give_up(&self, id: &str) -> Result<(), String>;

    /// Reopens a payment or a received token that was given up.
    ///
    /// # Errors
    /// If it was not given up, or cannot be written.
    fn take_up(&self, id: &str) -> Result<(), String>;
}
