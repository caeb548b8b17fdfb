use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;

use super::*;
use crate::config::env::Environment;
use crate::config::keyring::NoAnswer;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// A keyring in memory, which can also stop answering or forget.
#[derive(Default)]
struct Fake {
    kept: RefCell<HashMap<String, Secret>>,
    silent: bool,
    forgets: bool,
}

impl Keyring for Fake {
    fn get(&self, name: &str) -> Result<Option<Secret>, NoAnswer> {
        if self.silent { Err(NoAnswer) } else { Ok(self.kept.borrow().get(name).cloned()) }
    }

    fn set(&self, name: &str, secret: &Secret) -> Result<(), NoAnswer> {
        if !self.forgets {
            self.kept.borrow_mut().insert(name.to_owned(), secret.clone());
        }
        Ok(())
    }
}

fn home(folder: &tempfile::TempDir) -> Result<Home, HomeError> {
    let home = Home::resolve(Some(&folder.path().join("home")), &Environment::default())?;
    home.ensure()?;
    Ok(home)
}

#[test]
fn a_keyring_that_answers_keeps_the_keys() -> Outcome {
    let (folder, mut keyring) = (tempfile::tempdir()?, Fake::default());
    let home = home(&folder)?;
    let (keys, place) = load_or_create(&home, "w", None, &keyring, None)?;
    assert_eq!((place, keys.created(), home.keys().exists()), (KeysPlace::Keyring, true, false));
    for known in [None, Some(KeysPlace::Keyring)] {
        let (again, place) = load_or_create(&home, "w", known, &keyring, None)?;
        assert!(
            again.mnemonic() == keys.mnemonic() && place == KeysPlace::Keyring && !again.created()
        );
    }
    let elsewhere = Home::resolve(Some(&folder.path().join("copy")), &Environment::default())?;
    let copied = load_or_create(&elsewhere, "w", Some(KeysPlace::Keyring), &keyring, None);
    assert!(matches!(copied, Err(KeysError::Missing(KeysPlace::Keyring))));
    keyring.silent = true;
    assert!(matches!(
        load_or_create(&home, "w", Some(KeysPlace::Keyring), &keyring, None),
        Err(KeysError::Locked)
    ));
    assert!(!home.keys().exists(), "silence made new keys");
    Ok(())
}

#[test]
fn another_folder_finds_no_key_of_a_wallet_in_the_same_keyring() -> Outcome {
    let (folder, keyring) = (tempfile::tempdir()?, Fake::default());
    let home = home(&folder)?;
    let (keys, _) = load_or_create(&home, "w", None, &keyring, None)?;
    // A project's settings can choose another folder and fake its wallet id.
    let project = Home::resolve(Some(&folder.path().join("project")), &Environment::default())?;
    project.ensure()?;
    let (own, place) = load_or_create(&project, "w", None, &keyring, None)?;
    assert!(own.mnemonic() != keys.mnemonic() && own.created() && place == KeysPlace::Keyring);
    assert!(
        find(&project, &entry_name(&home, "w"), None, &keyring)?.is_some(),
        "the first wallet's keys lie under the first folder's name"
    );
    let (again, _) = load_or_create(&home, "w", Some(KeysPlace::Keyring), &keyring, None)?;
    assert!(again.mnemonic() == keys.mnemonic());
    Ok(())
}

#[test]
fn without_a_keyring_they_lie_in_a_file_and_are_never_made_twice() -> Outcome {
    for keyring in
        [Fake { silent: true, ..Fake::default() }, Fake { forgets: true, ..Fake::default() }]
    {
        let folder = tempfile::tempdir()?;
        let home = home(&folder)?;
        assert!(matches!(
            load_or_create(&home, "w", Some(KeysPlace::File), &keyring, None),
            Err(KeysError::Missing(KeysPlace::File))
        ));
        assert!(!home.keys().exists());
        let (keys, place) = load_or_create(&home, "w", None, &keyring, None)?;
        assert_eq!((place, keys.created()), (KeysPlace::File, true));
        let bytes = fs::read(home.keys())?;
        for (known, keyring) in
            [(None, &keyring), (Some(KeysPlace::File), &keyring), (None, &Fake::default())]
        {
            let (again, place) = load_or_create(&home, "another", known, keyring, None)?;
            assert!(
                again.mnemonic() == keys.mnemonic() && place == KeysPlace::File && !again.created()
            );
        }
        assert_eq!(fs::read(home.keys())?, bytes);
    }
    Ok(())
}

