//! A redb backend that makes redb use the newer of the two commit slots.
//!
//! The file header holds two commits, and one bit that selects the current one. The bit has no
//! checksum: if it flipped, the wallet would go back by one commit. redb examines the other slot
//! only if the last commit was written in one phase; ours are written in two. If the other slot is
//! newer, this backend hides the two-phase flag: redb then uses the newer commit if it is complete,
//! else the older one. A kill between the two phases leaves such a file too; its commit was written
//! but not acknowledged, so either result is correct.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::error::StoreError;

/// Size of the header, in bytes.
const HEADER: usize = 320;
/// Offset of the flags, with the flag that selects the second slot and the flag for a two-phase
/// commit.
const FLAGS: usize = 9;
const SECOND_COUNTS: u8 = 1;
const TWO_PHASES: u8 = 4;
/// Offsets of the two commit numbers.
const NUMBERS: [usize; 2] = [64 + 104, 192 + 104];
#[derive(Debug)]
pub(super) struct SlotBackend {
    file: FileBackend,
    /// `true` while the two-phase flag is hidden, until a header is written.
    hides_two_phases: AtomicBool,
}

impl SlotBackend {
    /// Wraps the file. `hides_two_phases` hides the two-phase flag from redb.
    pub(super) fn over(file: File, hides_two_phases: bool) -> Result<Self, StoreError> {
        Ok(Self {
            file: FileBackend::new(file)?,
            hides_two_phases: AtomicBool::new(hides_two_phases),
        })
    }

    /// Returns whether the unused slot has the higher number. Its commit may be incomplete.
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
