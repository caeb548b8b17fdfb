//! The output: a line for each row, the score, and the score's line in the README.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use testbed::harness::Outcome;

use crate::arguments::Arguments;
use crate::nightly;
use crate::table::{How, Proof, Row, Severity};
use crate::trial::Run;

const MARKS: (&str, &str) = ("<!-- faults survived -->", "<!-- end -->");

/// Rows left out by `--rows` are not listed.
pub(crate) const NOT_ASKED_FOR: &str = "not asked for";

/// The result of a row.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed(Proof),
    Failed(String),
    NotRun(String),
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
}

impl Ended {
    pub(crate) fn not_run(why: &str) -> Self {
        Self { verdict: Verdict::NotRun(why.to_owned()), took: Duration::ZERO }
    }
}

#[derive(Debug)]
pub(crate) struct Report {
    binary: String,
}

impl Report {
    pub(crate) fn begin(arguments: &Arguments, binary: &Path) -> Outcome<Self> {
        let hash = Sha256::digest(fs::read(binary)?);
        let binary: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        println!(
            "binary sha256 {binary}, mint {:?}{}\n",
            arguments.mint,
            if arguments.short { ", short" } else { "" }
        );
        Ok(Self { binary })
    }

    /// Tells on standard error that a row has ended: the list itself comes in order, at the end.
    pub(crate) fn progress(row: &Row, end: &Ended) {
        eprintln!("{}", line(row, end));
    }

    /// Prints the score, writes it where it was asked for, and says whether nothing failed.
    pub(crate) fn end(
        &self,
        rows: &[Row],
        ended: &BTreeMap<&str, Ended>,
        run: &Run,
    ) -> Outcome<bool> {
        for (row, end) in rows.iter().filter_map(|row| Some((row, ended.get(row.id)?))) {
            if !matches!(&end.verdict, Verdict::NotRun(why) if why == NOT_ASKED_FOR) {
                println!("{}", line(row, end));
            }
        }
        let count =
            |is: fn(&Verdict) -> bool| ended.values().filter(|end| is(&end.verdict)).count();
        let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
        println!(
            "\n{} passed, {failed} FAILED, {} not run",
            count(|verdict| matches!(verdict, Verdict::Passed(_))),
            count(|verdict| matches!(verdict, Verdict::NotRun(_)))
        );
        let by = |severity| {
            let all = rows.iter().filter(|row| row.severity == severity);
            let passed = all.clone().filter(|row| {
                matches!(ended.get(row.id), Some(Ended { verdict: Verdict::Passed(_), .. }))
            });
            format!("{severity:?} {}/{}", passed.count(), all.count())
        };
        let (kills, losses) = run.watch.kills();
        let score = format!(
            "faults survived: {} · {} · {} · kills n={kills}, losses {losses} · seed {} · binary sha256 {}",
            by(Severity::S1),
            by(Severity::S2),
            by(Severity::S3),
            run.arguments.seed,
            self.binary
        );
        println!("{score}");
        if run.arguments.readme {
            write(&score)?;
        }
        Ok(failed == 0)
    }
}

/// Prints where each row is run, as a page.
pub(crate) fn list(rows: &[Row]) {
    println!("# Where each row of the fault score is run\n");
    println!(
        "Made by `just docs`. `.ci/run` runs the rows that only the program as a process can show, and the tests, with every change."
    );
    println!("`just nightly` runs all rows on the shipped binary.\n");
    println!("| row | severity | fault | run |\n|---|---|---|---|");
    for Row { id, severity, title, how, is_long, .. } in rows {
        let run = match (how, nightly::beside(id)) {
            (How::NotYet(why), _) => format!("not yet: {why}"),
            (_, Some([])) => "nightly".to_owned(),
            (_, Some(tests)) => {
                format!(
                    "nightly; with every change: {}",
                    tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", ")
                )
            }
            (_, None) if *is_long => "nightly".to_owned(),
            (_, None) => "with every change".to_owned(),
        };
        println!("| {id} | {severity:?} | {title} | {run} |");
    }
}

fn line(row: &Row, end: &Ended) -> String {
    let Row { id, severity, title, .. } = row;
    let took = end.took.as_secs_f64();
    match &end.verdict {
        Verdict::Passed(Proof { fired, note }) => {
            let faults =
                if *fired == 1 { "1 fault fired" } else { &format!("{fired} faults fired") };
            let note = if note.is_empty() { String::new() } else { format!("; {note}") };
            format!("{id} {severity:?} passed   {title}: {faults}{note} ({took:.1} s)")
        }
        Verdict::Failed(why) => format!("{id} {severity:?} FAILED   {title}: {why} ({took:.1} s)"),
        Verdict::NotRun(why) => format!("{id} {severity:?} not run  {title}: {why}"),
    }
}

fn write(score: &str) -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(MARKS.0).ok_or("the README has no place for the score")?;
    let (_, after) =
        rest.split_once(MARKS.1).ok_or("the README's place for the score has no end")?;
    Ok(fs::write(&path, format!("{before}{}\n{score}\n{}{after}", MARKS.0, MARKS.1))?)
}
