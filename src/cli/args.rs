//! The command line's grammar. The tools' subcommands are generated from their schemas, so that
//! every parameter is there, under its own name.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use super::{Command, Globals, Invocation, Stop, ToolCall, USAGE};
use crate::api::tools::{self, Tool};

/// The parameter of each command that may also be given without its flag.
const BARE: &[(&str, &str)] = &[
    ("deposit", "amount_sats"),
    ("get_deposit", "deposit_id"),
    ("estimate", "to"),
    ("pay", "to"),
    ("get_payment", "payment_id"),
    ("send_token", "amount_sats"),
    ("receive_token", "token"),
    ("reclaim_token", "payment_id"),
];

/// Parameters that are a token or may contain one, which is money; `-` reads them from standard
/// input. `token` has no flag.
pub(super) const FROM_INPUT: &[&str] = &["token", "to"];

/// The hidden command that starts the daemon, and its flag for the process that becomes it.
const DAEMON: &str = "daemon";
const DETACHED: &str = "detached";
/// The flag for a process that uses no daemon.
const IN_PROCESS: &str = "in-process";

/// Builds the whole grammar; `O` is the enum of the owner's commands.
pub fn command<O: clap::Subcommand>() -> clap::Command {
    let global = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).global(true).value_name(value).help(help)
    };
    let base =
        clap::Command::new(env!("CARGO_PKG_NAME"))
            .version(env!("CARGO_PKG_VERSION"))
            .about(env!("CARGO_PKG_DESCRIPTION"))
            .after_help(
                "Without a command, nutpurse is an MCP server on standard input and output: add it to your MCP client's settings.\n\
             Amounts are whole sats. Exit codes: 0 success, 1 failure, 2 usage error.",
            )
            .arg(global("home", "FOLDER", "The wallet's folder").env("NUTPURSE_HOME").value_parser(clap::value_parser!(PathBuf)))
            .arg(global("agent", "NAME", "Name of the calling agent; a label, not a credential").env("NUTPURSE_AGENT"))
            .arg(global("log", "LEVEL", "Log level: off, error, warn, info, debug or trace").env("NUTPURSE_LOG"))
            .arg(Arg::new(IN_PROCESS).long(IN_PROCESS).global(true).action(ArgAction::SetTrue).help(
                "Run the wallet in this process instead of a shared one, for example in a container; refused while another process holds it",
            ))
            .arg(Arg::new("json").long("json").global(true).action(ArgAction::SetTrue).help("Print JSON, for programs"));
    let base = base.subcommand(
        clap::Command::new(DAEMON)
            .hide(true)
            .about("Run the shared wallet process; started automatically")
            .arg(Arg::new(DETACHED).long(DETACHED).action(ArgAction::SetTrue)),
    );
    let with_tools =
        tools::all().iter().fold(base, |command, tool| command.subcommand(of_tool(tool)));
    O::augment_subcommands(with_tools).about(env!("CARGO_PKG_DESCRIPTION"))
}

fn of_tool(tool: &'static Tool) -> clap::Command {
    let mut command = clap::Command::new(kept(tool.name.replace('_', "-")))
        .about(tool.title)
        .long_about(tool.description);
    if parameters(tool).any(|(name, _)| FROM_INPUT.contains(&name)) {
        command = command.after_help(
            "Other programs on this computer can see a command line while it runs; \
             give - to read the value from standard input instead.",
        );
    }
    for (name, schema) in parameters(tool) {
        let bare = BARE.contains(&(tool.name, name));
        let needed = is_required(tool, name);
        let other = bare_id(name);
        if bare {
            let arg = value(Arg::new(if name == "token" { name } else { other }), name, schema);
            command = command.arg(if name == "token" {
                arg.required(needed)
            } else {
                arg.conflicts_with(name)
            });
        }
        if name != "token" {
            let flag = value(Arg::new(name), name, schema).long(kept(name.replace('_', "-")));
            command = command.arg(if bare && needed {
                flag.required_unless_present(other)
            } else {
                flag.required(needed)
            });
        }
    }
    command
}

/// The clap id of a parameter that is given without its flag.
fn bare_id(name: &str) -> &'static str {
    kept(format!("{name} (bare)"))
}

/// Interns a name for the life of the process, since clap holds names by reference. Their number is
/// bounded by the tools and their parameters.
fn kept(word: String) -> &'static str {
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(word.as_str()) {
        return known;
    }
    let word: &'static str = Box::leak(word.into_boxed_str());
    words.insert(word);
    word
}

/// Sets an argument's help and value from the parameter's schema; adds no flag.
fn value(arg: Arg, name: &str, schema: &'static Value) -> Arg {
    let words = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let arg = arg.help(words).value_name(kept(name.to_uppercase()));
    match (schema.get("type").and_then(Value::as_str), schema.get("enum").and_then(Value::as_array))
    {
        (Some("boolean"), _) => arg.action(ArgAction::SetTrue),
        (Some("integer"), _) => arg.value_parser(clap::value_parser!(u64)),
        (_, Some(words)) => arg.value_parser(PossibleValuesParser::new(
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
        )),
        _ => arg,
    }
}

fn parameters(tool: &'static Tool) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let properties = tool.input_schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

fn is_required(tool: &Tool, name: &str) -> bool {
    tool.input_schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|one| one == name))
}

/// Reads the command and the global flags from clap's matches.
pub(super) fn read<O: clap::Subcommand>(matches: &ArgMatches) -> Result<Invocation<O>, Stop> {
    let command = match matches.subcommand() {
        None => Command::Serve,
        Some((DAEMON, inner)) => Command::Daemon { detached: inner.get_flag(DETACHED) },
        Some((word, inner)) => match tools::find(&word.replace('-', "_")) {
            Some(tool) => {
                Command::Tool(ToolCall { name: tool.name, arguments: arguments(tool, inner) })
            }
            None => Command::Owner(
                O::from_arg_matches(matches)
                    .map_err(|error| Stop { text: error.render().to_string(), code: USAGE })?,
            ),
        },
    };
    // `NUTPURSE_AGENT` names the agent of a client's session. It does not apply to a command that a
    // person runs in the same environment.
    let named_here = matches!(command, Command::Serve)
        || matches.value_source("agent") == Some(ValueSource::CommandLine);
    let globals = Globals {
        home: matches.get_one::<PathBuf>("home").cloned(),
        agent: matches.get_one::<String>("agent").filter(|_| named_here).cloned(),
        log: matches.get_one::<String>("log").cloned(),
        json: matches.get_flag("json"),
        in_process: matches.get_flag(IN_PROCESS),
    };
    Ok(Invocation { globals, command })
}

fn arguments(tool: &'static Tool, matches: &ArgMatches) -> Map<String, Value> {
    let mut arguments = Map::new();
    for (name, schema) in parameters(tool) {
        let ids = [name, bare_id(name)];
        let given = match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => matches.get_flag(name).then_some(json!(true)),
            Some("integer") => ids
                .iter()
                .find_map(|id| matches.try_get_one::<u64>(id).ok().flatten())
                .map(|number| json!(number)),
            _ => ids
                .iter()
                .find_map(|id| matches.try_get_one::<String>(id).ok().flatten())
                .map(|text| json!(text)),
        };
        if let Some(given) = given {
            arguments.insert(name.to_owned(), given);
        }
    }
    arguments
}
