//! The home folder: where it is, whether it may be trusted, and the names of the files in it.
//!
//! Finding it creates nothing, so that a client can list tools before there is a wallet. Never
//! follows a home that others could have written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::env::Environment;

/// Why there is no home folder to work in.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The path given is not absolute.
    #[error("the home folder must be an absolute path: {}", .0.display())]
    Relative(PathBuf),
    /// The platform names no folder for a user's data.
    #[error("this user has no folder for data; set NUTPURSE_HOME to an absolute path")]
    None,
    /// It is not a folder.
    #[error("not a folder: {}", .0.display())]
    NotAFolder(PathBuf),
    /// It belongs to another user.
    #[error("the folder belongs to another user: {}", .0.display())]
    NotOurs(PathBuf),
    /// Other users may write to it.
    #[error("others may write to the folder (chmod go-w mends it): {}", .0.display())]
    Writable(PathBuf),
    /// It could not be read or created.
    #[error("the folder cannot be used: {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// The folder that holds one wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The folder: `given` (the `--home` flag), else the environment's, else the platform's place
    /// for local data. Creates nothing.
    ///
    /// # Errors
    /// When the path is not absolute, or the folder exists and cannot be trusted.
    pub fn resolve(given: Option<&Path>, environment: &Environment) -> Result<Self, HomeError> {
        let chosen = given.map(Path::to_path_buf).or_else(|| environment.home.clone());
        let path = match chosen {
            Some(path) if path.is_absolute() => path,
            Some(path) => return Err(HomeError::Relative(path)),
            None => directories::ProjectDirs::from("", "", "nutpurse")
                .ok_or(HomeError::None)?
                .data_local_dir()
                .to_path_buf(),
        };
        let home = Self { path };
        home.check()?;
        Ok(home)
    }

    /// Creates the folder, for its owner alone, if it is not there.
    ///
    /// # Errors
    /// When it cannot be created, or is there and cannot be trusted.
    pub fn ensure(&self) -> Result<(), HomeError> {
        if !self.exists() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(&self.path).map_err(|error| HomeError::Io(self.path.clone(), error))?;
        }
        self.check()
    }

    /// The folder is there.
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store: proofs, journal, outbox.
    pub fn store(&self) -> PathBuf {
        self.path.join("wallet.redb")
    }

    /// The owner's limits.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The owner's mints.
    pub fn mints(&self) -> PathBuf {
        self.path.join("mints.toml")
    }

    /// The mnemonic, where no keyring holds it.
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys.toml")
    }

    /// The lock: its holder may open the store.
    pub fn lock(&self) -> PathBuf {
        self.path.join("daemon.lock")
    }

    /// The second lock: its holder gets the lock next, before any daemon.
    pub fn next_lock(&self) -> PathBuf {
        self.path.join("daemon.next")
    }

    /// The socket of the daemon.
    pub fn socket(&self) -> PathBuf {
        self.path.join("daemon.sock")
    }

    /// The log of the daemon.
    pub fn log(&self) -> PathBuf {
        self.path.join("daemon.log")
    }

    /// Which wallet lives here, and how new its store is.
    pub fn identity(&self) -> PathBuf {
        self.path.join("wallet.id")
    }

    /// Any other file of the wallet, by its plain name.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn check(&self) -> Result<(), HomeError> {
        let found = match fs::metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(HomeError::Io(self.path.clone(), error)),
        };
        if !found.is_dir() {
            return Err(HomeError::NotAFolder(self.path.clone()));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            if found.uid() != rustix::process::geteuid().as_raw() {
                return Err(HomeError::NotOurs(self.path.clone()));
            }
            if found.mode() & 0o022 != 0 {
                return Err(HomeError::Writable(self.path.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn finding_a_home_creates_nothing_and_making_it_keeps_others_out() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a/b");
        let home = Home::resolve(Some(&path), &Environment::default())?;
        assert!(!home.exists() && !folder.path().join("a").exists());
        home.ensure()?;
        home.ensure()?;
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o700);
        Ok(())
    }

    #[test]
    fn a_home_that_others_can_write_is_refused() -> Outcome {
        let folder = tempfile::tempdir()?;
        for mode in [0o770, 0o707, 0o777, 0o1777] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode))?;
            let refused = Home::resolve(Some(folder.path()), &Environment::default());
            assert!(matches!(refused, Err(HomeError::Writable(_))), "{mode:o}");
        }
        let file = folder.path().join("file");
        fs::write(&file, "")?;
        assert!(matches!(
            Home::resolve(Some(&file), &Environment::default()),
            Err(HomeError::NotAFolder(_))
        ));
        Ok(())
    }

    #[test]
    fn the_flag_comes_before_the_environment_and_both_must_be_absolute() -> Outcome {
        let environment =
            Environment { home: Some("/nonexistent/env".into()), ..Environment::default() };
        assert_eq!(
            Home::resolve(Some(Path::new("/nonexistent/flag")), &environment)?.path(),
            Path::new("/nonexistent/flag")
        );
        assert_eq!(Home::resolve(None, &environment)?.path(), Path::new("/nonexistent/env"));
        assert!(matches!(
            Home::resolve(Some(Path::new("here")), &environment),
            Err(HomeError::Relative(_))
        ));
        Ok(())
    }
}
