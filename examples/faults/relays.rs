//! Relays and what comes through them: the copy of our coins, one wallet on several devices,
//! nutzaps and zaps.
//!
//! The mint's books are the judge: what the wallets of the scene hold is what it owes; and what
//! relays took is read with our key.

mod copies;
mod devices;
mod floods;
mod ground;
mod hostile;
mod zaps;

use crate::table::How::{self, Alone, Runs};

pub(crate) use zaps::held_zap;

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-005", Runs(|run| Box::pin(copies::killed(run)))),
    ("F-006", Runs(|run| Box::pin(zaps::killed(run)))),
    ("F-057", Runs(|run| Box::pin(devices::same_coins(run)))),
    ("F-058", Runs(|run| Box::pin(devices::same_words(run)))),
    ("F-070", Runs(|run| Box::pin(copies::forgetful(run)))),
    ("F-071", Runs(|run| Box::pin(copies::refused(run)))),
    ("F-072", Runs(|run| Box::pin(copies::shown_again(run)))),
    ("F-073", Runs(|run| Box::pin(copies::hidden(run)))),
    ("F-074", Runs(|run| Box::pin(copies::forged(run)))),
    ("F-075", Runs(|run| Box::pin(hostile::rolled_back(run)))),
    ("F-076", Runs(|run| Box::pin(hostile::plaintexts(run)))),
    ("F-077", Runs(|run| Box::pin(hostile::nutzaps(run)))),
    ("F-078", Runs(|run| Box::pin(hostile::replayed(run)))),
    ("F-079", Alone(|run| Box::pin(floods::floods(run)))),
    ("F-080", Runs(|run| Box::pin(copies::away(run)))),
    ("F-081", Runs(|run| Box::pin(copies::clocks(run)))),
    ("F-082", Runs(|run| Box::pin(copies::private(run)))),
    ("F-105", Runs(|run| Box::pin(zaps::profiles(run)))),
    ("F-106", Runs(|run| Box::pin(zaps::repeated(run)))),
];
