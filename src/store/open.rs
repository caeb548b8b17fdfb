//! Opens and creates the wallet file: whole or not at all, for its owner only, and refused if it is
//! not a wallet.
//!
//! Never deletes or overwrites a wallet file, and never panics on a damaged one. Every page is
//! checked before use, so a corrupted byte is reported as damage and never changes a balance.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, Durability, ReadableDatabase, TableHandle};

use super::Store;
use super::error::StoreError;
use super::meta::Meta;
use super::{copies, meta, tables, verify_file};

/// First bytes of every redb file.
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];
/// Size of the page cache: several times the size of a wallet's most used tables.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

impl Store {
    /// Opens the wallet file at `path`, and creates it if there is none. `known` is the wallet's id
    /// and the highest generation seen: a file of another wallet is refused, and no copy is made of
    /// a file with a lower generation.
    ///
    /// # Errors
    /// [`StoreError::AlreadyOpen`] if another handle has it open, [`StoreError::Damaged`] if it is
    /// empty, foreign or corrupt, [`StoreError::UnknownVersion`] if a newer program wrote it,
    /// [`StoreError::OldFile`] if it predates the first release.
    pub async fn open_known(
        path: PathBuf,
        clock: fn() -> u64,
        known: Option<(String, u64)>,
    ) -> Result<Self, StoreError> {
        blocking(move || {
            if !path.try_exists()? {
                create(&path, |_| {})?;
            }
            open_checked(&path, clock, known)
        })
        .await
    }

    /// Opens a file whose id and generation are not known, for tests.
    ///
    /// # Errors
    /// See [`Store::open_known`].
    #[cfg(feature = "testing")]
    pub async fn open(path: PathBuf, clock: fn() -> u64) -> Result<Self, StoreError> {
        Self::open_known(path, clock, None).await
    }

    /// Creates the wallet file at `path`, with `change` applied to its [`Meta`], and opens it. A
    /// file that already exists is opened unchanged.
    ///
    /// # Errors
    /// See [`Store::open_known`].
    pub async fn create(
        path: PathBuf,
        clock: fn() -> u64,
        change: impl FnOnce(&mut Meta) + Send + 'static,
    ) -> Result<Self, StoreError> {
        blocking(move || {
            create(&path, change)?;
            open_checked(&path, clock, None)
        })
        .await
    }

    /// Opens a wallet on any storage backend; initializes it if it is empty.
    ///
    /// # Errors
    /// See [`Store::open_known`].
    #[cfg(feature = "testing")]
    pub async fn with_backend(
        backend: impl redb::StorageBackend,
        clock: fn() -> u64,
    ) -> Result<Self, StoreError> {
        blocking(move || {
            let fresh = backend.len()? == 0;
            let db = guarded(|| {
                let db = builder().create_with_backend(backend)?;
                if fresh {
                    initialise(&db, |_| {})?;
                }
                Ok(db)
            })?;
            Ok(Self::new(db, clock, None))
        })
        .await
    }
}

/// Verifies the file and opens it. A due copy is left to [`Store::make_due_copy`].
fn open_checked(
    path: &Path,
    clock: fn() -> u64,
    known: Option<(String, u64)>,
) -> Result<Store, StoreError> {
    owner_only(&check_file(path)?)?;
    let verified = verify_file::open(path)?;
    let summary = verified.summary.clone();
    if known.as_ref().is_some_and(|(id, _)| *id != summary.meta.wallet_id) {
        return Err(StoreError::Damaged("it belongs to another wallet".to_owned()));
    }
    let db = guarded(|| verified.into_database())?;
    let is_newest = known.is_none_or(|(_, seen)| seen <= summary.meta.generation);
    let due = if is_newest { copies::due(path, &db, summary, clock())? } else { None };
    Ok(Store::new(db, clock, due))
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        if error.is_panic() {
            Err(StoreError::Damaged("opening it made the database panic".to_owned()))
        } else {
            Err(StoreError::Stopping)
        }
    })
}

pub(super) fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Turns a panic of redb on a damaged file into an error; the handle is dropped.
fn guarded(open: impl FnOnce() -> Result<Database, StoreError>) -> Result<Database, StoreError> {
    let checked = || {
        let db = open()?;
        check_content(&db)?;
        Ok(db)
    };
    catch_unwind(AssertUnwindSafe(checked)).unwrap_or_else(|_| {
        Err(StoreError::Damaged("opening it made the database panic".to_owned()))
    })
}

pub(super) fn check_file(path: &Path) -> Result<File, StoreError> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Err(StoreError::Damaged("it is empty".to_owned()));
    }
    let mut head = [0_u8; MAGIC.len()];
    match file.read_exact(&mut head) {
        Ok(()) if head == MAGIC => Ok(file),
        Ok(()) => Err(StoreError::Damaged("it is not a wallet file".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(StoreError::Damaged("it is too short".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Checks that the file is a wallet, and adds the tables that an older program's file lacks.
fn check_content(db: &Database) -> Result<(), StoreError> {
    let tx = db.begin_read()?;
    let names: Vec<String> = tx.list_tables()?.map(|table| table.name().to_owned()).collect();
    if !names.iter().any(|name| name == tables::META.name()) {
        return Err(StoreError::Damaged("it is not a wallet of this program".to_owned()));
    }
    meta::get(&tx)?;
    if tables::NAMES.iter().all(|name| names.iter().any(|have| have == name)) {
        return Ok(());
    }
    let mut tx = db.begin_write()?;
    tx.set_two_phase_commit(true);
    tables::create_all(&tx)?;
    Ok(tx.commit()?)
}

fn initialise(db: &Database, change: impl FnOnce(&mut Meta)) -> Result<(), StoreError> {
    let mut tx = db.begin_write()?;
    tx.set_durability(Durability::Immediate)?;
    tx.set_two_phase_commit(true);
    tables::create_all(&tx)?;
    meta::create(&tx, change)?;
    Ok(tx.commit()?)
}

/// Creates the file under a temporary name, syncs it, then links it into place. A crash leaves no
/// partial wallet; of two processes that race, one gets `AlreadyExists` and opens the other's file.
fn create(path: &Path, change: impl FnOnce(&mut Meta)) -> Result<(), StoreError> {
    let mut name =
        path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.to_owned();
    name.push(format!(".new-{}", uuid::Uuid::new_v4().simple()));
    let draft = path.with_file_name(name);
    let db = builder().create_file(new_file(&draft)?)?;
    initialise(&db, change)?;
    drop(db);
    File::open(&draft)?.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Without hard links, the rename could replace only a wallet that another process has
        // created within this instant.
        Err(_) if !path.try_exists()? => fs::rename(&draft, path),
        Err(error) => Err(error),
    };
    // Removes only the draft's name; the draft never held money.
    if draft.try_exists()? {
        fs::remove_file(&draft)?;
    }
    linked?;
    sync_folder(path)
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn owner_only(file: &File) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn owner_only(_: &File) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok(File::open(folder)?.sync_all()?)
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
