use std::cell::RefCell;
use std::fs;

use clap::Parser;

use super::*;
use crate::api::view::{OpenView, RelaysReport};
use crate::model::id::PaymentId;
use crate::model::keys::KeysPlace;
use crate::model::secret::Secret;
use crate::wallet::engine::recheck::Step;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[derive(Default)]
struct Person {
    absent: bool,
    shown: Vec<Vec<String>>,
}

impl Confirmation for Person {
    fn confirm(&mut self, lines: &[String]) -> Result<(), ConfirmError> {
        self.shown.push(lines.to_vec());
        if self.absent { Err(ConfirmError::Refused) } else { Ok(()) }
    }

    fn show(&mut self, lines: &[String]) -> Result<(), ConfirmError> {
        self.shown.push(lines.to_vec());
        Ok(())
    }
}

#[derive(Default)]
struct Book {
    history: RefCell<Vec<(String, bool)>>,
    excused: RefCell<Vec<PaymentId>>,
    given_up: RefCell<Vec<String>>,
    backed_up: RefCell<bool>,
}

impl OwnerBackend for Book {
    fn catch_up(&self) -> Result<(), String> {
        Ok(())
    }

    fn record(&self, text: &str, loosened: bool) -> Result<(), String> {
        self.history.borrow_mut().push((text.to_owned(), loosened));
        Ok(())
    }

    fn keys(&self) -> Result<Option<(KeysPlace, bool)>, String> {
        Ok(Some((KeysPlace::File, false)))
    }

    fn make_keys(&self, _: Option<&GivenKey>) -> Result<KeysPlace, String> {
        Ok(KeysPlace::File)
    }

    fn mint_lacks(&self, mint: &MintAddress) -> Option<Vec<u8>> {
        match mint.as_str() {
            "https://poor.example" => Some(vec![7, 8, 9]),
            "https://silent.example" => None,
            _ => Some(Vec::new()),
        }
    }

    fn try_relay(&self, url: &str) -> Vec<String> {
        if url.contains("poor") { vec!["It keeps no deletions.".to_owned()] } else { Vec::new() }
    }

    fn words(&self) -> Result<Secret, String> {
        Ok(Secret::new(
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
        ))
    }

    fn mark_backed_up(&self) -> Result<(), String> {
        *self.backed_up.borrow_mut() = true;
        Ok(())
    }

