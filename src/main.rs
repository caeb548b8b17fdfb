//! The binary: reads the command line and does what it says.
//!
//! Without a command it is an MCP server on its standard streams, and nothing but JSON-RPC ever reaches its standard output.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nutpurse::app::{App, OwnersDesk};
use nutpurse::cli::fence::Terminal;
use nutpurse::cli::owner::{Owner, OwnerCommand, OwnerError};
use nutpurse::cli::{self, Command, FAILURE, Invocation, OK, Streams, USAGE};
use nutpurse::config::env::is_agent_name;
use nutpurse::config::{Environment, Home};
use nutpurse::wallet::Source;
use nutpurse::{cores, logging, mcp};
use tokio::runtime::{Builder, Runtime};

/// How long what is under way on blocking threads may take at the end. All money is at rest by then.
const LAST_READ: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let code = run().unwrap_or_else(|error| {
        complain(&error.to_string());
        FAILURE
    });
    ExitCode::from(code)
}

fn run() -> io::Result<u8> {
    let invocation = match cli::parse::<OwnerCommand>(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(stop) => {
            if stop.code == OK {
                io::stdout().write_all(stop.text.as_bytes())?;
            } else {
                complain(stop.text.trim_end());
            }
            return Ok(stop.code);
        }
    };
    logging::start(invocation.globals.log.as_deref());
    cores::forbid();
    mcp::panics::hide_payloads();
    let caller = invocation.caller();
    if !is_agent_name(&caller.agent) {
        complain("the agent's name may have 1 to 64 letters, digits, _ and -");
        return Ok(USAGE);
    }
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let environment = Environment::read();
    let Invocation { globals, command } = invocation;
    let ended = match command {
        Command::Serve if io::stdin().is_terminal() => {
            io::stdout().write_all(cli::help::<OwnerCommand>().as_bytes())?;
            Ok(OK)
        }
        Command::Serve => {
            let app = App::new(environment, globals.home);
            let source: Arc<dyn Source> = Arc::clone(&app) as Arc<dyn Source>;
            Ok(runtime.block_on(async {
                let ended = tokio::select! {
                    ended = mcp::serve(source, caller, tokio::io::stdin(), tokio::io::stdout()) => ended,
                    () = terminated() => Ok(()),
                };
                app.stop().await;
                match ended {
                    Ok(()) => OK,
                    Err(error) => {
                        complain(&error.to_string());
                        FAILURE
                    }
                }
            }))
        }
        Command::Tool(call) => {
            let app = App::new(environment, globals.home);
            let (mut input, mut output, mut errors) = (io::stdin(), io::stdout(), io::stderr());
            let streams = Streams { input: &mut input, output: &mut output, errors: &mut errors };
            runtime.block_on(async {
                let code = cli::run_tool(call, globals.json, &caller, app.as_ref(), streams).await;
                app.stop().await;
                code
            })
        }
        Command::Owner(command) => own(&command, globals.home, &environment, &runtime),
    };
    // A read of standard input cannot be cancelled, and the client may never close it.
    runtime.shutdown_timeout(LAST_READ);
    ended
}

fn own(command: &OwnerCommand, home: Option<std::path::PathBuf>, environment: &Environment, runtime: &Runtime) -> io::Result<u8> {
    let home = match Home::resolve(home.as_deref(), environment) {
        Ok(home) => home,
        Err(error) => {
            complain(&error.to_string());
            return Ok(FAILURE);
        }
    };
    let mut fence = Terminal::new(environment);
    let desk = OwnersDesk::new(&home, environment, runtime.handle().clone());
    let mut out = io::stdout();
    let mut owner = Owner { home: &home, environment, fence: &mut fence, desk: &desk, out: &mut out };
    match owner.run(command) {
        Ok(()) => Ok(OK),
        Err(OwnerError::Io(error)) => Err(error),
        Err(error) => {
            complain(&error.to_string());
            Ok(FAILURE)
        }
    }
}

/// Returns when the process is asked to end.
async fn terminated() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = term.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _interrupted = tokio::signal::ctrl_c().await;
}

fn complain(text: &str) {
    let _said = writeln!(io::stderr(), "{text}");
}
