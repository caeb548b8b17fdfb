//! Why a zap is not made.

use crate::api::code::Code;
use crate::api::error::Error;
use crate::wallet::core::failure::{NutzapRefusal, ZapRefusal};

/// What to do when there is to be no nutzap.
const ELSE: &str = "Call zap again with via auto or lightning.";

pub(super) fn explain(refusal: ZapRefusal) -> Error {
    let unknown = |message: &str| Error::new(Code::RecipientUnknown, message);
    match refusal {
        ZapRefusal::NostrOff => {
            Error::new(Code::NostrOff, "Zaps need Nostr, and no relays are set.")
        }
        ZapRefusal::EventChanged => Error::new(
            Code::KeyConflict,
            "The event was changed since the first call with this key; nothing was sent by this one.",
        )
        .next("Look at the first call with get_payment; zap the new version under a new key only if the user wants that."),
        ZapRefusal::TooManyShares => {
            Error::new(Code::PayeeUnsupported, "The event shares its zaps among too many.")
                .with("kind", "splits")
        }
        ZapRefusal::EventUnknown => unknown("No relay that was asked has that event."),
        ZapRefusal::NameUnknown => unknown("That name's server does not know the name."),
        ZapRefusal::NoWay => unknown(
            "The recipient has published no Lightning address and takes no nutzap from a mint we use.",
        )
        .next("Ask the user for another way to pay this person, such as a Lightning address or an invoice."),
        ZapRefusal::TwoEvents => {
            Error::invalid("event", "to is an event already; leave event out.")
        }
        ZapRefusal::NotAPerson => Error::invalid("to", "to is not a person."),
        ZapRefusal::NotItsAuthor => Error::invalid("event", "event was not written by to."),
        ZapRefusal::NotAnEvent => {
            Error::invalid("event", "event is not a note, nevent or naddr.")
        }
    }
}

pub(super) fn nutzap(refusal: NutzapRefusal) -> Error {
    let message = match refusal {
        NutzapRefusal::RelaysSilent => {
            return Error::new(
                Code::RelayUnreachable,
                "None of the recipient's own relays answers, so it is not known whether their key for nutzaps still holds. Nothing was paid.",
            )
            .next(ELSE);
        }
        NutzapRefusal::TakesNone => "The recipient does not say that they take nutzaps.",
        NutzapRefusal::NoKey => "The recipient has published no key for nutzaps of its own.",
        NutzapRefusal::OtherMints => {
            "The recipient takes nutzaps from none of this wallet's mints."
        }
        NutzapRefusal::NoLocks => {
            "The mint that both use does not say that it keeps coins locked and proves its signatures (NUT-11, NUT-12)."
        }
        NutzapRefusal::TooLittle => {
            "This wallet does not hold enough at a mint that the recipient takes nutzaps from."
        }
    };
    Error::new(Code::RecipientRefuses, message).next(ELSE)
}
