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

use crate::table::How::{Alone, Runs};
use crate::table::Row;
use crate::table::Severity::{S1, S2};

pub(crate) use zaps::held_zap;

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-005",
        S1,
        "killed around each event for relays, and around the mint's answers",
        Runs(|run| Box::pin(copies::killed(run))),
    ),
    Row::new(
        "F-006",
        S1,
        "zap and nutzap, killed at every request and event",
        Runs(|run| Box::pin(zaps::killed(run))),
    ),
    Row::new(
        "F-057",
        S1,
        "two devices spend the same coins at once",
        Runs(|run| Box::pin(devices::same_coins(run))),
    ),
    Row::new(
        "F-058",
        S1,
        "one mnemonic in two folders, used at once",
        Runs(|run| Box::pin(devices::same_words(run))),
    ),
    Row::new(
        "F-070",
        S1,
        "relays say that they take it, and forget it",
        Runs(|run| Box::pin(copies::forgetful(run))),
    ),
    Row::new(
        "F-071",
        S2,
        "relays refuse: too often, not you, who are you, too large",
        Runs(|run| Box::pin(copies::refused(run))),
    ),
    Row::new(
        "F-072",
        S1,
        "all old events again, in any order, twice",
        Runs(|run| Box::pin(copies::shown_again(run))),
    ),
    Row::new(
        "F-073",
        S1,
        "deletions hidden, the newest coins hidden, only the oldest shown",
        Runs(|run| Box::pin(copies::hidden(run))),
    ),
    Row::new(
        "F-074",
        S1,
        "forged events, another's events, wrong ids",
        Runs(|run| Box::pin(copies::forged(run))),
    ),
    Row::new(
        "F-075",
        S1,
        "an older wallet event, and a newer one without mints, with another key",
        Runs(|run| Box::pin(hostile::rolled_back(run))),
    ),
    Row::new(
        "F-076",
        S1,
        "hostile plaintexts in events of our own key",
        Runs(|run| Box::pin(hostile::plaintexts(run))),
    ),
    Row::new(
        "F-077",
        S1,
        "nutzaps that are not ours to take, or taken before",
        Runs(|run| Box::pin(hostile::nutzaps(run))),
    ),
    Row::new(
        "F-078",
        S1,
        "a nutzap that was taken, again after restarts and 8 days",
        Runs(|run| Box::pin(hostile::replayed(run))),
    ),
    Row::new(
        "F-079",
        S2,
        "relays that flood, drip, are mute or ask who we are for ever",
        Alone(|run| Box::pin(floods::floods(run))),
    ),
    Row::new(
        "F-080",
        S1,
        "no relay during 20 spends and kills, then all of them",
        Runs(|run| Box::pin(copies::away(run))),
    ),
    Row::new(
        "F-081",
        S2,
        "the clock a day and ten years off, both ways",
        Runs(|run| Box::pin(copies::clocks(run))),
    ),
    Row::new(
        "F-082",
        S1,
        "all that relays are told, searched for what they must not know",
        Runs(|run| Box::pin(copies::private(run))),
    ),
    Row::new(
        "F-105",
        S1,
        "a forged profile, a changed one, false receipts",
        Runs(|run| Box::pin(zaps::profiles(run))),
    ),
    Row::new(
        "F-106",
        S1,
        "one zap five times, and again after a timeout",
        Runs(|run| Box::pin(zaps::repeated(run))),
    ),
];
