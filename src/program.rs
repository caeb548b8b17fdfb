//! The program: reads the command line and runs the command.
//!
//! Without a command it is an MCP server on its standard streams, and only JSON-RPC ever reaches
//! standard output. It is then a shim for the daemon ([`crate::daemon`]), or with `--in-process`
//! serves the wallet itself.

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::api::Source;
use crate::app::{App, LocalBackend};
use crate::cli::confirm::Terminal;
use crate::cli::owner::{Owner, OwnerCommand, OwnerError};
use crate::cli::{
    self, Command, FAILURE, Globals, Here, Invocation, OK, Streams, ToolCall, Tools, USAGE,
};
use crate::config::env::is_agent_name;
use crate::config::{Environment, Home};
use crate::core_dumps;
use crate::daemon::Lock;
use crate::logging;
use crate::mcp;
use crate::wallet::Caller;
use tokio::runtime::{Builder, Runtime};

/// Time limit for work on blocking threads at the end. No money is under way by then.
const LAST_READ: Duration = Duration::from_millis(200);

/// Runs the program with this process's arguments, environment and standard streams. The exit code
/// is 0, or that of the failure.
pub fn run() -> ExitCode {
    let code = run_command().unwrap_or_else(|error| {
        print_error(&error.to_string());
        FAILURE
    });
    ExitCode::from(code)
}

fn run_command() -> io::Result<u8> {
    let invocation = match cli::parse::<OwnerCommand>(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(stop) => {
            if stop.code == OK {
                io::stdout().write_all(stop.text.as_bytes())?;
            } else {
                print_error(stop.text.trim_end());
            }
            return Ok(stop.code);
        }
    };
    core_dumps::disable();
    mcp::panics::hide_payloads();
    let caller = invocation.caller();
    if !is_agent_name(&caller.agent) {
        print_error("the agent's name must have 1 to 64 letters, digits, _ or -");
        return Ok(USAGE);
    }
    let Invocation { globals, command } = invocation;
    let environment = Environment::read();
    if !matches!(command, Command::Daemon { .. }) {
        logging::start(globals.log.as_deref());
    }
    match command {
        Command::Serve if io::stdin().is_terminal() => {
            io::stdout().write_all(cli::help::<OwnerCommand>().as_bytes())?;
            Ok(OK)
        }
        Command::Serve if is_shared(&globals) => run_shim(globals, environment, caller),
        Command::Serve => in_process(globals, environment, |app| serve(app, caller)),
        Command::Tool(call) if is_shared(&globals) => {
            call_daemon(globals, environment, caller, call)
        }
        Command::Tool(call) => {
            let json = globals.json;
            in_process(globals, environment, |app| async move {
                call_tool(call, json, &Here { source: app.as_ref(), caller: &caller }).await
            })
        }
        Command::Daemon { detached } => run_daemon(&globals, environment, detached),
        Command::Owner(command) => run_owner_command(&command, globals, &environment, &runtime()?),
    }
}

/// Returns whether a daemon serves the wallet: on Unix, without `--in-process`.
fn is_shared(globals: &Globals) -> bool {
    cfg!(unix) && !globals.in_process
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Runs `work`, then ends the runtime without waiting for a read of standard input, which cannot be
/// cancelled and which the client may never close.
fn run_and_shut_down<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let ended = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_READ);
    ended
}

/// Holds the wallet in this process, without a daemon.
fn in_process<F: Future<Output = io::Result<u8>>>(
    globals: Globals,
    environment: Environment,
    work: impl FnOnce(Arc<App>) -> F,
) -> io::Result<u8> {
    let lock = match Home::resolve(globals.home.as_deref(), &environment)
        .ok()
        .map(|home| Lock::take(&home))
    {
        Some(Ok(None)) => {
            print_error("another process holds this wallet; `nutpurse stop` ends the shared one");
            return Ok(FAILURE);
        }
        Some(Ok(lock)) => lock,
        Some(Err(error)) if !error.is_folder_fault() => {
            print_error(&error.to_string());
            return Ok(FAILURE);
        }
        // The first call reports a folder that cannot be used or written.
        Some(Err(_)) | None => None,
    };
    let app = App::new(environment, globals.home);
    let ended = run_and_shut_down(runtime()?, async {
        let ended = work(Arc::clone(&app)).await;
        app.stop().await;
        ended
    });
    drop(lock);
    ended
}

async fn serve(app: Arc<App>, caller: Caller) -> io::Result<u8> {
    let ended = tokio::select! {
        ended = mcp::serve(app as Arc<dyn Source>, caller, tokio::io::stdin(), tokio::io::stdout()) => ended,
        () = terminated() => Ok(()),
    };
    match ended {
        Ok(()) => Ok(OK),
        Err(error) => {
            print_error(&error.to_string());
            Ok(FAILURE)
        }
    }
}

async fn call_tool(call: ToolCall, json: bool, tools: &dyn Tools) -> io::Result<u8> {
    let (mut input, mut output, mut errors) = (io::stdin(), io::stdout(), io::stderr());
    cli::run_tool(
        call,
        json,
        tools,
        Streams { input: &mut input, output: &mut output, errors: &mut errors },
    )
    .await
}

#[cfg(unix)]
use shared::{call_daemon, run_daemon, run_shim};

