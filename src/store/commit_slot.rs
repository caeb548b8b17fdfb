//! redb's backend, which makes redb use the newest of the two commit slots.
//!
//! The header of a file holds two commits, and one bit of it says which counts. The bit has no
//! checksum: turned over by itself, it would bring back the wallet as it was one commit ago. redb
//! looks at the other commit only where the last one was written in one phase; ours are written in
//! two. So where the other commit is newer the header is shown without the flag for two phases:
//! redb then takes the newer one if all of it is there, else the older. A kill between the two
//! phases leaves such a file too; its commit was written and not acknowledged, and may count or
//! not.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::error::StoreError;

/// How much of the file the header is.
const HEADER: usize = 320;
/// Where its flags are, and which of them say that the second commit counts and that it was written
/// in two phases.
const FLAGS: usize = 9;
const SECOND_COUNTS: u8 = 1;
const TWO_PHASES: u8 = 4;
/// Where the numbers of the two commits are.
const NUMBERS: [usize; 2] = [64 + 104, 192 + 104];

/// The wallet's file as redb sees it.
#[derive(Debug)]
pub(super) struct SlotBackend {
    file: FileBackend,
    /// The flag for two phases is hidden until a header is written.
    hides_two_phases: AtomicBool,
}

impl SlotBackend {
    /// Wraps the file. `hides_two_phases` hides the flag for two phases from redb.
    pub(super) fn over(file: File, hides_two_phases: bool) -> Result<Self, StoreError> {
        Ok(Self {
            file: FileBackend::new(file)?,
            hides_two_phases: AtomicBool::new(hides_two_phases),
        })
    }

    /// The slot that is not in use has the higher number. Its commit may be incomplete.
    pub(super) fn other_slot_is_newer(&self) -> Result<bool, StoreError> {
        let mut header = [0; HEADER];
        if self.file.len()? < HEADER as u64 {
            return Ok(false);
        }
        self.file.read(0, &mut header)?;
        let number = |at: usize| {
            header
                .get(at..)
                .and_then(|rest| rest.first_chunk())
                .map(|bytes| u64::from_le_bytes(*bytes))
        };
        let (first, second) = (number(NUMBERS[0]), number(NUMBERS[1]));
        let second_counts = header.get(FLAGS).is_some_and(|flags| flags & SECOND_COUNTS != 0);
        Ok(if second_counts { first > second } else { second > first })
    }
}

impl StorageBackend for SlotBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)?;
        if self.hides_two_phases.load(Ordering::Acquire)
            && let Some(flags) = usize::try_from(offset)
                .ok()
                .and_then(|offset| out.get_mut(FLAGS.checked_sub(offset)?))
        {
            *flags &= !TWO_PHASES;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)?;
        if offset <= FLAGS as u64 {
            self.hides_two_phases.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
