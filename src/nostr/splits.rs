//! Zap splits (NIP-57, appendix G): the recipients of a zap of an event.
//!
//! Splits whole sats without a remainder. Never decides whether to pay.

use super::codec::x_only;
use super::event::Event;
use super::relay_list;

/// Maximum number of shares of one event.
pub const MAX_SHARES: usize = 50;

/// A weight of 1, in the internal unit of weights (a millionth).
const ONE: u128 = 1_000_000;

/// The largest weight that is read.
const MAX_WEIGHT: u128 = 1_000_000_000;

/// The amount for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZapSplit {
    /// The recipient's public key, 64 characters of lower-case hex.
    pub pubkey: String,
    /// The relay with the recipient's profile.
    pub relay: Option<String>,
    /// The amount in sats; never zero.
    pub sats: u64,
}

/// The error for an event with more than [`MAX_SHARES`] shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event splits its zaps among more than {MAX_SHARES} recipients")]
pub struct TooManyShares;

struct SplitShare {
    pubkey: String,
    relay: Option<String>,
    weight: Option<u128>,
}

/// Splits `sats` among the event's recipients; empty if there are none or all weights are zero.
/// Remaining sats go to the largest remainders, the earlier first. Shares of one recipient are
/// added up.
///
/// # Errors
/// [`TooManyShares`].
pub fn legs(event: &Event, sats: u64) -> Result<Vec<ZapSplit>, TooManyShares> {
    let shares: Vec<SplitShare> = event.tags_named("zap").filter_map(share).collect();
    if shares.len() > MAX_SHARES {
        return Err(TooManyShares);
    }
    let unweighted = shares.iter().all(|share| share.weight.is_none());
    let weight = |share: &SplitShare| if unweighted { ONE } else { share.weight.unwrap_or(0) };
    // 50 shares of at most 10^15 units fit: no sum, and no product with a u64, exceeds a u128.
    let total: u128 = shares.iter().map(weight).sum();
    if total == 0 {
        return Ok(Vec::new());
    }
    let mut parts: Vec<(u128, u128)> = shares
        .iter()
        .map(weight)
        .map(|weight| u128::from(sats) * weight)
        .map(|p| (p / total, p % total))
        .collect();
    let left = u128::from(sats).saturating_sub(parts.iter().map(|(whole, _)| whole).sum());
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(parts.get(*at).map_or(0, |(_, rest)| *rest)));
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        if let Some((whole, _)) = parts.get_mut(at) {
            *whole += 1;
        }
    }
    let mut legs: Vec<ZapSplit> = Vec::new();
    for (share, (whole, _)) in shares.into_iter().zip(parts) {
        let sats = u64::try_from(whole).unwrap_or(0);
        match legs.iter_mut().find(|leg| leg.pubkey == share.pubkey) {
            Some(leg) => leg.sats = leg.sats.saturating_add(sats),
            None => legs.push(ZapSplit { pubkey: share.pubkey, relay: share.relay, sats }),
        }
    }
    legs.retain(|leg| leg.sats > 0);
    Ok(legs)
}

/// Parses a `zap` tag with a public key. The older form with a Lightning address is skipped.
fn share(tag: &[String]) -> Option<SplitShare> {
    let pubkey = x_only(tag.get(1)?).filter(|_| tag.get(1).is_some_and(|key| key.len() == 64))?;
    let relay = tag.get(2).and_then(|relay| relay_list::address(relay));
    Some(SplitShare {
        pubkey,
        relay,
        weight: tag.get(3).filter(|text| !text.is_empty()).map(|text| weight(text).unwrap_or(0)),
    })
}

/// Parses a weight such as `2` or `0.25` into millionths.
fn weight(text: &str) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || part.len() > 20 || !digits(whole) || !digits(part) {
        return None;
    }
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let weight = whole.parse::<u128>().ok()?;
    (weight <= MAX_WEIGHT).then(|| weight * ONE + part.parse::<u128>().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::secret::Secret;
    use crate::nostr::identity::{Identity, UnsignedEvent};

    fn person(byte: u8) -> Identity {
        Identity::from_nsec(&Secret::new(format!("{byte:02x}").repeat(32))).unwrap()
    }

    fn split(weights: &[Option<&str>], sats: u64) -> Vec<(usize, u64)> {
        let people: Vec<String> =
            (1..=weights.len()).map(|n| person(u8::try_from(n).unwrap()).public_key()).collect();
        let tag = |(key, weight): (&String, &Option<&str>)| {
            let mut tag = vec!["zap".to_owned(), key.clone(), "wss://relay.example".to_owned()];
            tag.extend(weight.map(str::to_owned));
            tag
        };
        let tags = people.iter().zip(weights).map(tag).collect();
        let event = person(99)
            .sign(UnsignedEvent { kind: 1, created_at: 1, tags, content: String::new() })
            .unwrap();
        let legs = legs(&event, sats).unwrap();
        legs.into_iter()
            .map(|leg| (people.iter().position(|key| *key == leg.pubkey).unwrap(), leg.sats))
            .collect()
    }

    #[test]
    fn weights_share_to_the_last_sat() {
        assert_eq!(split(&[Some("1"), Some("1"), Some("2")], 100), [(0, 25), (1, 25), (2, 50)]);
        assert_eq!(split(&[Some("1"), Some("1"), Some("1")], 100), [(0, 34), (1, 33), (2, 33)]);
        assert_eq!(split(&[Some("0.5"), Some("0.25"), Some(".25")], 4), [(0, 3), (1, 1)]);
        assert_eq!(split(&[None, None], 5), [(0, 3), (1, 2)]);
        assert_eq!(split(&[Some("1"), None], 5), [(0, 5)]);
        assert_eq!(split(&[Some("0"), None], 5), []);
        assert_eq!(split(&[Some("-1"), Some("x"), Some("1e9"), Some("1")], 5), [(3, 5)]);
        assert_eq!(split(&[Some("1"), Some("1"), Some("1")], 1), [(0, 1)]);
        assert_eq!(split(&[], 5), []);
        assert_eq!(
            split(&[Some("1000000000.999999"), Some("1")], u64::MAX)
                .iter()
                .map(|leg| u128::from(leg.1))
                .sum::<u128>(),
            u128::from(u64::MAX)
        );
    }

    #[test]
    fn somebody_named_twice_is_paid_once_and_a_crowd_is_refused() {
        let key = person(1).public_key();
        let sign = |tags| {
            person(9)
                .sign(UnsignedEvent { kind: 1, created_at: 1, tags, content: String::new() })
                .unwrap()
        };
        let line = vec!["zap".to_owned(), key.clone()];
        let twice = legs(&sign(vec![line.clone(), line.clone()]), 7).unwrap();
        assert_eq!(twice, [ZapSplit { pubkey: key, relay: None, sats: 7 }]);
        assert_eq!(legs(&sign(vec![line; MAX_SHARES + 1]), 7), Err(TooManyShares));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made(weights in proptest::collection::vec("[0-9]{1,4}", 1..8), sats in 0_u64..1_000_000) {
            let weights: Vec<Option<&str>> = weights.iter().map(|weight| Some(weight.as_str())).collect();
            let any = weights.iter().any(|weight| weight.is_some_and(|weight| weight.bytes().any(|byte| byte != b'0')));
            let sum: u64 = split(&weights, sats).iter().map(|leg| leg.1).sum();
            prop_assert_eq!(sum, if any { sats } else { 0 });
        }
    }
}
