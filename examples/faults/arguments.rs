//! What the program is asked for.

use std::path::PathBuf;
use std::str::FromStr;

use testbed::harness::Outcome;

pub(crate) const USAGE: &str = "cargo run --example faults [-- OPTIONS]
  --seed S         where all chance comes from (default: a new one, printed)
  --kills N        random kills in F-008 (default 300, with --short 30)
  --rows A,B..C    only these rows, e.g. F-001..F-018,F-027
  --short          every boundary once, few random kills, no long waits
  --ci             short, and without the rows that are run by night only
  --list           prints where each row is run, and runs none
  --binary PATH    this binary instead of the one beside this program
  --mint NAME      testbed (default) or nutshell (transport and kill rows; installed by tests/peers/setup)
  --readme         writes the last line into README.md";

/// Which mint the rows run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MintKind {
    Testbed,
    Nutshell,
}

#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) seed: u64,
    pub(crate) kills: Option<usize>,
    pub(crate) rows: Vec<(u32, u32)>,
    pub(crate) short: bool,
    pub(crate) ci: bool,
    pub(crate) list: bool,
    pub(crate) binary: Option<PathBuf>,
    pub(crate) mint: MintKind,
    pub(crate) readme: bool,
}

impl Arguments {
    /// `None`: help is asked for.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Outcome<Option<Self>> {
        let mut read = Self {
            seed: rand::random(),
            kills: None,
            rows: Vec::new(),
            short: false,
            ci: false,
            list: false,
            binary: None,
            mint: MintKind::Testbed,
            readme: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--seed" => read.seed = value()?.parse()?,
                "--kills" => read.kills = Some(value()?.parse()?),
                "--rows" => read.rows = value()?.split(',').map(range).collect::<Outcome<_>>()?,
                "--short" => read.short = true,
                "--ci" => (read.short, read.ci) = (true, true),
                "--list" => read.list = true,
                "--binary" => read.binary = Some(value()?.into()),
                "--mint" => read.mint = value()?.parse()?,
                "--readme" => read.readme = true,
                "--help" => return Ok(None),
                _ => return Err(format!("unknown: {word}\n{USAGE}").into()),
            }
        }
        Ok(Some(read))
    }

    /// Whether this row is asked for.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.rows.is_empty()
            || number(id)
                .is_ok_and(|id| self.rows.iter().any(|(from, to)| (*from..=*to).contains(&id)))
    }
}

fn range(text: &str) -> Outcome<(u32, u32)> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    Ok((number(from)?, number(to)?))
}

/// `F-017` is 17.
fn number(id: &str) -> Outcome<u32> {
    Ok(id.trim().trim_start_matches("F-").parse()?)
}

impl FromStr for MintKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "testbed" => Ok(Self::Testbed),
            "nutshell" => Ok(Self::Nutshell),
            _ => Err(format!("no mint is called {text}")),
        }
    }
}
