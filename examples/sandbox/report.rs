//! What is printed: short lines in columns.

use std::time::Duration;

use testbed::harness::Answer;

use crate::wallet::Wallet;

/// What a step did to a wallet's money, in sats.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moved {
    /// Came in.
    In(u64),
    /// Went out.
    Out(u64),
    /// Nothing.
    Nothing,
}

/// A title with a line under it.
pub(crate) fn title(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.chars().count()));
}

/// The names of the columns of [`step`].
pub(crate) fn columns() {
    println!("{:<6}{:<14}{:<43}{:>7}{:>5}{:>10}", "who", "tool", "answer", "sats", "fee", "took");
}

/// One call of a tool: who, what, what it moved and cost, how long it took.
pub(crate) fn step(wallet: &Wallet, tool: &str, what: &str, moved: Moved, answer: &Answer) {
    let sats = match moved {
        Moved::In(sats) => format!("+{}", grouped(sats)),
        Moved::Out(sats) => format!("-{}", grouped(sats)),
        Moved::Nothing => "0".to_owned(),
    };
    let fee = match moved {
        Moved::Nothing => 0,
        _ => answer.sats("fee_sats"),
    };
    line(wallet.name, tool, what, &sats, &fee.to_string(), answer.took);
}

/// One line of the columns.
pub(crate) fn line(who: &str, tool: &str, what: &str, sats: &str, fee: &str, took: Duration) {
    println!(
        "{who:<6}{tool:<14}{what:<43}{sats:>7}{fee:>5}{:>10}",
        format!("{:.1} ms", took.as_secs_f64() * 1000.0)
    );
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let commas = digits.chars().enumerate().flat_map(|(at, digit)| {
        let comma = (at > 0 && at % 3 == head % 3).then_some(',');
        comma.into_iter().chain([digit])
    });
    commas.collect()
}
