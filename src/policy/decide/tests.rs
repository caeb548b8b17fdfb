use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::history_line::EntryState;
use crate::model::id::PaymentId;
use crate::model::ledger::Lookalike;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::policy::{AgentPolicy, Limits, SomeLimits};

const NOW: u64 = 1_000_000;

fn policy() -> Policy {
    let limits = Limits {
        per_payment_sats: 1_000,
        per_day_sats: 5_000,
        max_fee_hundredths: 200,
        max_fee_floor_sats: 5,
    };
    let own = SomeLimits { per_payment_sats: Some(10), ..SomeLimits::default() };
    let small = AgentPolicy { tools: Some(["get_balance".to_owned()].into()), limits: own };
    Policy {
        limits,
        paused: false,
        agents: BTreeMap::from([("small".to_owned(), small)]),
        mints: Vec::new(),
    }
}

fn ask(amount_sats: u64, fee_ceiling_sats: u64) -> Ask<'static> {
    Ask {
        agent: "a",
        amount_sats,
        fee_ceiling_sats,
        input_fee_sats: 0,
        caller_max_fee_sats: None,
        repeat_of: None,
        invoice: true,
    }
}

fn spent(sats: u64) -> Ledger {
    Ledger {
        all: Day { spent_sats: sats, frees: vec![(NOW + 60, sats)], ..Day::default() },
        ..Ledger::default()
    }
}

fn code(result: &Result<(), Denial>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(Denial::Paused) => "paused",
        Err(Denial::OverPaymentLimit { .. }) => "payment",
        Err(Denial::OverBudget { .. }) => "budget",
        Err(Denial::FeeTooHigh { .. }) => "fee",
        Err(Denial::PossibleDuplicate { .. }) => "duplicate",
    }
}

#[test]
fn each_limit_holds_at_its_edge() {
    let rows = [
        (1_000, 20, 0, "ok"),
        (1_001, 0, 0, "payment"),
        (u64::MAX, u64::MAX, u64::MAX, "payment"),
        (1_000, 21, 0, "fee"),
        (1, 5, 0, "ok"),
        (1, 6, 0, "fee"),
        (1_000, 20, 3_980, "ok"),
        (1_000, 20, 3_981, "budget"),
        (1_000, 0, 4_001, "budget"),
        (1, 0, u64::MAX, "budget"),
    ];
    for (amount, fee, used, expected) in rows {
        let result = policy().decide(&ask(amount, fee), &spent(used), NOW);
        assert_eq!(code(&result), expected, "{amount} + {fee} after {used}");
    }
}

#[test]
fn zero_allows_nothing() {
    let mut none = policy();
    none.limits.per_payment_sats = 0;
    assert_eq!(code(&none.decide(&ask(0, 0), &Ledger::default(), NOW)), "payment");
    let mut none = policy();
    none.limits.per_day_sats = 0;
    assert_eq!(code(&none.decide(&ask(0, 0), &Ledger::default(), NOW)), "budget");
}

#[test]
fn a_pause_stops_everything() {
    let paused = Policy { paused: true, ..policy() };
    assert_eq!(paused.precheck(&ask(1, 0), &Ledger::default(), NOW), Err(Denial::Paused));
    assert_eq!(paused.decide(&ask(1, 0), &Ledger::default(), NOW), Err(Denial::Paused));
    assert_eq!(paused.largest_payment("a", &Ledger::default(), 1_000, 0), 0);
}

#[test]
fn the_lower_fee_ceiling_counts() {
    let result = policy().decide(
        &Ask { caller_max_fee_sats: Some(3), ..ask(1_000, 4) },
        &Ledger::default(),
        NOW,
    );
    assert_eq!(result, Err(Denial::FeeTooHigh { limit_sats: 3, asked_sats: 4 }));
    let result = policy().decide(
        &Ask { caller_max_fee_sats: Some(900), ..ask(1_000, 21) },
        &Ledger::default(),
        NOW,
    );
    assert_eq!(result, Err(Denial::FeeTooHigh { limit_sats: 20, asked_sats: 21 }));
}

