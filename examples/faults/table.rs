//! A row of the score, and the list of all rows.
//!
//! A row is an entry of [`ROWS`], an `async fn(Run) -> Outcome<Proof>` in the file of its group,
//! and an entry of that file's `WORK`. The function returns a proof that its fault fired; an error
//! fails the row. A [`Proof`] of nothing makes it `not run`.

use std::future::Future;
use std::pin::Pin;

use testbed::harness::Outcome;

use crate::rows::{AT_ANY_MINT, LONG, ROWS};
use crate::trial::Run;
use crate::{
    address, crowd, daemon, death, input, later, liar, policy, relays, secrets, storage, transport,
};

/// The severity of a failed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Severity {
    /// Loss, theft, double payment, a revealed secret, overspending.
    S1,
    /// Stuck, or a wrong report.
    S2,
    /// Out of service.
    S3,
}

/// The proof that a row's fault fired.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) fired: usize,
    pub(crate) note: String,
}

pub(crate) type Work = Pin<Box<dyn Future<Output = Outcome<Proof>> + Send>>;

/// The way a row is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// Beside others.
    Runs(fn(Run) -> Work),
    /// Alone, because it measures time or memory.
    Alone(fn(Run) -> Work),
    /// After all others, over what they left in [`Watch`](testbed::harness::Watch).
    AtEnd(fn(Run) -> Work),
    /// Not yet, and why.
    NotYet(&'static str),
}

/// A row of the score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) title: &'static str,
    pub(crate) how: How,
    /// It also runs at mints other than the testbed's.
    pub(crate) any_mint: bool,
    /// A short run leaves it out.
    pub(crate) is_long: bool,
}

impl Proof {
    /// A proof that so many faults fired.
    pub(crate) fn of(fired: usize) -> Self {
        Self { fired, note: String::new() }
    }

    /// Adds a note to the row's line.
    pub(crate) fn saying(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// Turns a count of fired faults into a proof.
pub(crate) fn proven(work: impl Future<Output = Outcome<usize>> + Send + 'static) -> Work {
    Box::pin(async move { Ok(Proof::of(work.await?)) })
}

/// All rows, in the order of their ids.
pub(crate) fn all() -> Vec<Row> {
    let work = [
        death::WORK,
        transport::WORK,
        liar::WORK,
        crowd::WORK,
        daemon::WORK,
        storage::WORK,
        policy::WORK,
        input::WORK,
        address::WORK,
        secrets::WORK,
        relays::WORK,
        later::WORK,
    ]
    .concat();
    let how = |id| work.iter().find(|(row, _)| *row == id).map(|(_, how)| *how);
    let rows = ROWS.iter().map(|(id, severity, title)| Row {
        id,
        severity: *severity,
        title,
        how: how(*id).unwrap_or(How::NotYet("nothing runs it")),
        any_mint: AT_ANY_MINT.contains(id),
        is_long: LONG.contains(id),
    });
    rows.collect()
}
