//! The owner's screens, as lines. Pure.

use crate::model::keys::KeysPlace;
use crate::model::mint::MoneyKind;
use crate::policy::Policy;

/// What no program on this computer can promise; said where it is read.
pub(super) const BOUNDARY: &str = "Through its tools an agent cannot raise limits, trust mints or read keys. An agent that has an \
unrestricted shell under your account can do what you can: keep no more here than you can lose to it.";

/// The mints, one line each.
pub(super) fn mints(policy: &Policy) -> Vec<String> {
    let mut lines: Vec<String> = section(policy, "mint ");
    if lines.is_empty() {
        lines.push("No mint is listed: nothing can be paid or received.".to_owned());
    }
    lines
}

/// The limits, and whether spending is paused.
pub(super) fn limits(policy: &Policy) -> Vec<String> {
    let mut lines: Vec<String> = ["limits.", "spending.", "agents."]
        .iter()
        .flat_map(|start| section(policy, start))
        .collect();
    lines.push("Limits hold for this folder on this device, over all agents together; incoming money raises nothing.".to_owned());
    lines
}

/// What is shown before anything is loosened.
pub(super) fn loosening(changes: &[String], new: &Policy) -> Vec<String> {
    let mut lines = vec!["This will change:".to_owned()];
    lines.extend(changes.iter().map(|change| format!("  {change}")));
    lines.push("After it, in all:".to_owned());
    lines.extend(new.canonical().lines().map(|line| format!("  {line}")));
    lines.push("Running sessions follow it at once.".to_owned());
    lines
}

/// What is shown before play money becomes real, for ever.
pub(super) fn first_real_mint(keys: &Option<(KeysPlace, bool)>) -> Vec<String> {
    let keys = match keys {
        None => "The wallet's keys have not been made yet, and so are not backed up.".to_owned(),
        Some((place, backed_up)) => {
            let place = match place {
                KeysPlace::Keyring => "in this computer's keyring",
                KeysPlace::File => "in keys.toml in the wallet's folder, in clear",
            };
            let backup = if *backed_up {
                "You have been shown them for a backup."
            } else {
                "They are NOT backed up: if this computer is lost, so is the money. `nutpurse backup` shows them."
            };
            format!("The wallet's keys lie {place}. {backup}")
        }
    };
    vec![
        "This is the first real mint. From now on the wallet holds real money, for ever; test mints and their coins are set aside.".to_owned(),
        "Whoever runs a mint holds the bitcoin behind its coins: they can refuse to pay, lose it, or vanish with it. Keep there what you can afford to lose; the cap below bounds what is taken in.".to_owned(),
        "Within the limits below your agents spend without asking you.".to_owned(),
        keys,
        BOUNDARY.to_owned(),
        String::new(),
    ]
}

/// What a mint lacks of what the wallet leans on, by the numbers of the NUTs. `None`: it did not
/// answer.
pub(super) fn lacks(nuts: Option<Vec<u8>>) -> Vec<String> {
    let Some(nuts) = nuts else {
        return vec![
            "The mint did not answer when it was asked what it can do.".to_owned(),
            String::new(),
        ];
    };
    let words = |nut: u8| match nut {
        7 => {
            "It does not tell which coins are spent (NUT-07): a payment that it refuses may stay pending for some minutes."
        }
        8 => {
            "It gives no change (NUT-08): before a payment the wallet exchanges coins for exact ones, which may cost a fee, and what the mint does not need of its reserve for the route it keeps."
        }
        9 => {
            "It does not give signatures again (NUT-09): coins whose answer is lost on the way may be lost, and `nutpurse restore` brings nothing back from it."
        }
        _ => "It lacks something else that the wallet leans on.",
    };
    let mut lines: Vec<String> = nuts.into_iter().map(|nut| words(nut).to_owned()).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// What a new wallet's money is.
pub(super) fn money(policy: &Policy) -> String {
    match policy.listed_money() {
        MoneyKind::Play => "Its money is play money: every listed mint is a test mint. `nutpurse mints trust URL` lists a real one.",
        MoneyKind::Real => "Its money is real.",
    }
    .to_owned()
}

fn section(policy: &Policy, start: &str) -> Vec<String> {
    policy.canonical().lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}