#[test]
fn waiting_is_offered_only_where_it_helps() {
    let mut held = spent(4_500);
    let asked = policy().decide(&ask(600, 0), &held, NOW);
    let denial = Denial::OverBudget {
        limit_sats: 5_000,
        asked_sats: 600,
        left_sats: 500,
        retry_after_seconds: Some(60),
    };
    assert_eq!(asked, Err(denial));
    held.all.reserved_sats = 4_900;
    let asked = policy().decide(&ask(600, 0), &held, NOW);
    assert!(matches!(
        asked,
        Err(Denial::OverBudget { retry_after_seconds: None, left_sats: 0, .. })
    ));
}

#[test]
fn an_agents_own_rules_hold_for_it_alone() {
    let small = Ask { agent: "small", ..ask(11, 0) };
    assert_eq!(code(&policy().decide(&small, &Ledger::default(), NOW)), "payment");
    assert_eq!(code(&policy().decide(&ask(11, 0), &Ledger::default(), NOW)), "ok");
    assert_eq!(policy().agent("small").tools, Some(["get_balance".to_owned()].into()));
    assert_eq!(policy().agent("a").tools, None);
}

#[test]
fn an_agents_own_day_counts_what_it_spent_itself_and_the_wallets_counts_all() {
    let mut policy = policy();
    policy.agents.insert(
        "a".to_owned(),
        AgentPolicy {
            tools: None,
            limits: SomeLimits { per_day_sats: Some(150), ..SomeLimits::default() },
        },
    );
    let others = spent(4_800);
    assert_eq!(
        (code(&policy.decide(&ask(100, 0), &others, NOW)), policy.left_today("a", &others)),
        ("ok", 150)
    );
    let both = Ledger {
        own: Day { spent_sats: 100, frees: vec![(NOW + 9, 100)], ..Day::default() },
        ..others
    };
    let denied = Denial::OverBudget {
        limit_sats: 150,
        asked_sats: 51,
        left_sats: 50,
        retry_after_seconds: Some(9),
    };
    assert_eq!(
        (policy.decide(&ask(51, 0), &both, NOW), policy.left_today("a", &both)),
        (Err(denied), 50)
    );
    assert_eq!(
        code(&policy.decide(&Ask { agent: "b", ..ask(201, 0) }, &both, NOW)),
        "budget",
        "of the wallet's day 200 are left"
    );
    let full = Ledger { full_until: Some(NOW + 5), ..Ledger::default() };
    let denied = Denial::OverBudget {
        limit_sats: 5_000,
        asked_sats: 1,
        left_sats: 0,
        retry_after_seconds: Some(5),
    };
    assert_eq!(
        (policy.decide(&ask(1, 0), &full, NOW), policy.left_today("a", &full)),
        (Err(denied), 0)
    );
}

#[test]
fn a_repeat_must_be_meant() {
    use EntryState::{Failed, Pending, Returned, Settled};
    let (old, new) = (PaymentId::random(), PaymentId::random());
    let row = |id: &PaymentId, state, age_seconds, outcome_undelivered| Lookalike {
        id: id.clone(),
        state,
        age_seconds,
        outcome_undelivered,
    };
    let token = Ask { invoice: false, ..ask(10, 0) };
    let table = [
        (vec![row(&new, Settled, 600, false)], token, "duplicate"),
        (vec![row(&new, Pending, 0, false)], token, "duplicate"),
        (vec![row(&new, Settled, 601, false)], token, "ok"),
        (vec![row(&new, Failed, 1, false)], token, "ok"),
        (vec![row(&new, Returned, 1, true)], token, "ok"),
        (vec![row(&new, Settled, 1, false)], Ask { repeat_of: Some(&new), ..token }, "ok"),
        (
            vec![row(&new, Settled, 1, false), row(&old, Settled, 9, false)],
            Ask { repeat_of: Some(&old), ..token },
            "duplicate",
        ),
        (vec![row(&new, Settled, 1, false)], ask(10, 0), "ok"),
        (vec![row(&new, Pending, 90_000, true)], ask(10, 0), "duplicate"),
        (
            vec![row(&new, Settled, 90_000, true)],
            Ask { repeat_of: Some(&new), ..token },
            "duplicate",
        ),
        (vec![row(&new, Failed, 1, true)], ask(10, 0), "ok"),
    ];
    for (at, (lookalikes, ask, expected)) in table.into_iter().enumerate() {
        let ledger = Ledger { lookalikes, ..Ledger::default() };
        assert_eq!(code(&policy().decide(&ask, &ledger, NOW)), expected, "row {at}");
        assert_eq!(code(&policy().precheck(&ask, &ledger, NOW)), expected, "row {at}");
    }
}

