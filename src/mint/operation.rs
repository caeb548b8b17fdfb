//! An operation under way at a mint, whole, as the journal keeps it.
//!
//! ```text
//!  planned --(journaled by the caller, durably: may have left)--> Done | Refused | Unknown
//!                                                                          |
//!                                            resumed <--- at any later time, by anybody
//! ```
//! What is journaled holds all inputs, secrets and blinding factors, so nothing that the mint has
//! signed can be lost.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::MintError;
use super::issue::Issue;
use super::melt::Melt;
use super::swap::Swap;
use crate::model::subject::Subject;
use crate::ports::StoreFailure;

/// An operation under way. Holds secrets: it is written to the store and nowhere else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Coins for a paid invoice of ours (NUT-04).
    Issue(Issue),
    /// Coins for coins (NUT-03).
    Swap(Swap),
    /// A Lightning payment for coins (NUT-05).
    Melt(Melt),
}

impl Operation {
    /// Its name; also what holds its inputs.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Issue(issue) => issue.id,
            Self::Swap(swap) => swap.id,
            Self::Melt(melt) => melt.id,
        }
    }

    /// For the journal.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub fn to_row(&self) -> Result<Vec<u8>, MintError> {
        serde_json::to_vec(self).map_err(|error| StoreFailure::new(error).into())
    }

    /// From the journal.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub fn from_row(row: &[u8]) -> Result<Self, MintError> {
        serde_json::from_slice(row).map_err(|error| StoreFailure::new(error).into())
    }

    /// The record that it is for. `None`: it is for none.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Issue(issue) => Some(Subject::Deposit(issue.deposit.clone())),
            Self::Swap(swap) => swap.purpose.subject(),
            Self::Melt(melt) => Some(Subject::Payment(melt.payment.clone())),
        }
    }

    /// The coins that it uses, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn input_ys(&self) -> Result<Vec<cdk::nuts::PublicKey>, MintError> {
        match self {
            Self::Issue(_) => Ok(Vec::new()),
            Self::Swap(swap) => swap.input_ys(),
            Self::Melt(melt) => melt.input_ys(),
        }
    }

    /// The coins that it may still bring in, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn output_ys(&self) -> Result<Vec<cdk::nuts::PublicKey>, MintError> {
        match self {
            Self::Issue(issue) => issue.outputs.ys(),
            Self::Swap(swap) => swap.outputs.ys(),
            Self::Melt(melt) => melt.outputs.ys(),
        }
    }
}
