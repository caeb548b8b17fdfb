//! What a run does, drawn from its seed before it begins.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use testbed::{Behaviour, Moment};

/// One thing to do. Numbers that choose among what is there are taken modulo how much is there.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Deposit {
        sats: u64,
    },
    /// A new invoice of the shop, and what becomes of its payment on the way.
    Pay {
        sats: u64,
        way: Behaviour,
        key: Option<u8>,
    },
    /// An invoice that was asked to be paid before.
    PayAgain {
        which: usize,
        key: Option<u8>,
    },
    /// An invoice of the wallet's own mint, for a friend.
    PayFriend {
        sats: u64,
    },
    Send {
        sats: u64,
        locked: bool,
        key: Option<u8>,
    },
    ReceiveOwn {
        which: usize,
    },
    /// The friend takes a token of ours in.
    FriendTakes {
        which: usize,
    },
    /// We take in a token of the friend's.
    ReceiveFriends {
        sats: u64,
    },
    ReceiveAgain {
        which: usize,
    },
    Reclaim {
        which: usize,
    },
    Look {
        which: usize,
    },
    Estimate {
        sats: u64,
    },
    Pause(bool),
    LowerLimit,
    Rotate {
        mint: usize,
        fee_ppk: u64,
    },
    /// The wallet's clock jumps, in seconds.
    Jump(i64),
    Reopen,
    /// The real program is killed at a moment of the nth request that follows, while it works on
    /// this.
    Kill {
        work: Box<Step>,
        nth: usize,
        at: Moment,
    },
    /// What was held back reaches the mints now.
    Deliver,
    /// Payments on their way arrive, or fail.
    Arrive(bool),
}

/// The next exchange of this kind fails so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) mint: usize,
    pub(super) route: (&'static str, &'static str),
    pub(super) at: Moment,
}

/// Steps that are done at once, under the faults that stand before them.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) faults: Vec<Fault>,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) per_day: u64,
    pub(super) groups: Vec<Group>,
    /// Payments still on their way at the end arrive.
    pub(super) arrive: bool,
}

const ROUTES: [(&str, &str); 9] = [
    ("POST", "/v1/melt/bolt11"),
    ("POST", "/v1/melt/bolt11"),
    ("POST", "/v1/swap"),
    ("POST", "/v1/swap"),
    ("POST", "/v1/mint/bolt11"),
    ("POST", "/v1/melt/quote"),
    ("GET", "/v1/melt/quote"),
    ("POST", "/v1/restore"),
    ("", "/v1/"),
];

impl Plan {
    pub(super) fn draw(seed: u64, steps: usize, only: Option<u64>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let per_day = if rng.random_bool(0.5) { rng.random_range(100..600) } else { 1_000_000 };
        let arrive = rng.random();
        let mut groups: Vec<Group> = (0..steps).map(|_| group(&mut rng)).collect();
        groups.truncate(only.map_or(steps, |only| usize::try_from(only).unwrap_or(steps)));
        Self { per_day, groups, arrive }
    }
}

fn group(rng: &mut StdRng) -> Group {
    let count = if rng.random_bool(0.35) { rng.random_range(2..6) } else { 1 };
    let faults = if rng.random_bool(0.45) { rng.random_range(1..3) } else { 0 };
    let faults = (0..faults).map(|_| fault(rng)).collect();
    let steps = if count == 1 { vec![step(rng)] } else { (0..count).map(|_| verb(rng)).collect() };
    Group { faults, steps }
}

fn fault(rng: &mut StdRng) -> Fault {
    Fault { mint: rng.random_range(0..2), route: *ROUTES.choose(rng).unwrap(), at: moment(rng) }
}

fn moment(rng: &mut StdRng) -> Moment {
    let moments = [
        Moment::BeforeRequest,
        Moment::AfterMint,
        Moment::AfterMint,
        Moment::Status(500),
        Moment::Status(429),
        Moment::Garbage,
        Moment::Truncate,
        Moment::HoldThenDeliver,
        Moment::HoldThenDeliver,
        Moment::Refuse(20_004),
    ];
    *moments.choose(rng).unwrap()
}

fn key(rng: &mut StdRng) -> Option<u8> {
    rng.random_bool(0.3).then(|| rng.random_range(0..12))
}

/// Something that several callers may ask for at once.
fn verb(rng: &mut StdRng) -> Step {
    let which = rng.random_range(0..1_000);
    match rng.random_range(0..20) {
        0..=1 => Step::Deposit { sats: rng.random_range(1..400) },
        2..=6 => {
            let ways = [
                Behaviour::Settle,
                Behaviour::Settle,
                Behaviour::Settle,
                Behaviour::Fail,
                Behaviour::Pending,
            ];
            Step::Pay {
                sats: rng.random_range(1..120),
                way: *ways.choose(rng).unwrap(),
                key: key(rng),
            }
        }
        7..=8 => Step::PayAgain { which, key: key(rng) },
        9 => Step::PayFriend { sats: rng.random_range(1..60) },
        10..=11 => Step::Send {
            sats: rng.random_range(1..100),
            locked: rng.random_bool(0.15),
            key: key(rng),
        },
        12 => Step::ReceiveOwn { which },
        13 => Step::FriendTakes { which },
        14 => Step::ReceiveFriends { sats: rng.random_range(1..60) },
        15 => Step::ReceiveAgain { which },
        16..=17 => Step::Reclaim { which },
        18 => Step::Look { which },
        _ => Step::Estimate { sats: rng.random_range(1..120) },
    }
}

fn step(rng: &mut StdRng) -> Step {
    match rng.random_range(0..40) {
        0 => Step::Pause(true),
        1..=4 => Step::Pause(false),
        5 => Step::LowerLimit,
        6 => Step::Rotate {
            mint: rng.random_range(0..2),
            fee_ppk: *[0, 100, 1_000].choose(rng).unwrap(),
        },
        7 => Step::Jump(*[120, 3_600, 90_000, 200_000].choose(rng).unwrap()),
        8 => Step::Jump(*[-120, -3_600, -100_000].choose(rng).unwrap()),
        9..=10 => Step::Reopen,
        11..=13 => {
            Step::Kill { work: Box::new(verb(rng)), nth: rng.random_range(1..4), at: moment(rng) }
        }
        14 => Step::Deliver,
        15..=16 => Step::Arrive(rng.random()),
        _ => verb(rng),
    }
}