/// The commands of systems on which processes can share a wallet.
#[cfg(unix)]
mod shared {
    use crate::config::{Settings, env};
    use crate::daemon::{self, Client, ConnectOptions};
    use async_trait::async_trait;
    use serde_json::{Map, Value};
    use tokio::time::{MissedTickBehavior, interval};

    use super::*;

    /// Interval between a shim's checks that its parent is still running.
    const PARENT_CHECK: Duration = Duration::from_secs(1);

    fn options(globals: Globals, environment: Environment, caller: Caller) -> ConnectOptions {
        ConnectOptions {
            home: globals.home,
            environment,
            daemon_environment: env::for_daemon(),
            agent: caller.agent,
        }
    }

    pub(super) fn run_shim(
        globals: Globals,
        environment: Environment,
        caller: Caller,
    ) -> io::Result<u8> {
        let parent = rustix::process::getppid();
        let options = options(globals, environment, caller);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let ended = run_and_shut_down(runtime, async {
            let gone = async {
                tokio::select! {
                    () = terminated() => {}
                    () = orphaned(parent) => {}
                }
            };
            daemon::run_shim(&options, tokio::io::stdin(), tokio::io::stdout(), gone).await
        });
        match ended {
            // A client that no longer reads is gone, which is not a failure.
            Ok(()) => Ok(OK),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(OK),
            Err(error) => Err(error),
        }
    }

    /// Returns when the process that started this one is gone: its pipes may be held open by
    /// others.
    async fn orphaned(parent: Option<rustix::process::Pid>) {
        let mut look = interval(PARENT_CHECK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while rustix::process::getppid() == parent {
            look.tick().await;
        }
    }

    struct ThroughDaemon<'a>(Client<'a>);

    #[async_trait]
    impl Tools for ThroughDaemon<'_> {
        async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, Value> {
            self.0.call(name, arguments).await
        }
    }

    pub(super) fn call_daemon(
        globals: Globals,
        environment: Environment,
        caller: Caller,
        call: ToolCall,
    ) -> io::Result<u8> {
        let json = globals.json;
        let options = options(globals, environment, caller);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(call_tool(call, json, &ThroughDaemon(Client { options: &options })))
    }

    /// Starts the daemon, or runs it in the detached process.
    pub(super) fn run_daemon(
        globals: &Globals,
        environment: Environment,
        detached: bool,
    ) -> io::Result<u8> {
        let Ok(home) = Home::resolve(globals.home.as_deref(), &environment) else {
            return Ok(FAILURE);
        };
        if !detached {
            return daemon::detach(&home).map(|()| OK);
        }
        daemon::set_umask();
        let lock = match Lock::take_for_daemon(&home) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Ok(OK),
            Err(_) => return Ok(FAILURE),
        };
        logging::start_in(&home.log(), globals.log.as_deref());
        let idle =
            Settings::peek(&home).map(|settings| settings.daemon).unwrap_or_default().idle_seconds;
        let app = App::new(environment.clone(), Some(home.path().to_path_buf()));
        let served = run_and_shut_down(runtime()?, async {
            let source = Arc::clone(&app) as Arc<dyn Source>;
            let served = daemon::serve(
                lock,
                &home,
                source,
                &environment,
                Duration::from_secs(idle),
                terminated(),
            )
            .await;
            app.stop().await;
            served
        });
        match served {
            Ok(lock) => {
                drop(lock);
                Ok(OK)
            }
            Err(error) => {
                logging::failed(&error);
                Ok(FAILURE)
            }
        }
    }
}

#[cfg(not(unix))]
fn run_shim(globals: Globals, environment: Environment, caller: Caller) -> io::Result<u8> {
    in_process(globals, environment, |app| serve(app, caller))
}

#[cfg(not(unix))]
fn call_daemon(
    globals: Globals,
    environment: Environment,
    caller: Caller,
    call: ToolCall,
) -> io::Result<u8> {
    let json = globals.json;
    in_process(globals, environment, |app| async move {
        call_tool(call, json, &Here { source: app.as_ref(), caller: &caller }).await
    })
}

#[cfg(not(unix))]
fn run_daemon(_: &Globals, _: Environment, _: bool) -> io::Result<u8> {
    Ok(USAGE)
}

fn run_owner_command(
    command: &OwnerCommand,
    globals: Globals,
    environment: &Environment,
    runtime: &Runtime,
) -> io::Result<u8> {
    let home = match Home::resolve(globals.home.as_deref(), environment) {
        Ok(home) => home,
        Err(error) => {
            print_error(&error.to_string());
            return Ok(FAILURE);
        }
    };
    let mut confirmation = Terminal::new(environment);
    let backend = LocalBackend::new(&home, environment, runtime.handle().clone());
    let mut out = io::stdout();
    let mut owner = Owner {
        home: &home,
        environment,
        confirmation: &mut confirmation,
        backend: &backend,
        out: &mut out,
        json: globals.json,
    };
    match owner.run(command) {
        Ok(()) => Ok(OK),
        Err(OwnerError::Io(error)) => Err(error),
        Err(error) => {
            print_error(&error.to_string());
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

fn print_error(text: &str) {
    let _said = writeln!(io::stderr(), "{text}");
}
