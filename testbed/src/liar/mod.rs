//! A mint that lies: a real mint behind a [`Proxy`] that changes what it answers. The mint itself
//! does its work honestly, so what it signed and took back can be told from what it said.
//!
//! Never changes a request, and never an answer that no lie is about.

mod coins;
mod detour;
mod keysets;
mod lie;
mod signatures;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::proxy::Proxy;

pub use self::coins::CoinLie;
pub use self::detour::Detour;
pub use self::keysets::{KeysetLie, collision};
pub use self::lie::Lie;
pub use self::signatures::{RestoreLie, SignatureLie};

/// What the mint behind a proxy lies about.
pub struct Liar {
    lies: Arc<Mutex<Vec<Lie>>>,
    told: Arc<AtomicUsize>,
}

impl fmt::Debug for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Liar").field("told", &self.told()).finish_non_exhaustive()
    }
}

impl Liar {
    /// Takes over what the mint behind `proxy` says: honest until told otherwise.
    #[must_use]
    pub fn before(proxy: &Proxy) -> Self {
        let (lies, told) = (Arc::new(Mutex::new(Vec::<Lie>::new())), Arc::new(AtomicUsize::new(0)));
        let (book, count) = (Arc::clone(&lies), Arc::clone(&told));
        proxy.rewrite(move |path, honest| {
            let mut lies = book.lock().unwrap_or_else(PoisonError::into_inner);
            let mut answer = honest.clone();
            lies.iter_mut().for_each(|lie| lie.tell(path, &mut answer));
            if answer != honest {
                count.fetch_add(1, Ordering::SeqCst);
            }
            answer
        });
        Self { lies, told }
    }

    /// Tells this lie too, from the next answer on. Several are told in the order in which they
    /// were given.
    pub fn tell(&self, lie: Lie) {
        self.lies.lock().unwrap_or_else(PoisonError::into_inner).push(lie);
    }

    /// Honest from now on.
    pub fn stop(&self) {
        self.lies.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many answers were not what the mint had said.
    #[must_use]
    pub fn told(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }
}
