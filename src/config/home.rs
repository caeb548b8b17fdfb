//! The home folder: its location, the check of its owner and mode, and the names of its files.
//!
//! Resolving it creates nothing, so a client can list tools before a wallet exists. Never uses a
//! folder that other users can write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::env::Environment;

/// Reason why there is no usable home folder.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The given path is not absolute.
    #[error("the home folder must be an absolute path: {}", .0.display())]
    Relative(PathBuf),
    /// The platform has no data folder for this user.
    #[error("this user has no data folder; set NUTPURSE_HOME to an absolute path")]
    None,
    /// The path is not a folder.
    #[error("not a folder: {}", .0.display())]
    NotAFolder(PathBuf),
    /// The folder belongs to another user.
    #[error("the folder belongs to another user: {}", .0.display())]
    NotOurs(PathBuf),
    /// Other users may write to the folder.
    #[error("others may write to the folder (chmod go-w mends it): {}", .0.display())]
    Writable(PathBuf),
    /// The folder could not be read or created.
    #[error("the folder cannot be used: {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// The folder of one wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// Finds the folder: `given` (the `--home` flag), else that of the environment, else the
    /// platform's folder for local data. Creates nothing.
    ///
    /// # Errors
    /// If the path is not absolute, or the folder exists and is not safe to use.
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

    /// Creates the folder with mode 0700 unless it exists.
    ///
    /// # Errors
    /// If it cannot be created, or exists and is not safe to use.
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

    /// Returns whether the folder exists.
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store: proofs, journal, outbox.
    pub fn store(&self) -> PathBuf {
        self.path.join("wallet.redb")
    }

    /// The owner's settings and limits.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The owner's list of mints.
    pub fn mints(&self) -> PathBuf {
        self.path.join("mints.toml")
    }

    /// The mnemonic, unless the keyring contains it.
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys.toml")
    }

    /// The lock file; its holder may open the store.
    pub fn lock(&self) -> PathBuf {
        self.path.join("daemon.lock")
    }

    /// The second lock file; its holder gets the first lock next, before any daemon.
    pub fn next_lock(&self) -> PathBuf {
        self.path.join("daemon.next")
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.path.join("daemon.sock")
    }

    /// The daemon's log.
    pub fn log(&self) -> PathBuf {
        self.path.join("daemon.log")
    }

    /// The identity of the wallet in this folder, and the generation of its store.
    pub fn identity(&self) -> PathBuf {
        self.path.join("wallet.id")
    }

    /// Any other file in the folder.
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
