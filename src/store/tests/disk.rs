//! A disk that counts its syncs and can lose power at one of them.
//!
//! Unsynced writes may or may not have reached the disk by then, in any part: [`Disk::images`]
//! returns such results.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redb::StorageBackend;

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Step {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Write(at, data) => {
                let end = at + data.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*at..end].copy_from_slice(data);
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Content as readers see it.
    seen: Vec<u8>,
    /// Content that survives for sure.
    safe: Vec<u8>,
    unsynced: Vec<Step>,
    syncs: u64,
    cut_at: Option<u64>,
    dead: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

impl Disk {
    pub(super) fn of(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { seen: image.clone(), safe: image, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Cuts the power at the `n`-th sync from now, before that sync has any effect.
    pub(super) fn cut_in(&self, n: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.syncs + n);
    }

    pub(super) fn image(&self) -> Vec<u8> {
        self.state().seen.clone()
    }

    /// Returns possible contents after the power cut: none of the unsynced writes, all of them, the
    /// first ones, and random ones.
    pub(super) fn images(&self, seed: u64) -> Vec<Vec<u8>> {
        let state = self.state();
        let mut rng = StdRng::seed_from_u64(seed);
        let with = |keep: &mut dyn FnMut(usize) -> bool| {
            let mut image = state.safe.clone();
            for (at, step) in state.unsynced.iter().enumerate() {
                // The length is kept with what was written beyond it; a shorter file alone is a
                // separate case.
                if keep(at) {
                    step.apply(&mut image);
                }
            }
            image
        };
        let half = state.unsynced.len() / 2;
        let mut images = vec![
            with(&mut |_| false),
            with(&mut |_| true),
            with(&mut |at| at < half),
            with(&mut |at| at >= half),
        ];
        for _ in 0..6 {
            images.push(with(&mut |_| rng.random_bool(0.5)));
        }
        images
    }
}

fn gone() -> io::Error {
    io::Error::other("the power is gone")
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        if state.dead { Err(gone()) } else { Ok(state.seen.len() as u64) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let at = usize::try_from(offset).unwrap();
        if state.dead {
            return Err(gone());
        }
        let data = state
            .seen
            .get(at..at + out.len())
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(Step::Length(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.dead {
            return Err(gone());
        }
        if state.cut_at == Some(state.syncs + 1) {
            state.dead = true;
            return Err(gone());
        }
        state.syncs += 1;
        state.safe = state.seen.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(Step::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}

impl Disk {
    fn step(&self, step: Step) -> io::Result<()> {
        let mut state = self.state();
        if state.dead {
            return Err(gone());
        }
        step.apply(&mut state.seen);
        state.unsynced.push(step);
        Ok(())
    }
}
