//! What the trial of a relay found, in a sentence each, for a person.

use crate::wallet::doctor::trial::{Events, MESSAGE, Remark, TAGS};

/// What a relay will not do, and what follows from it.
pub fn sentence(remark: &Remark) -> String {
    match remark {
        Remark::NoKey => "It was not tried: no key could be made for it.".to_owned(),
        Remark::NoEvent => "It was not tried: no event could be made for it.".to_owned(),
        Remark::Unreachable(reason) => format!("It could not be reached: {reason}."),
        Remark::RefusesCoins(reason) => format!("It refuses what this wallet writes: {reason}."),
        Remark::SilentToCoins(reason) => format!("It does not answer to what is written to it: {reason}."),
        Remark::ShowsNothing => {
            "It says that it has taken an event, and does not show it: coins that it alone holds are lost with it.".to_owned()
        }
        Remark::SilentToQuestion(reason) => format!("It does not answer to a question: {reason}."),
        Remark::ShowsDeleted => {
            "It still shows what was deleted: other programs may count coins there that are spent.".to_owned()
        }
        Remark::ShowsNoDeletion => {
            "It keeps no deletions (kind 5): other devices may take for coins there what is spent.".to_owned()
        }
        Remark::RefusesDeletions(reason) => {
            format!("It refuses deletions ({reason}): what is spent stays there, and other programs may count it.")
        }
        Remark::SilentToDeletion(reason) => format!("It does not answer to a deletion: {reason}."),
        Remark::AsksWho => {
            "It asks who you are (AUTH, NIP-42): it is told the wallet's public key before it takes or gives anything, and may turn it away.".to_owned()
        }
        Remark::SaysNothing => {
            "It says nothing of itself (NIP-11): its limits show only when they are met.".to_owned()
        }
        Remark::WantsPay => {
            "It wants to be paid before it keeps anything (NIP-11), and this wallet pays no relay by itself.".to_owned()
        }
        Remark::RestrictsWrites => {
            "It lets only some people write (NIP-11): the wallet's key may have to be let in first.".to_owned()
        }
        Remark::WantsWork { bits } => {
            format!("It wants a proof of work of {bits} bits, which this wallet does not make.")
        }
        Remark::FitsNoCoin { bytes } => {
            format!("It takes messages of {bytes} bytes at most: not even one coin fits, so it holds nothing of this wallet.")
        }
        Remark::ShortMessages { bytes } => {
            format!("It takes messages of {bytes} bytes at most; this wallet writes up to {MESSAGE}, and smaller ones for it.")
        }
        Remark::FewTags { tags } => {
            format!("It takes events of {tags} tags at most: a deletion of many events, which has up to {TAGS}, is refused there.")
        }
        Remark::FewSubscriptions { most } => {
            format!("It lets a connection ask {most} question at a time: reading it and listening to it disturb each other.")
        }
        Remark::NothingOld { seconds } => {
            format!("It takes no event older than {}: what it loses later than that is not brought back to it.", span(*seconds))
        }
        Remark::KeepsNone(events) => format!("It keeps no events of {}.", kind(*events)),
        Remark::KeepsFor { events, seconds } => {
            format!("It keeps events of {} for {} only.", kind(*events), span(*seconds))
        }
        Remark::KeepsFew { events, most } => {
            format!("It keeps {most} events of {} at most.", kind(*events))
        }
        Remark::ReadByPages => {
            "It does not speak NIP-77: a wallet with a long past is read there page by page.".to_owned()
        }
    }
}

/// A kind of events, by its number and in words.
fn kind(events: Events) -> String {
    let what = match events {
        Events::Coins => "coins",
        Events::Deletions => "deletions",
        Events::NutzapInfo => "where nutzaps are taken",
    };
    format!("kind {} ({what})", events.kind())
}

/// So many seconds in the largest whole unit.
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
            (Remark::FewSubscriptions { most: 1 }, "1 question"),
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