/// A random step: (action, amount, fee ceiling, index of a payment, seconds that pass).
type Step = (u8, u64, u64, usize, u64);

fn payment(amount_sats: u64, reserved_sats: u64) -> Payment {
    Payment {
        id: PaymentId::random(),
        agent: "a".into(),
        kind: PaymentKind::Token,
        key: None,
        request_digest: String::new(),
        payee: String::new(),
        shown_payee: None,
        note: None,
        note_is_untrusted: false,
        mint: "https://mint.example".parse().unwrap(),
        money: crate::model::mint::MoneyKind::Play,
        amount_sats,
        reserved_sats,
        created_at: NOW,
        attempt: 1,
        repeat_of: None,
        outcome_undelivered: false,
        state: PaymentState::Reserved,
    }
}

proptest! {
    #[test]
    fn no_sequence_passes_the_days_limit(steps in prop::collection::vec((0u8..4, 0u64..1_200, 0u64..30, any::<usize>(), 0u64..20_000), 1..120)) {
        let (policy, mut now, mut payments) = (policy(), NOW, Vec::<Payment>::new());
        for (what, amount, fee, which, pass) in steps.into_iter().map(|step: Step| step) {
            now += pass;
            let fold = |payments: &[Payment], now| {
                let mut ledger = Ledger::default();
                for (one, left) in payments.iter().filter_map(|one| Some((one, one.outflow()?))) {
                    if one.is_open() { ledger.hold(left.1, one.agent == "a") } else { ledger.spend(left, one.agent == "a", None, now) }
                }
                ledger
            };
            if what < 2 {
                let ledger = fold(&payments, now);
                let input_fee_sats = fee.min(5);
                let sure = policy.largest_payment("a", &ledger, u64::MAX, input_fee_sats);
                let most = Ask { input_fee_sats, ..ask(sure, policy.max_fee_sats(sure) + input_fee_sats) };
                prop_assert!(sure == 0 || policy.decide(&most, &ledger, now).is_ok());
                if policy.decide(&ask(amount, fee), &ledger, now).is_ok() {
                    payments.push(payment(amount, amount + fee));
                }
            } else if !payments.is_empty() {
                let at = which % payments.len();
                if let Some(one) = payments.get_mut(at).filter(|one| one.is_open()) {
                    let fee_sats = (one.reserved_sats - one.amount_sats) / 2;
                    one.state = PaymentState::Settled { at: now, fee_sats, preimage: None, claimed: false };
                }
            }
            prop_assert!(fold(&payments, now).all.used_sats() <= policy.limits.per_day_sats);
        }
    }

    #[test]
    fn the_largest_payment_is_the_largest(used in 0u64..6_000, spendable in 0u64..6_000) {
        let (policy, ledger) = (policy(), spent(used));
        let room = 5_000u64.saturating_sub(used).min(spendable);
        let slow = (0..=1_000).rev().find(|amount| *amount == 0 || amount + policy.max_fee_sats(*amount) <= room);
        prop_assert_eq!(Some(policy.largest_payment("a", &ledger, spendable, 0)), slow);
    }
}
