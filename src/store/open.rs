//! Opening the file: made whole or not at all, for its owner alone, and refused when it is not
//! ours.
//!
//! Never deletes or overwrites a wallet file, and never panics on a damaged one. Every page of it
//! is checked before it is used: a byte that changed by itself is damage, not another balance.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, Durability, ReadableDatabase, TableHandle};

use super::Store;
use super::error::StoreError;
use super::meta::Meta;
use super::{copies, meta, tables, verify_file};

/// What every redb file begins with.
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];
/// Memory for pages: a wallet's hot tables fit many times.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

impl Store {
    /// Opens the wallet file at `path`; makes it when there is none. Where the wallet's id and the
    /// highest generation that was seen are known, another wallet's file is refused, and no copy is
    /// made of it or of an older one.
    ///
    /// # Errors
    /// [`StoreError::AlreadyOpen`] when another handle holds it, [`StoreError::Damaged`] when it is
    /// empty, foreign or broken, [`StoreError::UnknownVersion`] when a newer program wrote it.
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

    /// Opens a file of which nothing is known, for tests.
    ///
    /// # Errors
    /// As [`Store::open_known`].
    #[cfg(feature = "testing")]
    pub async fn open(path: PathBuf, clock: fn() -> u64) -> Result<Self, StoreError> {
        Self::open_known(path, clock, None).await
    }

    /// Makes the wallet file at `path`, which is not there, with `change` made to what the wallet
    /// is, and opens it.
    ///
    /// # Errors
    /// As [`Store::open_known`].
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

    /// Opens a wallet on any storage; makes it when the storage is empty.
    ///
    /// # Errors
    /// As [`Store::open_known`].
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

/// Verifies the file and opens it. A copy that is due is left to [`Store::make_due_copy`].
fn open_checked(
    path: &Path,
    clock: fn() -> u64,
    known: Option<(String, u64)>,
) -> Result<Store, StoreError> {
    owner_only(&check_file(path)?)?;
    let verified = verify_file::open(path)?;
    let summary = verified.summary.clone();
    if known.as_ref().is_some_and(|(id, _)| *id != summary.meta.wallet_id) {
        return Err(StoreError::Damaged("it is of another wallet than the folder".to_owned()));
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

/// redb asserts on some damaged files; the panic becomes an error, and the handle is gone with it.
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

/// A file of ours says what it is; one of an older program gets the tables it lacks.
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

/// Makes the file beside its place, whole and synced, then links it in: a crash leaves no half
/// wallet, and of two processes that race one gets `AlreadyExists` and opens what the other made.
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
        // A file system without hard links: the rename could replace only a wallet made within this
        // instant by a racer.
        Err(_) if !path.try_exists()? => fs::rename(&draft, path),
        Err(error) => Err(error),
    };
    // The draft holds no money and never did; only its name goes.
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