    fn restore(
        &self,
        _: &RestoreFrom,
        _: &(dyn Fn(Step<'_>) + Send + Sync),
    ) -> Result<Summary, String> {
        Err("nothing here".to_owned())
    }

    fn describe_payment(&self, id: &PaymentId) -> Result<Vec<String>, String> {
        Ok(vec![format!("{id}: 10 sats")])
    }

    fn daemon(&self) -> Result<Vec<String>, String> {
        Ok(vec!["process: 7".to_owned()])
    }

    fn examine_relays(&self) -> Result<Option<RelaysReport>, String> {
        Ok(None)
    }

    fn stop_daemon(&self) -> Result<bool, String> {
        Ok(true)
    }

    fn allow_repeat(&self, id: &PaymentId) -> Result<(), String> {
        self.excused.borrow_mut().push(id.clone());
        Ok(())
    }

    fn open(&self) -> Result<OpenView, String> {
        Ok(OpenView { open: Vec::new() })
    }

    fn may_give_up(&self, id: &str) -> Result<Vec<String>, String> {
        if id == "answered" {
            Err("its mint answers".to_owned())
        } else {
            Ok(vec![format!("{id}: 10 sats")])
        }
    }

    fn give_up(&self, id: &str) -> Result<(), String> {
        self.given_up.borrow_mut().push(id.to_owned());
        Ok(())
    }

    fn take_up(&self, id: &str) -> Result<(), String> {
        self.given_up.borrow_mut().retain(|one| one != id);
        Ok(())
    }
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: OwnerCommand,
}

struct World {
    _folder: tempfile::TempDir,
    home: Home,
    person: Person,
    book: Book,
}

impl World {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let home = Home::resolve(Some(&folder.path().join("home")), &Environment::default())?;
        Ok(Self { _folder: folder, home, person: Person::default(), book: Book::default() })
    }

    fn run(&mut self, line: &str) -> Result<String, Box<dyn std::error::Error>> {
        let command =
            Line::try_parse_from(["nutpurse"].into_iter().chain(line.split(' ')))?.command;
        let environment = Environment { other_nsec_set: true, ..Environment::default() };
        let mut out = Vec::new();
        let mut owner = Owner {
            home: &self.home,
            environment: &environment,
            confirmation: &mut self.person,
            backend: &self.book,
            out: &mut out,
            json: false,
        };
        owner.run(&command)?;
        Ok(String::from_utf8(out)?)
    }
}

#[test]
fn what_tightens_asks_nothing_and_what_loosens_asks_a_person() -> Outcome {
    let rows = [
        ("pause", false),
        ("resume", true),
        ("limits set --per-day 4000", false),
        ("limits set --per-payment 2000 --per-day 10", true),
        ("limits set --max-fee-percent 1.5%", false),
        ("limits set --max-fee-floor 6", true),
        ("mints trust https://test.example --test", true),
        ("mints remove https://testnut.cashudevkit.org", false),
        ("mints trust https://mint.example", true),
    ];
    let mut world = World::new()?;
    for (at, (line, loosens)) in rows.into_iter().enumerate() {
        if loosens {
            let before = (fs::read(world.home.config())?, fs::read(world.home.mints())?);
            world.person.absent = true;
            assert!(world.run(line).is_err(), "{line}");
            assert_eq!(
                (fs::read(world.home.config())?, fs::read(world.home.mints())?),
                before,
                "{line}"
            );
            world.person = Person::default();
        }
        let out = world.run(line)?;
        assert_eq!(world.person.shown.len(), usize::from(loosens), "{line}");
        world.person.shown.clear();
        let history = world.book.history.borrow();
        assert_eq!(
            (history.len(), history.last().map(|last| last.1)),
            (at + 1, Some(loosens)),
            "{line}"
        );
        drop(history);
        assert!(!out.is_empty());
        let again = world.run(line);
        assert!(
            again.map_or(line.contains("remove"), |out| out.starts_with("Nothing")),
            "{line} again"
        );
    }
    Ok(())
}

#[test]
fn the_first_real_mint_tells_what_it_means() -> Outcome {
    let mut world = World::new()?;
    world.run("mints trust https://mint.example")?;
    let shown = world.person.shown.pop().unwrap_or_default().join("\n");
    for said in [
        "for ever",
        "vanish",
        "keys.toml",
        "NOT backed up",
        "unrestricted shell",
        "at most 50000 sats",
        "per_day_sats = 5000",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    world.run("mints trust https://second.example")?;
    assert!(!world.person.shown.pop().unwrap_or_default().join("\n").contains("for ever"));
    Ok(())
}

#[test]
fn trusting_a_mint_says_in_words_what_it_lacks() -> Outcome {
    let mut world = World::new()?;
    world.run("mints trust https://poor.example --test")?;
    let shown = world.person.shown.pop().unwrap_or_default().join("\n");
    for said in [
        "NUT-07",
        "which coins are spent",
        "NUT-08",
        "gives no change",
        "NUT-09",
        "signatures again",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    world.run("mints trust https://silent.example --test")?;
    let shown = world.person.shown.pop().unwrap_or_default().join("\n");
    assert!(shown.contains("did not answer") && !shown.contains("NUT-0"), "{shown}");
    world.run("mints trust https://rich.example --test")?;
    let shown = world.person.shown.pop().unwrap_or_default().join("\n");
    assert!(!shown.contains("did not answer") && !shown.contains("NUT-0"), "{shown}");
    Ok(())
}

#[test]
fn showing_creates_nothing_and_init_creates_all() -> Outcome {
    let mut world = World::new()?;
    assert!(world.run("limits show")?.contains("limits.per_day_sats = 5000"));
    assert!(world.run("mints list")?.contains("https://testnut.cashudevkit.org = play money"));
    assert!(!world.home.exists());
    let out = world.run("init")?;
    assert!(world.home.config().exists() && world.home.mints().exists());
    for said in [
        "config.toml",
        "mints.toml",
        "keys.toml",
        "play money",
        "unrestricted shell",
        "NSEC is set",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
    assert_eq!(world.run("init")?, out);
    Ok(())
}

#[test]
fn a_repeat_is_excused_by_a_person_alone() -> Outcome {
    let (mut world, id) = (World::new()?, PaymentId::random());
    world.person.absent = true;
    let line = format!("payments allow-repeat {id}");
    assert!(world.run(&line).is_err() && world.book.excused.borrow().is_empty());
    world.person.absent = false;
    world.run(&line)?;
    assert_eq!(*world.book.excused.borrow(), [id]);
    Ok(())
}

#[test]
fn a_payment_is_given_up_by_a_person_alone_and_taken_up_without_asking() -> Outcome {
    let mut world = World::new()?;
    world.person.absent = true;
    assert!(
        world.run("payments give-up pay_a").is_err() && world.book.given_up.borrow().is_empty()
    );
    world.person = Person::default();
    assert!(world.run("payments give-up answered").is_err() && world.person.shown.is_empty());
    world.run("payments give-up pay_a")?;
    assert_eq!(
        (world.book.given_up.borrow().as_slice(), world.person.shown.len()),
        (["pay_a".to_owned()].as_slice(), 1)
    );
    world.person.absent = true;
    world.run("payments revive pay_a")?;
    assert!(world.book.given_up.borrow().is_empty());
    let history: Vec<bool> =
        world.book.history.borrow().iter().map(|(_, loosened)| *loosened).collect();
    assert_eq!(history, [true, false]);
    assert!(world.run("payments open")?.contains("(none)"));
    Ok(())
}

#[test]
fn nothing_skips_the_fence() {
    for line in [
        "resume --yes",
        "resume -y",
        "resume --force",
        "limits set",
        "limits set --max-fee-percent 101",
        "mints trust mint.example",
    ] {
        assert!(
            Line::try_parse_from(["nutpurse"].into_iter().chain(line.split(' '))).is_err(),
            "{line}"
        );
    }
}

#[test]
fn the_words_are_shown_to_a_person_alone_and_never_printed() -> Outcome {
    let mut world = World::new()?;
    world.person.absent = true;
    assert!(world.run("backup").is_err() && !*world.book.backed_up.borrow());
    assert!(world.person.shown.iter().flatten().all(|line| !line.contains("sausage")));
    world.person = Person::default();
    let out = world.run("backup")?;
    assert!(
        *world.book.backed_up.borrow()
            && !out.contains("sausage")
            && out.contains("restore --words")
    );
    let shown: Vec<String> = world.person.shown.pop().unwrap_or_default();
    assert_eq!(shown.iter().filter(|line| line.contains(". ")).count(), 12, "{shown:?}");
    Ok(())
}

#[test]
fn a_relay_is_tried_before_a_person_confirms_it() -> Outcome {
    let mut world = World::new()?;
    world.person.absent = true;
    assert!(world.run("relays add wss://poor.example").is_err());
    assert!(world.run("relays list")?.contains("No relays"));
    world.person = Person::default();
    world.run("relays add wss://poor.example")?;
    let shown = world.person.shown.pop().unwrap_or_default().join("\n");
    assert!(
        shown.contains("network address") && shown.contains("It keeps no deletions."),
        "{shown}"
    );
    world.run("relays add wss://rich.example")?;
    let shown = world.person.shown.pop().unwrap_or_default().join("\n");
    assert!(
        shown.contains("states no limit that affects it") && !shown.contains("keeps no"),
        "{shown}"
    );
    let (plain, checked) = (world.run("relays list")?, world.run("relays list --check")?);
    assert!(
        !plain.contains("deletions")
            && checked.contains("wss://rich.example")
            && checked.contains("It keeps no deletions."),
        "{checked}"
    );
    Ok(())
}
