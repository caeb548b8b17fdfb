//! Sentences for a person about what the trial of a relay found.

use crate::wallet::doctor::trial::{Events, MESSAGE, Remark, TAGS};

/// Describes what a relay does not do, and the consequence.
pub fn sentence(remark: &Remark) -> String {
    match remark {
        Remark::NoKey => "It was not tried: no key could be created for the trial.".to_owned(),
        Remark::NoEvent => "It was not tried: no event could be created for the trial.".to_owned(),
        Remark::Unreachable(reason) => format!("It could not be reached: {reason}."),
        Remark::RefusesCoins(reason) => format!("It rejects what this wallet writes: {reason}."),
        Remark::SilentToCoins(reason) => format!("It does not answer when this wallet writes to it: {reason}."),
        Remark::ShowsNothing => {
            "It confirms an event but does not show it: coins that only it has are lost.".to_owned()
        }
        Remark::SilentToQuestion(reason) => format!("It does not answer a query: {reason}."),
        Remark::ShowsDeleted => {
            "It still shows deleted events: other programs may count coins there that are spent.".to_owned()
        }
        Remark::ShowsNoDeletion => {
            "It keeps no deletions (kind 5): other devices may take spent coins there for unspent ones.".to_owned()
        }
        Remark::RefusesDeletions(reason) => {
            format!("It rejects deletions ({reason}): spent coins stay there, and other programs may count them.")
        }
        Remark::SilentToDeletion(reason) => format!("It does not answer a deletion: {reason}."),
        Remark::AsksWho => {
            "It requires authentication (AUTH, NIP-42): it learns the wallet's public key before it accepts or returns anything, and may reject it.".to_owned()
        }
        Remark::SaysNothing => {
            "It does not describe itself (NIP-11): its limits show only when they are reached.".to_owned()
        }
        Remark::WantsPay => {
            "It must be paid before it keeps anything (NIP-11), and this wallet does not pay relays.".to_owned()
        }
        Remark::RestrictsWrites => {
            "It lets only some people write (NIP-11): the wallet's key may have to be admitted first.".to_owned()
        }
        Remark::WantsWork { bits } => {
            format!("It requires a proof of work of {bits} bits, which this wallet does not compute.")
        }
        Remark::FitsNoCoin { bytes } => {
            format!("It accepts messages of {bytes} bytes at most: not even one coin fits, so it stores nothing of this wallet.")
        }
        Remark::ShortMessages { bytes } => {
            format!("It accepts messages of {bytes} bytes at most; this wallet writes up to {MESSAGE}, and smaller ones for this relay.")
        }
        Remark::FewTags { tags } => {
            format!("It accepts events of {tags} tags at most: it rejects a deletion of many events, which has up to {TAGS}.")
        }
        Remark::FewSubscriptions { most } => {
            format!("It allows {most} query at a time per connection: reading and listening interfere with each other.")
        }
        Remark::NothingOld { seconds } => {
            format!("It accepts no event older than {}: what it loses after that time cannot be restored to it.", span(*seconds))
        }
        Remark::KeepsNone(events) => format!("It keeps no events of {}.", kind(*events)),
        Remark::KeepsFor { events, seconds } => {
            format!("It keeps events of {} for {} only.", kind(*events), span(*seconds))
        }
        Remark::KeepsFew { events, most } => {
            format!("It keeps {most} events of {} at most.", kind(*events))
        }
        Remark::ReadByPages => {
            "It does not support NIP-77: a wallet with a long history is read there page by page.".to_owned()
        }
    }
}

/// Names a kind of events by number and word.
fn kind(events: Events) -> String {
    let what = match events {
        Events::Coins => "coins",
        Events::Deletions => "deletions",
        Events::NutzapInfo => "nutzap settings",
    };
    format!("kind {} ({what})", events.kind())
}

/// Writes seconds in the largest whole unit.
fn span(seconds: u64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds")];
    let unit = units.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "seconds"));
    format!("{} {}", seconds / unit.0, unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_words() {
        assert_eq!(
            [span(90), span(7_200), span(864_000), span(5)],
            ["1 minutes", "2 hours", "10 days", "5 seconds"]
        );
    }

    #[test]
    fn a_remark_is_said_with_its_numbers() {
        let rows = [
            (Remark::WantsPay, "paid"),
            (Remark::WantsWork { bits: 20 }, "20 bits"),
            (Remark::FitsNoCoin { bytes: 700 }, "not even one coin"),
            (Remark::ShortMessages { bytes: 4096 }, "4096 bytes at most"),
            (Remark::FewTags { tags: 50 }, "50 tags"),
            (Remark::FewSubscriptions { most: 1 }, "1 query"),
            (Remark::NothingOld { seconds: 86_400 }, "older than 1 days"),
            (Remark::KeepsNone(Events::Deletions), "no events of kind 5"),
            (
                Remark::KeepsFor { events: Events::Coins, seconds: 172_800 },
                "kind 7375 (coins) for 2 days",
            ),
            (Remark::KeepsFew { events: Events::NutzapInfo, most: 10 }, "10 events of kind 10019"),
            (Remark::ReadByPages, "NIP-77"),
        ];
        for (remark, words) in rows {
            let said = sentence(&remark);
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
