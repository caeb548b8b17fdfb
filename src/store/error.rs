//! Why the store could not do it. Never carries a secret, a token or a preimage.

use crate::model::payment::PaymentState;
use crate::ports::StoreFailure;

/// What the store's own calls fail with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another handle, of this process or of another, holds the file.
    #[error("the wallet file is already open")]
    AlreadyOpen,
    /// The file is empty, foreign, truncated or corrupt.
    #[error("the wallet file is damaged: {0}")]
    Damaged(String),
    /// A row was written by a version of the program that this one does not know.
    #[error("a row of {table} has version {version}, which this program does not know")]
    UnknownVersion {
        /// The table.
        table: String,
        /// The version the row names.
        version: u8,
    },
    /// A row has a known version and cannot be read.
    #[error("a row of {table} cannot be read: {reason}")]
    Undecodable {
        /// The table.
        table: String,
        /// What the reader said. Names fields and places, never values.
        reason: String,
    },
    /// A proof is not in a state that allows the change.
    #[error("a proof is not in the expected state")]
    ProofNotUnspent,
    /// More would come in at a mint than its owner allows.
    #[error("the owner's cap at the mint would be passed")]
    OverCap,
    /// No proof has this Y.
    #[error("no such proof")]
    ProofNotFound,
    /// The proofs belong to an operation whose outcome is not known.
    #[error("the proofs belong to an operation whose outcome is not known")]
    Undecided,
    /// A spent proof was to become something else.
    #[error("a spent proof stays spent")]
    SpentIsFinal,
    /// The file was written by an older program than any that was released.
    #[error(
        "it is of version {0}, which was never released: `nutpurse restore --words` asks the mints for its coins and keeps it under another name"
    )]
    OldFile(u32),
    /// A payment was written that the door never admitted, or a decided one was opened again.
    #[error("a payment cannot go from {from} to {to}")]
    Transition {
        /// What it was, in words.
        from: &'static str,
        /// What it was to be, in words.
        to: &'static str,
    },
    /// The journal has no such row.
    #[error("the journal has no {0}")]
    Missing(&'static str),
    /// A sum or counter would not fit.
    #[error("a number is out of range")]
    Range,
    /// The file system refused.
    #[error("the wallet file cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// redb refused.
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

    /// The file, or a row in it, is not what it should be.
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
                Self::Damaged(format!("the table {table} is of another kind"))
            }
            redb::Error::TableDoesNotExist(table) => {
                Self::Damaged(format!("the table {table} is missing"))
            }
            redb::Error::UpgradeRequired(version) => {
                Self::Damaged(format!("it is of file format {version}"))
            }
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::Damaged("it is too short".to_owned())
            }
            redb::Error::Io(error) => Self::Io(error),
            other => Self::Redb(Box::new(other)),
        }
    }
}

/// A payment's state in the words of [`StoreError::Transition`].
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
