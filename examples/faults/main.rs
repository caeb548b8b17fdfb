//! Rows run by hand until they are in the table.

#![expect(clippy::print_stdout, reason = "a program for people prints")]

mod keysets;
mod liar;
mod stage;
mod wire;

use std::error::Error;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

/// What a row or a step of it came to.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ends the function with a text unless the condition holds.
macro_rules! must {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+).into());
        }
    };
}
pub(crate) use must;

type Run = Box<dyn Fn(&'static Path) -> Pin<Box<dyn Future<Output = Outcome<usize>>>>>;
type Row = (&'static str, Run);

fn row<F: Future<Output = Outcome<usize>> + 'static>(name: &'static str, run: fn(&'static Path) -> F) -> Row {
    (name, Box::new(move |program| Box::pin(run(program))))
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let program: &'static Path = Box::leak(PathBuf::from(arguments.next().unwrap_or_default()).into_boxed_path());
    let wanted: Vec<String> = arguments.collect();
    let rows: Vec<Row> = table();
    for (name, row) in rows {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            let since = std::time::Instant::now();
            let run = tokio::time::timeout(std::time::Duration::from_secs(150), row(program));
            match run.await.unwrap_or_else(|_| Err("it does not end".into())) {
                Ok(fired) => println!("{name} passed, {fired} fired, {:?}", since.elapsed()),
                Err(error) => println!("{name} FAILED: {error}"),
            }
        }
    }
}

fn table() -> Vec<Row> {
    vec![
        row("f033", liar::f033),
        row("f034", liar::f034),
        row("f035", liar::f035),
        row("f036", liar::f036),
        row("f037", liar::f037),
        row("f038", liar::f038),
        row("f039", liar::f039),
        row("f040", liar::f040),
        row("f041", keysets::f041),
        row("f042", keysets::f042),
        row("f043", keysets::f043),
        row("f044", keysets::f044),
        row("f045", keysets::f045),
        row("f046", keysets::f046),
        row("f047", keysets::f047),
        row("f048", keysets::f048),
        row("f049", keysets::f049),
    ]
}