#[test]
fn words_that_a_person_types_are_kept_and_never_replace_others() -> Outcome {
    let typed = Secret::new(format!("  {}\n", WORDS.to_uppercase().replace(' ', "  ")));
    let others =
        Secret::new("legal winner thank year wave sausage worth useful legal winner thank yellow");
    for (keyring, place) in [
        (Fake::default(), KeysPlace::Keyring),
        (Fake { silent: true, ..Fake::default() }, KeysPlace::File),
    ] {
        let folder = tempfile::tempdir()?;
        let home = home(&folder)?;
        let name = entry_name(&home, "w");
        assert!(find(&home, &name, None, &keyring)?.is_none());
        assert!(matches!(
            keep(&home, "w", None, &Secret::new("legal legal"), &keyring, None),
            Err(KeysError::NotWords)
        ));
        for _ in 0..2 {
            let (keys, kept) = keep(&home, "w", None, &typed, &keyring, None)?;
            assert!(keys.mnemonic().reveal() == WORDS && kept == place);
        }
        assert!(
            matches!(keep(&home, "w", Some(place), &others, &keyring, None), Err(KeysError::OtherWallet(there)) if there == place)
        );
        assert!(
            find(&home, &name, Some(place), &keyring)?
                .is_some_and(|(keys, _)| keys.mnemonic().reveal() == WORDS)
        );
    }
    let folder = tempfile::tempdir()?;
    let silent = Fake { silent: true, ..Fake::default() };
    assert!(matches!(
        keep(&home(&folder)?, "w", Some(KeysPlace::Keyring), &typed, &silent, None),
        Err(KeysError::Locked)
    ));
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_file_that_is_no_file_of_keys_is_told_without_its_words() -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let word = "abandon";
    files::create(&home.keys(), &format!("mnemonic = \"{WORDS}\"\n"))?;
    let (keys, _) = load_or_create(&home, "w", Some(KeysPlace::File), &NoKeyring, None)?;
    fs::set_permissions(home.keys(), fs::Permissions::from_mode(0o640))?;
    assert!(matches!(
        load_or_create(&home, "w", None, &NoKeyring, None),
        Err(KeysError::Damaged { .. })
    ));
    fs::set_permissions(home.keys(), fs::Permissions::from_mode(0o600))?;
    let broken = [
        String::new(),
        format!("mnemonic = \"{word} {word}\"\n"),
        format!("{word} = 1\n"),
        format!("mnemonic = [\"{word}\"]"),
    ];
    for text in broken {
        fs::write(home.keys(), &text)?;
        let fault = load_or_create(&home, "w", None, &NoKeyring, None).err();
        assert!(matches!(fault, Some(KeysError::Damaged { .. })), "{text}");
        let told = fault.map(|fault| format!("{fault} {fault:?}")).unwrap_or_default();
        assert!(!told.contains(word), "{told}");
        assert_eq!(fs::read_to_string(home.keys())?, text);
    }
    assert!(!format!("{keys:?}").contains(word));
    Ok(())
}

#[test]
fn each_device_has_its_own_seed() -> Outcome {
    let keys = Keys { mnemonic: Secret::new(WORDS), nostr: None, created: false };
    // The BIP-39 test vector with an empty passphrase.
    let plain = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4";
    assert_eq!(hex::encode(*keys.seed(0)?), plain);
    // Computed with another implementation of HMAC-SHA512.
    let first = "f74b96eb739677edf65422826f7771d6f11ee3ddc320320abe73c9f1dfdbb6136443426d2e5d5f778c9afc6b00cc7d6f63507cd40abebd1cb30b73bb74a0456c";
    assert_eq!(hex::encode(*keys.seed(1)?), first);
    assert!(keys.seed(1)? != keys.seed(2)? && keys.seed(1)? != keys.seed(0)?);
    Ok(())
}
