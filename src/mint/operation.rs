//! A journaled operation at a mint.
//!
//! ```text
//!  planned --(journaled by the caller, durably: may have been sent)--> Done | Refused | Unknown
//!                                                                                         |
//!                                                              resumed, at any time <-----+
//! ```
//! A row contains all inputs, secrets and blinding factors, so that nothing the mint has signed can
//! be lost.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::MintError;
use super::issue::Issue;
use super::melt::Melt;
use super::swap::Swap;
use crate::model::subject::Subject;
use crate::ports::StoreFailure;

/// An open operation. Contains secrets: it is written to the store only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Proofs for a paid invoice (NUT-04).
    Issue(Issue),
    /// Proofs for proofs (NUT-03).
    Swap(Swap),
    /// A Lightning payment for proofs (NUT-05).
    Melt(Melt),
}

impl Operation {
    /// Returns the id, which also marks the inputs it holds.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Issue(issue) => issue.id,
            Self::Swap(swap) => swap.id,
            Self::Melt(melt) => melt.id,
        }
    }

    /// Encodes the journal's row.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub fn to_row(&self) -> Result<Vec<u8>, MintError> {
        serde_json::to_vec(self).map_err(|error| StoreFailure::new(error).into())
    }

    /// Decodes the journal's row.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub fn from_row(row: &[u8]) -> Result<Self, MintError> {
        serde_json::from_slice(row).map_err(|error| StoreFailure::new(error).into())
    }

    /// Returns the record that the operation serves. `None`: it serves none.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Issue(issue) => Some(Subject::Deposit(issue.deposit.clone())),
            Self::Swap(swap) => swap.purpose.subject(),
            Self::Melt(melt) => Some(Subject::Payment(melt.payment.clone())),
        }
    }

    /// Returns the inputs, by Y.
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

    /// Returns the proofs that the operation may still bring, by Y.
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
