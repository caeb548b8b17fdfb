//! Nutzaps (NIP-61): proofs locked to the recipient's key, in a public event.
//!
//! Uses only a mint that both sides list, and only the key that the recipient published for
//! nutzaps, never their Nostr key.

use crate::mint::swap::P2pkLock;
use crate::model::mint::MintAddress;
use crate::model::payment::{PaymentKind, Rail, Zap};
use crate::nostr::nutzap;
use crate::nostr::relay_list::usable;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure, NutzapRefusal};
use crate::wallet::core::relays::{Link, plain_url};
use crate::wallet::execution::planned::{Draft, Execution, Planned};
use crate::wallet::nutzaps::outgoing::signer;
use crate::wallet::people::find::Person;
use crate::wallet::proofs::balances::spendable_at;
use crate::wallet::zap::{Leg, ZapIntent};

/// Sats a mint must hold beyond the amount, for the fee of making the proofs.
const FEE_ROOM: u64 = 2;

pub(super) async fn plan_nutzap(
    core: &Core,
    link: &Link,
    setup: &Setup,
    intent: &ZapIntent,
    draft: Draft,
    leg: &Leg,
    person: &Person,
) -> Result<Planned, Failure> {
    let refuses = |why: NutzapRefusal| Failure::new(Cause::Nutzap(why));
    if person.silent {
        return Err(refuses(NutzapRefusal::RelaysSilent));
    }
    let info = person.nutzaps.as_ref().ok_or_else(|| refuses(NutzapRefusal::TakesNone))?;
    let key = info.pubkey.as_ref().filter(|key| **key != person.pubkey);
    let key = key.ok_or_else(|| refuses(NutzapRefusal::NoKey))?;
    let mut best: Option<(u64, MintAddress, String)> = None;
    let (mut shared, mut open) = (false, false);
    for (listed, units) in &info.mints {
        let Ok(address) = listed.parse::<MintAddress>() else { continue };
        let in_sats = units.is_empty() || units.iter().any(|unit| unit == "sat");
        if !in_sats || setup.mint(&address).is_none() {
            continue;
        }
        shared = true;
        let held = spendable_at(core, &address).await?;
        let enough = held >= draft.amount_sats.saturating_add(FEE_ROOM);
        if enough && best.as_ref().is_none_or(|(most, ..)| held > *most) {
            // The event shows the proofs to everyone: only the lock keeps others from spending them
            // (NUT-11), and only the DLEQ proves to the recipient that they are valid (NUT-12).
            if !core.mints.at(&address)?.supports_nutzaps().await? {
                open = true;
                continue;
            }
            best = Some((held, address, listed.clone()));
        }
    }
    if !shared {
        return Err(refuses(NutzapRefusal::OtherMints));
    }
    let Some((_, address, listed)) = best else {
        let why = if open { NutzapRefusal::NoLocks } else { NutzapRefusal::TooLittle };
        return Err(refuses(why));
    };
    // Prefer the relays in the recipient's nutzap info (NIP-61), then their read relays, then ours,
    // where the info was found: some programs name no relay.
    let listed_relays = usable(&info.relays);
    let own = link.parts.urls.iter();
    let theirs: Vec<&String> = match (listed_relays.is_empty(), person.reads.is_empty()) {
        (false, _) => listed_relays.iter().collect(),
        (true, false) => person.reads.iter().collect(),
        (true, true) => own.collect(),
    };
    let relays: Vec<String> = theirs.into_iter().map(|url| plain_url(url)).collect();
    let signer = signer(link, intent.anonymous)?;
    let event = leg.event.as_ref().map(|event| event.event_id.as_str());
    let tags = nutzap::lock_tags(&signer.public_key(), event);
    let rail = Rail::Nutzap {
        mint_as_listed: listed,
        event: None,
        signer: intent.anonymous.then(|| signer.secret_hex()),
    };
    let kind = PaymentKind::Zap(Box::new(Zap { relays, ..leg.zap(intent, rail) }));
    let lock_to = Some(P2pkLock { key: format!("02{key}"), tags });
    Ok(Planned {
        draft,
        kind,
        mint: core.mints.at(&address)?,
        execution: Execution::Token { lock_to, memo: None },
        max_fee_sats: intent.max_fee_sats,
        pass: None,
    })
}
