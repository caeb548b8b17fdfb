use super::*;
use crate::policy::{Limits, SomeLimits};

fn mint(url: &str, test: bool, max_balance_sats: Option<u64>) -> TrustedMint {
    let address = url.parse().unwrap();
    TrustedMint { address, test, max_balance_sats }
}

fn policy() -> Policy {
    let limits = Limits {
        per_payment_sats: 1_000,
        per_day_sats: 5_000,
        max_fee_hundredths: 200,
        max_fee_floor_sats: 5,
    };
    let own = SomeLimits { per_day_sats: Some(100), ..SomeLimits::default() };
    let bot = AgentPolicy { tools: Some(["pay".to_owned()].into()), limits: own };
    let mints =
        vec![mint("https://a.example", true, None), mint("https://b.example", false, Some(50))];
    Policy { limits, paused: false, agents: [("bot".to_owned(), bot)].into(), mints }
}

type Edit = (&'static str, fn(&mut Policy), bool);

/// Manual edits of a policy: name, edit, and `true` if it loosens the policy.
const EDITS: &[Edit] = &[
    ("nothing", |_| (), false),
    ("payment up", |p| p.limits.per_payment_sats = 1_001, true),
    ("payment down", |p| p.limits.per_payment_sats = 999, false),
    ("day up", |p| p.limits.per_day_sats = 5_001, true),
    ("day down", |p| p.limits.per_day_sats = 0, false),
    ("fee up", |p| p.limits.max_fee_hundredths = 201, true),
    ("floor up", |p| p.limits.max_fee_floor_sats = 6, true),
    (
        "one up, one down",
        |p| p.limits = Limits { per_payment_sats: 1, per_day_sats: 9_999, ..p.limits },
        true,
    ),
    ("pause", |p| p.paused = true, false),
    ("mint added", |p| p.mints.push(mint("https://c.example", true, None)), true),
    ("mint removed", |p| drop(p.mints.pop()), false),
    ("mints in another order", |p| p.mints.reverse(), false),
    ("cap up", |p| p.mints = vec![mint("https://b.example", false, Some(51))], true),
    ("cap off", |p| p.mints = vec![mint("https://b.example", false, None)], true),
    ("cap on", |p| p.mints = vec![mint("https://a.example", true, Some(1))], false),
    ("test mint called real", |p| p.mints = vec![mint("https://a.example", false, Some(1))], true),
    (
        "tool added",
        |p| {
            p.agents
                .values_mut()
                .for_each(|a| a.tools = Some(["pay".to_owned(), "zap".to_owned()].into()))
        },
        true,
    ),
    ("all tools", |p| p.agents.values_mut().for_each(|a| a.tools = None), true),
    ("no tools", |p| p.agents.values_mut().for_each(|a| a.tools = Some(BTreeSet::new())), false),
    (
        "agent's limit off",
        |p| p.agents.values_mut().for_each(|a| a.limits = SomeLimits::default()),
        true,
    ),
    ("agent forgotten", |p| p.agents.clear(), true),
    (
        "agent named as it was by default",
        |p| drop(p.agents.insert("new".into(), AgentPolicy::default())),
        false,
    ),
    (
        "default narrowed",
        |p| {
            drop(p.agents.insert(
                "default".into(),
                AgentPolicy { tools: Some(BTreeSet::new()), ..AgentPolicy::default() },
            ))
        },
        false,
    ),
];

#[test]
fn what_tightens_is_followed_at_once_and_what_loosens_is_not() {
    for (name, edit, loosens) in EDITS {
        let (old, mut new) = (policy(), policy());
        edit(&mut new);
        assert_eq!(old.loosens(&new), *loosens, "{name}");
        let followed = old.followed_by(&new, None);
        assert!(followed.fingerprint() != new.fingerprint() || !loosens, "{name}: followed whole");
        assert!(
            !old.loosens(&followed) && !new.loosens(&followed),
            "{name}: looser than one of the two"
        );
        assert_eq!(
            old.followed_by(&new, Some(&new.fingerprint())),
            new,
            "{name}: accepted by a person"
        );
        assert_eq!(
            old.followed_by(&new, Some("another fingerprint")),
            followed,
            "{name}: another one accepted"
        );
    }
}

#[test]
fn undoing_what_tightens_loosens() {
    let mut paused = policy();
    paused.paused = true;
    assert!(paused.loosens(&policy()));
    assert!(paused.followed_by(&policy(), None).paused);
}

#[test]
fn equal_policies_have_one_fingerprint() {
    let (mut same, mut other) = (policy(), policy());
    same.mints.reverse();
    other.limits.max_fee_hundredths = 201;
    assert_eq!(policy().fingerprint(), same.fingerprint());
    assert_ne!(policy().fingerprint(), other.fingerprint());
    assert_eq!(policy().fingerprint().len(), 64);
}

#[test]
fn a_change_is_told_value_by_value() {
    let mut new = policy();
    new.limits.per_day_sats = 7_000;
    new.mints =
        vec![mint("https://b.example", false, Some(50)), mint("https://c.example", false, Some(9))];
    let told = policy().describe_change(&new);
    let expected = [
        "limits.per_day_sats: 5000 -> 7000",
        "mint https://a.example: removed",
        "mint https://c.example: added, real money, at most 9 sats",
    ];
    assert_eq!(told, expected);
    assert_eq!(describe_lines(&policy().canonical(), &new.canonical()), expected);
    assert!(policy().describe_change(&policy()).is_empty());
}
