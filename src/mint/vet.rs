//! Distrust of what a mint says about keysets and states.
//!
//! A keyset id that another mint of ours has, or that shares its 31-bit derivation number (NUT-13, version 0), would let a mint harvest
//! signatures on another mint's secrets: refused. NUT-07 answers must name the coins asked about, in order, in one of three states.

use std::collections::HashMap;

use cdk::nuts::{CheckStateRequest, CheckStateResponse, Id, KeySetInfo, State};

use super::error::MintError;

/// The most keysets we read of one mint.
const MAX_KEYSETS: usize = 500;

/// Checks the keysets a mint lists against those of all other mints we know.
pub(crate) fn keysets(listed: &[KeySetInfo], of_others: &[Id]) -> Result<(), MintError> {
    if listed.len() > MAX_KEYSETS {
        return Err(MintError::Wrong("too many keysets".to_owned()));
    }
    let others: HashMap<u32, &Id> = of_others.iter().map(|id| (u32::from(*id), id)).collect();
    let mut own: HashMap<u32, &Id> = HashMap::new();
    for keyset in listed {
        let number = u32::from(keyset.id);
        if others.contains_key(&number) {
            return Err(MintError::Wrong("a keyset of this mint collides with another mint's".to_owned()));
        }
        if own.insert(number, &keyset.id).is_some_and(|earlier| *earlier != keyset.id) {
            return Err(MintError::Wrong("two keysets of this mint collide".to_owned()));
        }
    }
    Ok(())
}

/// Checks a NUT-07 answer against its question.
pub(crate) fn states(asked: &CheckStateRequest, told: &CheckStateResponse) -> Result<(), MintError> {
    let same_coins = asked.ys.len() == told.states.len() && asked.ys.iter().zip(&told.states).all(|(y, state)| *y == state.y);
    if !same_coins {
        return Err(MintError::Wrong("the states are not of the coins asked about".to_owned()));
    }
    let known = told.states.iter().all(|one| matches!(one.state, State::Unspent | State::Pending | State::Spent));
    if known { Ok(()) } else { Err(MintError::Wrong("a state that a mint cannot give".to_owned())) }
}
