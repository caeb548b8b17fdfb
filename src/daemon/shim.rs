//! The shim: carries a client's lines to the daemon and the daemon's to the client.
//!
//! It parses lines only to know which requests are open, and changes none. It outlives daemons:
//! when one is gone, it finds or starts the next, restores the session, and resends the requests
//! that change nothing. A call that could move money is sent once; if its answer is lost, the
//! client is told how to look it up. The shim always ends with its client.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::connect::{CONNECT_TIMEOUT, ConnectOptions, DaemonSession, connect};
use super::handshake::LINES_READ;
use super::inflight::InFlight;
use super::unavailable;
use crate::api::Error;
use crate::mcp::{self, Frame, FrameReader, MAX_FRAME};

/// Maximum length of a line from a daemon, in bytes; a QR code and a history need far less.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// Time limit for answers after the client has closed its end.
const LAST_ANSWERS: Duration = Duration::from_secs(40);
/// Time limit for answers once the client itself is gone.
const CLIENT_GONE: Duration = Duration::from_secs(1);
/// Pause between attempts to connect while no daemon can be reached.
const RETRY: Duration = Duration::from_secs(1);

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;
type Connecting<'a> = Pin<Box<dyn Future<Output = Result<DaemonSession, Error>> + Send + 'a>>;

/// A connection to the daemon, or to the session of `unavailable`.
struct SessionConnection {
    frames: FrameReader<Reader>,
    to: Outbound,
    /// The number of lines that the daemon has read. `None` until it reports this when it ends.
    read: Option<u64>,
}

impl SessionConnection {
    fn new(reader: Reader, writer: Writer) -> Self {
        let to =
            Outbound { writer: Some(writer), line: Vec::new(), written: 0, begun: 0, whole: 0 };
        Self { frames: FrameReader::new(reader, ANSWER_MAX), to, read: None }
    }
}

/// Lines to the daemon, one at a time.
struct Outbound {
    /// `None` once nothing more will be sent.
    writer: Option<Writer>,
    /// The line being written, and the number of its bytes written so far.
    line: Vec<u8>,
    written: usize,
    /// The number of lines begun, and of lines written whole.
    begun: u64,
    whole: u64,
}

impl Outbound {
    fn begin(&mut self, line: Vec<u8>) {
        self.begun = self.begun.saturating_add(1);
        self.line = line;
        self.line.push(b'\n');
    }

    fn is_free(&self) -> bool {
        self.writer.is_some() && self.line.is_empty()
    }

    /// Writes some of the line. Cancel safe.
    async fn write(&mut self) -> std::io::Result<()> {
        let (Some(writer), Some(rest)) = (&mut self.writer, self.line.get(self.written..)) else {
            return std::future::pending().await;
        };
        if rest.is_empty() {
            return std::future::pending().await;
        }
        let wrote = writer.write(rest).await?;
        if wrote == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.written = self.written.saturating_add(wrote);
        if self.written == self.line.len() {
            self.line.clear();
            self.written = 0;
            self.whole = self.begun;
            writer.flush().await?;
        }
        Ok(())
    }
}

/// Carries lines between a client and the daemon until the client has gone: `gone` returns, or
/// `input` ends and its requests are answered, or `output` is closed.
///
/// # Errors
/// `output` cannot be written: the client no longer reads it.
pub async fn run_shim(
    options: &ConnectOptions,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin,
    gone: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let mut shim = Shim {
        options,
        requests: InFlight::default(),
        connection: None,
        connecting: None,
        resend: Vec::new(),
        waiting: None,
        deadline: None,
        unavailable: JoinSet::new(),
    };
    shim.start_connecting();
    shim.run(input, ClientOutput { output, bytes: Vec::new(), written: 0, unflushed: false }, gone)
        .await
}

struct ClientOutput<W> {
    output: W,
    bytes: Vec<u8>,
    written: usize,
    unflushed: bool,
}

