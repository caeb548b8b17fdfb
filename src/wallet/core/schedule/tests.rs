use super::*;

fn mint() -> MintAddress {
    "https://mint.example".parse().unwrap()
}

fn operation(urgency: Urgency, name: &str) -> OpenOperation {
    OpenOperation {
        name: name.to_owned(),
        id: Uuid::new_v4(),
        mint: mint(),
        urgency,
        first: FIRST_STEP,
    }
}

fn with_tokens(count: usize, coins: usize) -> Schedule {
    let mut rounds = Schedule::default();
    for number in 0..count {
        rounds.tokens.insert(
            format!("pay_{number}"),
            Turn::new(mint(), FIRST_TOKEN_STEP, Urgency::Rest, coins),
        );
    }
    rounds
}

fn tokens(pick: Option<Pick>) -> usize {
    match pick {
        Some(Pick::Tokens(tokens)) => tokens.len(),
        other => panic!("{other:?} instead of tokens"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_hurried_comes_before_the_tokens_that_are_left() {
    let mut rounds = with_tokens(250, 1);
    rounds.know_operations(
        vec![operation(Urgency::Swap, "swap"), operation(Urgency::Payment, "pay")],
        &[],
    );
    let (swap, pay) = (rounds.operations["swap"].of, rounds.operations["pay"].of);
    assert!(rounds.begin().is_empty(), "nothing is due yet");
    tokio::time::advance(FIRST_STEP).await;
    assert_eq!(
        (rounds.begin().len(), rounds.begin().len()),
        (1, 0),
        "one mint, and not twice at once"
    );
    assert_eq!(rounds.pick(&mint()), Some(Pick::Operation(pay)));
    assert_eq!(rounds.pick(&mint()), Some(Pick::Operation(swap)));
    assert_eq!(rounds.pick(&mint()), None, "tokens are asked about later");
    rounds.end(&mint());

    tokio::time::advance(FIRST_TOKEN_STEP).await;
    assert_eq!(rounds.begin().len(), 1);
    assert_eq!(
        (rounds.pick(&mint()), rounds.pick(&mint())),
        (Some(Pick::Operation(pay)), Some(Pick::Operation(swap)))
    );
    assert_eq!(tokens(rounds.pick(&mint())), 100);
    rounds.hurry("pay");
    assert_eq!(rounds.pick(&mint()), Some(Pick::Operation(pay)));
    assert_eq!((tokens(rounds.pick(&mint())), tokens(rounds.pick(&mint()))), (100, 50));
    assert_eq!(rounds.pick(&mint()), None);
    rounds.end(&mint());
    assert_eq!(rounds.next(), Some(FIRST_STEP.mul_f64(1.5)), "the payment is the next");
}

#[test]
fn a_swap_that_cannot_have_been_made_keeps_no_process_running() {
    let mut rounds = Schedule::default();
    rounds.know_operations(vec![operation(Urgency::Rest, "buried")], &[]);
    assert!(!rounds.has_open(0));
    rounds.know_operations(
        vec![operation(Urgency::Rest, "buried"), operation(Urgency::Swap, "swap")],
        &[],
    );
    assert!(rounds.has_open(0));
}

#[tokio::test(start_paused = true)]
async fn a_question_takes_whole_tokens_and_at_least_one() {
    let mut rounds = with_tokens(5, 40);
    rounds.tokens.insert("large".to_owned(), Turn::new(mint(), Duration::ZERO, Urgency::Rest, 300));
    tokio::time::advance(FIRST_TOKEN_STEP).await;
    rounds.begin();
    let taken: Vec<_> =
        std::iter::from_fn(|| rounds.pick(&mint())).map(|pick| tokens(Some(pick))).collect();
    assert_eq!(taken, [1, 2, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_mint_that_does_not_answer_is_left_alone_longer_each_time_until_somebody_waits() {
    let mut rounds = Schedule::default();
    rounds.know_operations(
        (0..50).map(|number| operation(Urgency::Payment, &format!("pay_{number}"))).collect(),
        &[],
    );
    tokio::time::advance(FIRST_STEP).await;
    let mut left_alone = Vec::new();
    for _ in 0..12 {
        assert_eq!(rounds.begin().len(), 1);
        assert!(rounds.pick(&mint()).is_some());
        rounds.falls_silent(&mint());
        rounds.end(&mint());
        let next = rounds.next().unwrap();
        assert!(rounds.begin().is_empty(), "the rest is due, and waits");
        tokio::time::advance(next).await;
        left_alone.push(next.as_secs());
    }
    assert_eq!(left_alone, [2, 3, 4, 6, 10, 15, 22, 34, 51, 60, 60, 60]);
    rounds.falls_silent(&mint());
    assert!(rounds.begin().is_empty());
    rounds.hurry("pay_7");
    assert_eq!(rounds.begin().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_invoices_than_can_be_asked_about_and_tokens_take_turns_and_a_paid_one_comes_first() {
    let (mut rounds, paid) = (with_tokens(150, 1), DepositId::random());
    rounds.deposits.insert(paid.to_string(), Turn::new(mint(), FIRST_TOKEN_STEP, Urgency::Rest, 7));
    for id in (0..1_000).map(|number| format!("dep_{number}")) {
        rounds.deposits.insert(id, Turn::new(mint(), FIRST_STEP, Urgency::Rest, 7));
    }
    tokio::time::advance(FIRST_TOKEN_STEP).await;
    rounds.begin();
    let is_deposit = |pick: Option<Pick>| matches!(pick, Some(Pick::Deposit(_)));
    let picks: Vec<bool> = (0..5).map(|_| is_deposit(rounds.pick(&mint()))).collect();
    assert_eq!(picks, [true, false, true, false, true]);
    assert!(rounds.has_open(6) && !rounds.has_open(7), "until the invoices expire");
    rounds.is_paid(&paid);
    assert_eq!(rounds.pick(&mint()), Some(Pick::Deposit(paid.to_string())));
    assert!(rounds.has_open(7), "one is paid");
}
