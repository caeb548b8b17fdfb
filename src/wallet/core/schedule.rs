//! Schedule of queries to mints about open items: the most urgent first, often in the beginning,
//! then at growing intervals. Sends nothing.
//!
//! Kept in memory and brought in line with the store; a reopened wallet starts with a new schedule.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::mint::info::STATES_AT_ONCE;
use crate::model::id::DepositId;
use crate::model::mint::MintAddress;
use crate::store::Unfinished;
use crate::wallet::core::due::{FIRST_STEP, FIRST_TOKEN_STEP, Turn, Urgency, most_urgent};

/// Maximum pause before a mint that did not answer is queried again.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// The next query to a mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// An operation of the journal.
    Operation(Uuid),
    /// A deposit, by id.
    Deposit(String),
    /// Tokens, by payment id; as many as fit into one query.
    Tokens(Vec<String>),
}

/// An open operation.
#[derive(Debug)]
pub(crate) struct OpenOperation {
    /// The name that a waiting caller uses to speed it up.
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) mint: MintAddress,
    pub(crate) urgency: Urgency,
    /// Delay before the first query.
    pub(crate) first: Duration,
}

/// Turns of all open items, mints being queried, and mints that did not answer.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    operations: HashMap<String, Turn<Uuid>>,
    /// Each turn contains the expiry of its invoice, in Unix seconds.
    deposits: HashMap<String, Turn<u64>>,
    /// Each turn contains its number of proofs.
    tokens: HashMap<String, Turn<usize>>,
    /// Names that a caller waits for before the operation is known here.
    hurried: HashSet<String>,
    /// Mints being queried. `true` if the last query was about an unpaid deposit; tokens are next.
    asked: BTreeMap<MintAddress, bool>,
    /// Mints that did not answer, with the time of the next query and the current pause.
    silent: HashMap<MintAddress, (Instant, Duration)>,
    /// The store's commit count when deposits and tokens were last read.
    commits: Option<u64>,
}

impl Schedule {
    /// Returns whether the store has commits since deposits and tokens were last read.
    pub(crate) fn is_behind(&self, commits: u64) -> bool {
        self.commits != Some(commits)
    }

    /// Returns whether no deposit or token with this id is known.
    pub(crate) fn is_new(&self, id: &str) -> bool {
        !self.deposits.contains_key(id) && !self.tokens.contains_key(id)
    }

    /// Updates deposits and tokens from the store, as of `commits`. `now` is in Unix seconds.
    pub(crate) fn know(&mut self, open: Unfinished, commits: u64, now: u64) {
        let (deposits, tokens): (HashSet<_>, HashSet<_>) =
            (open.deposits.into_iter().collect(), open.tokens.into_iter().collect());
        self.deposits.retain(|id, _| deposits.contains(id));
        self.tokens.retain(|id, _| tokens.contains(id));
        for deposit in open.new_deposits {
            let id = deposit.id.to_string();
            self.deposits.entry(id).or_insert(Turn::of_deposit(deposit));
        }
        for (payment, row) in open.new_tokens {
            let id = payment.id.to_string();
            self.tokens.entry(id).or_insert(Turn::of_token(payment, &row, now));
        }
        self.commits = Some(commits);
    }

    /// Updates operations from the journal. `claims` are the deposits being issued.
    pub(crate) fn know_operations(&mut self, open: Vec<OpenOperation>, claims: &[DepositId]) {
        let names: HashSet<&str> = open.iter().map(|one| one.name.as_str()).collect();
        self.operations.retain(|name, _| names.contains(name.as_str()));
        for OpenOperation { name, id, mint, urgency, first } in open {
            let hurried = self.hurried.remove(&name);
            let turn =
                self.operations.entry(name).or_insert_with(|| Turn::new(mint, first, urgency, id));
            (turn.of, turn.urgency) = (id, urgency);
            if hurried {
                turn.hurry();
            }
        }
        self.hurried.clear();
        for deposit in claims {
            self.is_paid(deposit);
        }
    }

    /// Marks a deposit as paid, unless it is disputed.
    pub(crate) fn is_paid(&mut self, deposit: &DepositId) {
        if let Some(turn) =
            self.deposits.get_mut(deposit.as_str()).filter(|turn| turn.urgency != Urgency::Disputed)
        {
            turn.urgency = Urgency::Claim;
        }
    }

    /// Sets or clears a deposit's dispute.
    pub(crate) fn is_disputed(&mut self, deposit: &DepositId, it_is: bool) {
        if let Some(turn) = self.deposits.get_mut(deposit.as_str()) {
            turn.urgency = if it_is { Urgency::Disputed } else { Urgency::Rest };
        }
    }

    /// Returns whether something is under way, or an invoice can still be paid at `now` (Unix
    /// seconds). Disputed swaps do not count, although their mints are still asked: otherwise a
    /// stranger who sends a spent token would keep this process running for a week.
    pub(crate) fn has_open(&self, now: u64) -> bool {
        let is_open = |turn: &Turn<u64>| {
            turn.urgency == Urgency::Claim || turn.urgency == Urgency::Rest && turn.of > now
        };
        self.operations.values().any(|turn| turn.urgency < Urgency::Rest)
            || self.deposits.values().any(is_open)
    }

