//! A disk that fails and a clock that jumps, for a program in a process of its own: a small C
//! library that is loaded before the C library (Linux with glibc, and a C compiler at run time).
//!
//! It sees what the program does through the C library to files below one folder; what goes to the
//! kernel without it (the crate `rustix`) goes past. It never touches the monotonic clock.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

const SOURCE: &str = include_str!("../shim/shim.c");

/// The places of the words that both sides share.
mod word {
    pub(super) const OFFSET: u64 = 0;
    pub(super) const KINDS: u64 = 1;
    pub(super) const NTH: u64 = 2;
    pub(super) const ACT: u64 = 3;
    pub(super) const ERROR: u64 = 4;
    pub(super) const ONWARD: u64 = 5;
    pub(super) const COUNT: u64 = 6;
    pub(super) const FIRED: u64 = 7;
    pub(super) const FOLDER: u64 = 8;
}

/// What is shared: eight words and a path.
const SHARED: usize = 8 * 8 + 4096;

/// The calls that are counted, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls(u64);

impl Calls {
    /// `write`, `pwrite`.
    pub const WRITES: Self = Self(1);
    /// `fsync`, `fdatasync`.
    pub const SYNCS: Self = Self(2);
    /// `ftruncate`.
    pub const LENGTHS: Self = Self(4);
    /// `rename`, `link`.
    pub const NAMES: Self = Self(8);
    /// All of them.
    pub const ALL: Self = Self(15);
}

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It fails with this error number, and so does every later one until [`Shim::calm`].
    FailFrom(i32),
    /// It alone fails with this error number.
    FailOnce(i32),
    /// It does not come back until [`Shim::calm`].
    Freeze,
    /// The process is killed before the call is made.
    KillBefore,
    /// The process is killed after the call was made.
    KillAfter,
    /// The power goes before the call: all that was written since a file's last sync is undone, and
    /// the process is killed.
    PowerCut,
    /// The same, but what was written into the first 4 KiB of a file came through.
    TornPowerCut,
}

/// No space left on the device.
pub const ENOSPC: i32 = 28;
/// An input or output error.
pub const EIO: i32 = 5;

/// The compiled library; clones are the same one.
#[derive(Debug, Clone)]
pub struct ShimLibrary(Arc<TempDir>);

impl ShimLibrary {
    /// Compiles it into a folder of its own.
    pub fn build() -> Result<Self> {
        let folder = TempDir::new()?;
        let source = folder.path().join("shim.c");
        write(&source, SOURCE)?;
        let library = Self(Arc::new(folder));
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(library.path())
            .arg(&source)
            .arg("-ldl");
        let done = compiler.output().context("no C compiler")?;
        ensure!(
            done.status.success(),
            "the shim does not compile: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(library)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("shim.so")
    }
}

/// The disk and the clock of one program, over all of its runs.
#[derive(Debug)]
pub struct Shim {
    library: ShimLibrary,
    control: File,
    folder: TempDir,
}

impl Shim {
    /// A calm disk below `watched`, a true clock.
    pub fn new(library: &ShimLibrary, watched: &Path) -> Result<Self> {
        let folder = TempDir::new()?;
        let path = folder.path().join("control");
        let control = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        control.set_len(SHARED as u64)?;
        let watched = watched.canonicalize()?;
        control.write_all_at(watched.as_os_str().as_bytes(), word::FOLDER * 8)?;
        let shim = Self { library: library.clone(), control, folder };
        shim.set(word::KINDS, Calls::ALL.0)?;
        Ok(shim)
    }

    /// The variables that the program is started with.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 2] {
        let control = self.folder.path().join("control");
        [
            ("LD_PRELOAD", self.library.path().into_os_string()),
            ("TESTBED_SHIM", control.into_os_string()),
        ]
    }

    /// Sets the wall clock so many seconds ahead of the true one, or behind it; at once.
    pub fn set_clock(&self, ahead_seconds: i64) -> Result<()> {
        self.write(word::OFFSET, ahead_seconds.to_le_bytes())
    }

    /// How far ahead the wall clock is.
    pub fn clock(&self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.read(word::OFFSET)?))
    }

    /// Does this at the `nth` of these calls, counted from 1 and from now; all earlier orders end.
    pub fn at(&self, calls: Calls, nth: u64, act: Act) -> Result<()> {
        self.calm()?;
        let (code, error, onward) = match act {
            Act::FailFrom(error) => (1, error, 1),
            Act::FailOnce(error) => (1, error, 0),
            Act::Freeze => (2, 0, 0),
            Act::KillBefore => (3, 0, 0),
            Act::KillAfter => (4, 0, 0),
            Act::PowerCut => (5, 0, 0),
            Act::TornPowerCut => (6, 0, 0),
        };
        for (place, value) in [
            (word::KINDS, calls.0),
            (word::ACT, code),
            (word::ERROR, u64::try_from(error)?),
            (word::ONWARD, onward),
            (word::COUNT, 0),
            (word::FIRED, 0),
            (word::NTH, nth),
        ] {
            self.set(place, value)?;
        }
        Ok(())
    }

    /// The disk is well again. The counts stay.
    pub fn calm(&self) -> Result<()> {
        self.set(word::NTH, 0)
    }

    /// How many calls were counted since the last order.
    pub fn count(&self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.read(word::COUNT)?))
    }

    /// How often the last order came to pass.
    pub fn fired(&self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.read(word::FIRED)?))
    }

    fn set(&self, place: u64, value: u64) -> Result<()> {
        self.write(place, value.to_le_bytes())
    }

    fn write(&self, place: u64, bytes: [u8; 8]) -> Result<()> {
        Ok(self.control.write_all_at(&bytes, place * 8)?)
    }

    fn read(&self, place: u64) -> Result<[u8; 8]> {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, place * 8)?;
        Ok(bytes)
    }
}