impl<W: AsyncWrite + Unpin> ClientOutput<W> {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.unflushed
    }

    /// Writes some of the bytes, or flushes what was written. Cancel safe: the next call continues.
    async fn write(&mut self) -> std::io::Result<()> {
        match self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            Some(rest) => {
                self.written = self.written.saturating_add(self.output.write(rest).await?);
                self.unflushed = true;
                if self.written >= self.bytes.len() {
                    self.bytes.clear();
                    self.written = 0;
                }
            }
            None => {
                self.output.flush().await?;
                self.unflushed = false;
            }
        }
        Ok(())
    }
}

struct Shim<'a> {
    options: &'a ConnectOptions,
    requests: InFlight,
    connection: Option<SessionConnection>,
    /// The attempt to connect, while there is no daemon.
    connecting: Option<Connecting<'a>>,
    /// The lines for a new daemon, before any other line of the client; in reverse order.
    resend: Vec<Vec<u8>>,
    /// A line of the client that waits for a daemon.
    waiting: Option<Vec<u8>>,
    /// The end of the wait for the last answers. `None` until the client has closed its end.
    deadline: Option<Instant>,
    unavailable: JoinSet<()>,
}

impl Shim<'_> {
    async fn run<W: AsyncWrite + Send + Unpin>(
        &mut self,
        input: impl AsyncRead + Send + Unpin,
        mut out: ClientOutput<W>,
        gone: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let mut client = FrameReader::new(input, MAX_FRAME);
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(gone);
        let mut client_gone = false;
        loop {
            self.feed();
            let over = self.deadline.is_some() && out.is_empty() && self.connection.is_none();
            if over || self.deadline.is_some_and(|until| Instant::now() >= until) {
                return Ok(());
            }
            let may_read = self.can_read_client();
            let (frames, to) = self
                .connection
                .as_mut()
                .map(|connection| (&mut connection.frames, &mut connection.to))
                .unzip();
            tokio::select! {
                biased;
                () = deadline(self.deadline) => {}
                () = &mut gone, if !client_gone => {
                    client_gone = true;
                    self.close(CLIENT_GONE).await;
                }
                wrote = out.write(), if !out.is_empty() => wrote?,
                line = next(frames), if out.bytes.is_empty() => out.bytes.extend(self.receive(line)),
                wrote = write(to) => {
                    if wrote.is_err() && let Some(connection) = &mut self.connection {
                        // The daemon's last lines are still to be read.
                        connection.to.writer = None;
                    }
                }
                result = connected(&mut self.connecting) => self.connected(result),
                line = client.next(), if may_read => match line {
                    Ok(Frame::Complete(line)) => {
                        self.waiting = Some(line);
                        self.connect_if_needed();
                    }
                    Ok(Frame::TooLong(id)) => out.bytes.extend(mcp::too_long(id).unwrap_or_default()),
                    Ok(Frame::End) | Err(_) => self.close(LAST_ANSWERS).await,
                },
                _ = ticks.tick() => out.bytes.extend(self.requests.tick().concat()),
            }
        }
    }

    /// Sends nothing more, since the client has closed its end or is gone.
    async fn close(&mut self, patience: Duration) {
        let end = Instant::now() + patience;
        self.deadline = Some(self.deadline.map_or(end, |until| until.min(end)));
        self.connecting = None;
        if let Some(mut writer) =
            self.connection.as_mut().and_then(|connection| connection.to.writer.take())
        {
            let _closed_already = writer.shutdown().await;
        }
    }

    /// Returns whether a line may be read from the client: it can be sent, or there is no daemon
    /// because none was needed.
    fn can_read_client(&self) -> bool {
        let is_free = self
            .connection
            .as_ref()
            .is_some_and(|connection| self.resend.is_empty() && connection.to.is_free());
        let is_idle = self.connection.is_none() && self.connecting.is_none();
        self.deadline.is_none()
            && self.waiting.is_none()
            && (is_free || is_idle)
            && !self.requests.is_full()
    }

    /// Begins to send the next waiting line.
    fn feed(&mut self) {
        while let Some(connection) =
            self.connection.as_mut().filter(|connection| connection.to.is_free())
        {
            let Some(line) = self.resend.pop().or_else(|| self.waiting.take()) else { return };
            if !self.requests.is_given_up(&line) {
                self.requests.sending(&line, connection.to.begun.saturating_add(1));
                connection.to.begin(line);
            }
        }
    }

    /// Handles a line from the daemon, or the end of the connection. Returns the bytes for the
    /// client.
    fn receive(&mut self, line: std::io::Result<Frame>) -> Vec<u8> {
        match line {
            Ok(Frame::Complete(line)) => {
                if let Some(read) = line.strip_prefix(LINES_READ.as_bytes()) {
                    let read =
                        std::str::from_utf8(read).ok().and_then(|read| read.trim().parse().ok());
                    if let Some(connection) = &mut self.connection {
                        connection.read = read;
                    }
                } else if self.requests.received(&line) {
                    return [line.as_slice(), b"\n"].concat();
                }
                Vec::new()
            }
            Ok(Frame::TooLong(_)) => {
                tracing::error!("an answer was too long to pass on");
                Vec::new()
            }
            Ok(Frame::End) | Err(_) => self.lost(),
        }
    }

    /// Handles the loss of the daemon. Returns the bytes for the client.
    fn lost(&mut self) -> Vec<u8> {
        let Some(connection) = self.connection.take() else { return Vec::new() };
        let read = connection.read.unwrap_or(connection.to.whole).min(connection.to.whole);
        let mut failover = self.requests.daemon_gone(read);
        if self.deadline.is_some() {
            failover.answers.extend(self.requests.end());
            return failover.answers.concat();
        }
        self.resend(failover.resend);
        if connection.read.is_none() || self.requests.needs_daemon() || self.waiting.is_some() {
            tracing::info!("the wallet's process is gone; looking for another");
            self.start_connecting();
        }
        failover.answers.concat()
    }

    fn resend(&mut self, lines: Vec<Vec<u8>>) {
        self.resend = lines;
        self.resend.reverse();
    }

    fn start_connecting(&mut self) {
        self.connecting.get_or_insert_with(|| Box::pin(connect(self.options, CONNECT_TIMEOUT)));
    }

    fn connect_if_needed(&mut self) {
        if self.connection.is_none() {
            self.start_connecting();
        }
    }

    /// Handles the end of an attempt to connect.
    fn connected(&mut self, result: Result<DaemonSession, Error>) {
        self.connecting = None;
        match result {
            Ok(session) => {
                if self.connection.take().is_some() {
                    let failover = self.requests.daemon_gone(0);
                    self.resend(failover.resend);
                }
                self.unavailable.abort_all();
                self.connection = Some(SessionConnection::new(
                    Box::new(session.reader),
                    Box::new(session.writer),
                ));
            }
            Err(why) => {
                if self.connection.is_none() {
                    tracing::warn!(code = why.code.as_str(), details = ?why.details, "{}", why.message);
                    let (reader, writer) = tokio::io::split(unavailable::session(
                        why,
                        self.options,
                        &mut self.unavailable,
                    ));
                    self.connection =
                        Some(SessionConnection::new(Box::new(reader), Box::new(writer)));
                }
                let options = self.options;
                self.connecting = Some(Box::pin(async move {
                    sleep(RETRY).await;
                    connect(options, CONNECT_TIMEOUT).await
                }));
            }
        }
    }
}

/// Returns at that time; never, if it is `None`.
async fn deadline(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// The next line from the daemon; waits for ever without a connection.
async fn next(frames: Option<&mut FrameReader<Reader>>) -> std::io::Result<Frame> {
    match frames {
        Some(frames) => frames.next().await,
        None => std::future::pending().await,
    }
}

async fn write(to: Option<&mut Outbound>) -> std::io::Result<()> {
    match to {
        Some(to) => to.write().await,
        None => std::future::pending().await,
    }
}

async fn connected(connecting: &mut Option<Connecting<'_>>) -> Result<DaemonSession, Error> {
    match connecting {
        Some(connecting) => connecting.await,
        None => std::future::pending().await,
    }
}
