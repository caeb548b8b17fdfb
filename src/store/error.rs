//! Errors of the store. Never contain a secret, a token or a preimage.

use crate::model::payment::PaymentState;
use crate::ports::StoreFailure;

/// Error of a store call.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another handle, in this process or another, has the file open.
    #[error("the wallet file is already open")]
    AlreadyOpen,
    /// The file is empty, foreign, truncated or corrupt.
    #[error("the wallet file is damaged: {0}")]
    Damaged(String),
    /// A row has a version that this program does not know.
    #[error("a row of {table} has version {version}, which this program does not know")]
    UnknownVersion {
        /// The table.
        table: String,
        /// The version that the row names.
        version: u8,
    },
    /// A row of a known version cannot be read.
    #[error("a row of {table} cannot be read: {reason}")]
    Undecodable {
        /// The table.
        table: String,
        /// The parser's reason. Names fields and positions, never values.
        reason: String,
    },
    /// A proof is not in a state that allows the change.
    #[error("a proof is not in the expected state")]
    ProofNotUnspent,
    /// The owner's cap at the mint would be exceeded.
    #[error("the owner's cap at the mint would be exceeded")]
    OverCap,
    /// No proof has this Y.
    #[error("no such proof")]
    ProofNotFound,
    /// The proofs belong to an operation whose outcome is not known.
    #[error("the proofs belong to an operation whose outcome is not known")]
    Undecided,
    /// A spent proof would become something else.
    #[error("a spent proof cannot change")]
    SpentIsFinal,
    /// The file is older than any released version.
    #[error(
        "it has version {0}, which was never released: `nutpurse restore --words` recovers its coins from the mints and keeps it under another name"
    )]
    OldFile(u32),
    /// A payment would be written without admission, or a decided one reopened.
    #[error("a payment cannot go from {from} to {to}")]
    Transition {
        /// The old state.
        from: &'static str,
        /// The new state.
        to: &'static str,
    },
    /// The journal has no such row.
    #[error("the journal has no {0}")]
    Missing(&'static str),
    /// A sum or counter would overflow or go below zero.
    #[error("a number is out of range")]
    Range,
    /// The file system failed.
    #[error("the wallet file cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// redb failed.
    #[error("the database failed: {0}")]
    Redb(#[source] Box<redb::Error>),
    /// The runtime stopped before the work was done.
    #[error("the program is stopping")]
    Stopping,
}

impl StoreError {
    pub(super) fn undecodable(table: &str, error: impl std::fmt::Display) -> Self {
        Self::Undecodable { table: table.to_owned(), reason: error.to_string() }
    }

    /// Returns whether the file, or a row in it, is damaged or of an unusable version.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged(_)
                | Self::OldFile(_)
                | Self::UnknownVersion { .. }
                | Self::Undecodable { .. }
        )
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::AlreadyOpen,
            redb::Error::Corrupted(what) => Self::Damaged(what),
            redb::Error::TableTypeMismatch { table, .. } => {
                Self::Damaged(format!("the table {table} has another type"))
            }
            redb::Error::TableDoesNotExist(table) => {
                Self::Damaged(format!("the table {table} is missing"))
            }
            redb::Error::UpgradeRequired(version) => {
                Self::Damaged(format!("it has file format {version}"))
            }
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::Damaged("it is too short".to_owned())
            }
            redb::Error::Io(error) => Self::Io(error),
            other => Self::Redb(Box::new(other)),
        }
    }
}

/// Returns a payment's state as [`StoreError::Transition`] names it.
pub(super) fn word(state: &PaymentState) -> &'static str {
    match state {
        PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => {
            "pending"
        }
        PaymentState::Settled { .. } => "settled",
        PaymentState::Failed { .. } => "failed",
        PaymentState::Returned { .. } => "returned",
    }
}

macro_rules! from_redb {
    ($($name:ident),*) => {
        $(impl From<redb::$name> for StoreError {
            fn from(error: redb::$name) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

from_redb!(
    CommitError,
    CursorError,
    DatabaseError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);

impl From<StoreError> for StoreFailure {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}
