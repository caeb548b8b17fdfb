//! Texts of the owner's commands, as lines. Pure.

use crate::model::keys::KeysPlace;
use crate::model::mint::MoneyKind;
use crate::policy::Policy;

/// The limit of what this program can prevent, shown to the owner.
pub(super) const BOUNDARY: &str = "Through its tools, an agent cannot raise limits, trust mints or read keys. An agent with an \
unrestricted shell under your account can do anything you can: keep no more here than you can afford to lose.";

/// Lists the mints, one line each.
pub(super) fn mints(policy: &Policy) -> Vec<String> {
    let mut lines: Vec<String> = section(policy, "mint ");
    if lines.is_empty() {
        lines.push("No mint is listed: nothing can be paid or received.".to_owned());
    }
    lines
}

/// Lists the limits, and whether spending is paused.
pub(super) fn limits(policy: &Policy) -> Vec<String> {
    let mut lines: Vec<String> = ["limits.", "spending.", "agents."]
        .iter()
        .flat_map(|start| section(policy, start))
        .collect();
    lines.push("The limits apply to this folder on this device, for all agents together; incoming money does not raise them.".to_owned());
    lines
}

/// Describes a change that loosens the policy, before it is confirmed.
pub(super) fn loosening(changes: &[String], new: &Policy) -> Vec<String> {
    let mut lines = vec!["This will change:".to_owned()];
    lines.extend(changes.iter().map(|change| format!("  {change}")));
    lines.push("The whole policy after it:".to_owned());
    lines.extend(new.canonical().lines().map(|line| format!("  {line}")));
    lines.push("It applies to running sessions immediately.".to_owned());
    lines
}

/// Describes the first real mint, which makes the wallet's money real for ever.
pub(super) fn first_real_mint(keys: &Option<(KeysPlace, bool)>) -> Vec<String> {
    let keys = match keys {
        None => {
            "The wallet's keys have not been created yet, so they are not backed up.".to_owned()
        }
        Some((place, backed_up)) => {
            let place = match place {
                KeysPlace::Keyring => "in this computer's keyring",
                KeysPlace::File => "unencrypted in keys.toml in the wallet's folder",
            };
            let backup = if *backed_up {
                "They were shown to you for a backup."
            } else {
                "They are NOT backed up: if this computer is lost, so is the money. `nutpurse backup` shows them."
            };
            format!("The wallet's keys are {place}. {backup}")
        }
    };
    vec![
        "This is the first real mint. From now on the wallet holds real money, for ever; test mints and their coins are set aside.".to_owned(),
        "Whoever runs a mint holds the bitcoin behind its coins: they can refuse to pay, lose it, or vanish with it. Keep no more there than you can afford to lose; the cap below limits what is accepted.".to_owned(),
        "Within the limits below, your agents spend without asking you.".to_owned(),
        keys,
        BOUNDARY.to_owned(),
        String::new(),
    ]
}

/// Explains the NUTs that the wallet needs and a mint lacks. `None`: the mint did not answer.
pub(super) fn lacks(nuts: Option<Vec<u8>>) -> Vec<String> {
    let Some(nuts) = nuts else {
        return vec![
            "The mint did not answer when asked what it supports.".to_owned(),
            String::new(),
        ];
    };
    let words = |nut: u8| match nut {
        7 => {
            "It does not report which coins are spent (NUT-07): a payment that it refuses may stay pending for some minutes."
        }
        8 => {
            "It gives no change (NUT-08): before a payment the wallet swaps coins for the exact amount, which may cost a fee, and the mint keeps what is left of its fee reserve."
        }
        9 => {
            "It does not give signatures again (NUT-09): if its answer is lost, coins may be lost, and `nutpurse restore` finds nothing there."
        }
        _ => "It lacks something else that the wallet needs.",
    };
    let mut lines: Vec<String> = nuts.into_iter().map(|nut| words(nut).to_owned()).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Says whether the wallet's money is play or real.
pub(super) fn money(policy: &Policy) -> String {
    match policy.listed_money() {
        MoneyKind::Play => "This wallet holds play money: every listed mint is a test mint. `nutpurse mints trust URL` adds a real one.",
        MoneyKind::Real => "This wallet holds real money.",
    }
    .to_owned()
}

fn section(policy: &Policy, start: &str) -> Vec<String> {
    policy.canonical().lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}