    /// Makes an item due now and frequent from now on, and ends its mint's pause.
    pub(crate) fn hurry(&mut self, name: &str) {
        match self.operations.get_mut(name) {
            Some(turn) => {
                turn.hurry();
                self.silent.remove(&turn.mint);
            }
            None => drop(self.hurried.insert(name.to_owned())),
        }
    }

    /// Returns the mints to query now and marks them as being queried.
    pub(crate) fn begin(&mut self) -> BTreeSet<MintAddress> {
        let now = Instant::now();
        let free = |mint: &MintAddress| {
            !self.asked.contains_key(mint)
                && self.silent.get(mint).is_none_or(|(until, _)| *until <= now)
        };
        let due: BTreeSet<_> = self
            .turns()
            .filter(|(mint, when)| *when <= now && free(mint))
            .map(|(mint, _)| mint.clone())
            .collect();
        self.asked.extend(due.iter().map(|mint| (mint.clone(), false)));
        due
    }

    /// Picks the most urgent due item at a mint being queried; unpaid deposits and tokens
    /// alternate. `None`: nothing is due.
    pub(crate) fn pick(&mut self, mint: &MintAddress) -> Option<Pick> {
        let now = Instant::now();
        let (operation, deposit) =
            (most_urgent(&self.operations, mint, now), most_urgent(&self.deposits, mint, now));
        let token = most_urgent(&self.tokens, mint, now);
        let last_was_deposit = self.asked.get_mut(mint)?;
        let deposit = deposit.filter(|((urgency, _), _)| {
            *urgency < Urgency::Rest || token.is_none() || !*last_was_deposit
        });
        let token = token.filter(|_| deposit.is_none() || *last_was_deposit);
        let first =
            [&operation, &deposit, &token].into_iter().flatten().map(|(place, _)| *place).min()?;
        if let Some(turn) = operation
            .filter(|(place, _)| *place == first)
            .and_then(|(_, name)| self.operations.get_mut(&name))
        {
            turn.take(now, FIRST_STEP);
            return Some(Pick::Operation(turn.of));
        }
        if let Some((_, id)) = deposit.filter(|(place, _)| *place == first) {
            *last_was_deposit = true;
            self.deposits.get_mut(&id)?.take(now, FIRST_STEP);
            return Some(Pick::Deposit(id));
        }
        *last_was_deposit = false;
        Some(Pick::Tokens(self.take_tokens(mint, now)))
    }

    /// Takes tokens for one query: the earliest first, including those past half of their interval.
    fn take_tokens(&mut self, mint: &MintAddress, now: Instant) -> Vec<String> {
        let soon = self
            .tokens
            .iter_mut()
            .filter(|(_, turn)| turn.mint == *mint && turn.when <= now + turn.step / 2);
        let mut soon: Vec<_> = soon.collect();
        soon.sort_by_key(|(_, turn)| turn.when);
        let (mut taken, mut coins) = (Vec::new(), 0_usize);
        for (id, turn) in soon {
            coins = coins.saturating_add(turn.of);
            if coins > STATES_AT_ONCE && !taken.is_empty() {
                break;
            }
            turn.take(now, FIRST_TOKEN_STEP);
            taken.push(id.clone());
        }
        taken
    }

    /// Returns the time until something is due. Mints being queried are left out: their answer
    /// wakes the loop.
    pub(crate) fn next(&self) -> Option<Duration> {
        let turns = self.turns().filter(|(mint, _)| !self.asked.contains_key(*mint));
        let when = turns
            .map(|(mint, when)| self.silent.get(mint).map_or(when, |(until, _)| when.max(*until)));
        Some(when.min()?.saturating_duration_since(Instant::now()))
    }

    /// Pauses a mint that did not answer, longer each time.
    pub(crate) fn falls_silent(&mut self, mint: &MintAddress) {
        let before = self.silent.get(mint).map(|(_, step)| step.mul_f64(1.5));
        let step = before.unwrap_or(FIRST_STEP).min(LONGEST_SILENCE);
        self.silent.insert(mint.clone(), (Instant::now() + step, step));
    }

    /// Ends the pause of a mint that answered.
    pub(crate) fn answers(&mut self, mint: &MintAddress) {
        self.silent.remove(mint);
    }

    /// Marks a mint as no longer being queried.
    pub(crate) fn end(&mut self, mint: &MintAddress) {
        self.asked.remove(mint);
    }

    fn turns(&self) -> impl Iterator<Item = (&MintAddress, Instant)> {
        let operations = self.operations.values().map(|turn| (&turn.mint, turn.when));
        let deposits = self.deposits.values().map(|turn| (&turn.mint, turn.when));
        operations.chain(deposits).chain(self.tokens.values().map(|turn| (&turn.mint, turn.when)))
    }
}

#[cfg(test)]
mod tests;
