//! Errors for zaps that are not made.

use crate::api::code::Code;
use crate::api::error::Error;
use crate::wallet::core::failure::{NutzapRefusal, ZapRefusal};

/// The next step where no nutzap can be sent.
const ELSE: &str = "Call zap again with via auto or lightning.";

pub(super) fn explain(refusal: ZapRefusal) -> Error {
    let unknown = |message: &str| Error::new(Code::RecipientUnknown, message);
    match refusal {
        ZapRefusal::NostrOff => {
            Error::new(Code::NostrOff, "Zaps need Nostr, and no relays are set.")
        }
        ZapRefusal::EventChanged => Error::new(
            Code::KeyConflict,
            "The event was changed after the first call with this key; this call sent nothing.",
        )
        .next("Check the first call with get_payment; zap the new version with a new key only if the user wants that."),
        ZapRefusal::TooManyShares => {
            Error::new(Code::PayeeUnsupported, "The event splits its zaps among too many recipients.")
                .with("kind", "splits")
        }
        ZapRefusal::EventUnknown => unknown("None of the relays asked has that event."),
        ZapRefusal::NameUnknown => unknown("The name's server does not know that name."),
        ZapRefusal::NoWay => unknown(
            "The recipient has published no Lightning address and accepts no nutzaps from this wallet's mints.",
        )
        .next("Ask the user for another way to pay this person, such as a Lightning address or an invoice."),
        ZapRefusal::TwoEvents => {
            Error::invalid("event", "to is already an event; leave event out.")
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
                "None of the recipient's own relays answered, so their nutzap key may be out of date. Nothing was paid.",
            )
            .next(ELSE);
        }
        NutzapRefusal::TakesNone => "The recipient does not advertise nutzap support.",
        NutzapRefusal::NoKey => "The recipient has published no separate key for nutzaps.",
        NutzapRefusal::OtherMints => {
            "The recipient accepts nutzaps from none of this wallet's mints."
        }
        NutzapRefusal::NoLocks => {
            "The shared mint does not advertise locked coins and proofs of its signatures (NUT-11, NUT-12)."
        }
        NutzapRefusal::TooLittle => {
            "This wallet does not hold enough at a mint that the recipient accepts nutzaps from."
        }
    };
    Error::new(Code::RecipientRefuses, message).next(ELSE)
}
