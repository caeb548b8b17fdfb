//! The shim: carries a client's lines to the keeper and the keeper's to the client.
//!
//! Looks at lines only to know what is open; changes none. Outlives keepers: when one is gone it
//! finds or starts the next, agrees with it on what was agreed before, and asks again what changes
//! nothing. A call that could move money is sent once; where its answer is lost the client is told
//! so, and what to ask. Ends with its client, however that ends.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::elect::{LOOKING, Link, Way, elect};
use super::hello::READ;
use super::stand_in;
use super::table::Table;
use crate::mcp::{self, LINE_MAX, Line, Lines};
use crate::wallet::Error;

/// The longest line of a keeper's: a picture and a history fit many times.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// How long answers are waited for after the client has closed its end.
const LAST_ANSWERS: Duration = Duration::from_secs(40);
/// The same once the client itself is gone.
const GONE: Duration = Duration::from_secs(1);
/// Between two searches while a stand-in serves.
const AGAIN: Duration = Duration::from_secs(1);

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;
type Electing<'a> = Pin<Box<dyn Future<Output = Result<Link, Error>> + Send + 'a>>;

/// The other side: a keeper, or what stands in for one.
struct Linked {
    lines: Lines<Reader>,
    to: Sending,
    /// How many of our lines the keeper says it has read, once it ends.
    read: Option<u64>,
}

impl Linked {
    fn new(reader: Reader, writer: Writer) -> Self {
        let to = Sending { writer: Some(writer), line: Vec::new(), written: 0, begun: 0, whole: 0 };
        Self { lines: Lines::new(reader, ANSWER_MAX), to, read: None }
    }
}

/// Lines to the other side, one at a time.
struct Sending {
    /// `None` once nothing more is sent.
    writer: Option<Writer>,
    /// The line on its way, and how much of it has been written.
    line: Vec<u8>,
    written: usize,
    /// Lines begun, and lines that were written whole.
    begun: u64,
    whole: u64,
}

impl Sending {
    fn begin(&mut self, line: Vec<u8>) {
        self.begun = self.begun.saturating_add(1);
        self.line = line;
        self.line.push(b'\n');
    }

    fn is_free(&self) -> bool {
        self.writer.is_some() && self.line.is_empty()
    }

    /// Writes some of the line on its way. Cancel safe.
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

/// Carries lines between `input` and `output` and the keeper that `way` leads to, until the client
/// has gone: `gone` returns, or the input ends and what was asked is answered, or the output is
/// closed.
///
/// # Errors
/// The output cannot be written: nobody reads it any more.
pub async fn run(
    way: &Way,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin,
    gone: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let mut shim = Shim {
        way,
        table: Table::default(),
        link: None,
        electing: None,
        again: Vec::new(),
        waiting: None,
        until: None,
        standing_in: JoinSet::new(),
    };
    shim.look();
    shim.run(input, Outgoing { output, bytes: Vec::new(), written: 0, unflushed: false }, gone)
        .await
}

/// Bytes for the client.
struct Outgoing<W> {
    output: W,
    bytes: Vec<u8>,
    written: usize,
    unflushed: bool,
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.unflushed
    }

    /// Writes some of it, or flushes what was written. Cancel safe: what was not done is done the
    /// next time.
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
    way: &'a Way,
    table: Table,
    link: Option<Linked>,
    /// The search for a keeper, while there is none.
    electing: Option<Electing<'a>>,
    /// What a new keeper has to be told or asked again, before any line of the client's; last
    /// first.
    again: Vec<Vec<u8>>,
    /// A line of the client's that waits for a keeper.
    waiting: Option<Vec<u8>>,
    /// Until when the last answers are waited for, once the client has closed its end.
    until: Option<Instant>,
    standing_in: JoinSet<()>,
}

impl Shim<'_> {
    async fn run<W: AsyncWrite + Send + Unpin>(
        &mut self,
        input: impl AsyncRead + Send + Unpin,
        mut out: Outgoing<W>,
        gone: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let mut client = Lines::new(input, LINE_MAX);
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(gone);
        let mut client_gone = false;
        loop {
            self.feed();
            let over = self.until.is_some() && out.is_empty() && self.link.is_none();
            if over || self.until.is_some_and(|until| Instant::now() >= until) {
                return Ok(());
            }
            let may_read = self.wants_a_line();
            let (lines, to) =
                self.link.as_mut().map(|link| (&mut link.lines, &mut link.to)).unzip();
            tokio::select! {
                biased;
                () = at(self.until) => {}
                () = &mut gone, if !client_gone => {
                    client_gone = true;
                    self.close(GONE).await;
                }
                wrote = out.write(), if !out.is_empty() => wrote?,
                line = next(lines), if out.bytes.is_empty() => out.bytes.extend(self.hear(line)),
                wrote = write(to) => {
                    if wrote.is_err() && let Some(link) = &mut self.link {
                        // The rest of what it said is still to be read.
                        link.to.writer = None;
                    }
                }
                found = found(&mut self.electing) => self.found(found),
                line = client.next(), if may_read => match line {
                    Ok(Line::Whole(line)) => {
                        self.waiting = Some(line);
                        self.look_if_alone();
                    }
                    Ok(Line::TooLong(id)) => out.bytes.extend(mcp::too_long(id).unwrap_or_default()),
                    Ok(Line::End) | Err(_) => self.close(LAST_ANSWERS).await,
                },
                _ = second.tick() => out.bytes.extend(self.table.second().concat()),
            }
        }
    }

    /// The client has closed its end, or is gone: nothing more is sent.
    async fn close(&mut self, patience: Duration) {
        let end = Instant::now() + patience;
        self.until = Some(self.until.map_or(end, |until| until.min(end)));
        self.electing = None;
        if let Some(mut writer) = self.link.as_mut().and_then(|link| link.to.writer.take()) {
            let _closed_already = writer.shutdown().await;
        }
    }

    /// The client may say something: it can be put on its way, or there is no keeper because it
    /// wanted nothing.
    fn wants_a_line(&self) -> bool {
        let is_free =
            self.link.as_ref().is_some_and(|link| self.again.is_empty() && link.to.is_free());
        let is_resting = self.link.is_none() && self.electing.is_none();
        self.until.is_none()
            && self.waiting.is_none()
            && (is_free || is_resting)
            && !self.table.is_full()
    }

    /// Puts the next waiting line on its way.
    fn feed(&mut self) {
        while let Some(link) = self.link.as_mut().filter(|link| link.to.is_free()) {
            let Some(line) = self.again.pop().or_else(|| self.waiting.take()) else { return };
            if !self.table.is_given_up(&line) {
                self.table.sending(&line, link.to.begun.saturating_add(1));
                link.to.begin(line);
            }
        }
    }

    /// A line of the other side, or its end. What the client is told of it.
    fn hear(&mut self, line: std::io::Result<Line>) -> Vec<u8> {
        match line {
            Ok(Line::Whole(line)) => {
                if let Some(read) = line.strip_prefix(READ.as_bytes()) {
                    let read =
                        std::str::from_utf8(read).ok().and_then(|read| read.trim().parse().ok());
                    if let Some(link) = &mut self.link {
                        link.read = read;
                    }
                } else if self.table.heard(&line) {
                    return [line.as_slice(), b"\n"].concat();
                }
                Vec::new()
            }
            Ok(Line::TooLong(_)) => {
                tracing::error!("an answer was too long to pass on");
                Vec::new()
            }
            Ok(Line::End) | Err(_) => self.lose(),
        }
    }

    /// The other side is gone.
    fn lose(&mut self) -> Vec<u8> {
        let Some(link) = self.link.take() else { return Vec::new() };
        let read = link.read.unwrap_or(link.to.whole).min(link.to.whole);
        let mut gone = self.table.keeper_gone(read);
        if self.until.is_some() {
            gone.answers.extend(self.table.end());
            return gone.answers.concat();
        }
        self.tell_again(gone.again);
        if link.read.is_none() || self.table.wants_a_keeper() || self.waiting.is_some() {
            tracing::info!("the process that keeps the wallet is gone; looking for another");
            self.look();
        }
        gone.answers.concat()
    }

    fn tell_again(&mut self, lines: Vec<Vec<u8>>) {
        self.again = lines;
        self.again.reverse();
    }

    fn look(&mut self) {
        self.electing.get_or_insert_with(|| Box::pin(elect(self.way, LOOKING)));
    }

    fn look_if_alone(&mut self) {
        if self.link.is_none() {
            self.look();
        }
    }

    /// The search has ended.
    fn found(&mut self, found: Result<Link, Error>) {
        self.electing = None;
        match found {
            Ok(link) => {
                if self.link.take().is_some() {
                    let gone = self.table.keeper_gone(0);
                    self.tell_again(gone.again);
                }
                self.standing_in.abort_all();
                self.link = Some(Linked::new(Box::new(link.reader), Box::new(link.writer)));
            }
            Err(why) => {
                if self.link.is_none() {
                    tracing::warn!(code = why.code.as_str(), details = ?why.details, "{}", why.message);
                    let (reader, writer) =
                        tokio::io::split(stand_in::session(why, self.way, &mut self.standing_in));
                    self.link = Some(Linked::new(Box::new(reader), Box::new(writer)));
                }
                let way = self.way;
                self.electing = Some(Box::pin(async move {
                    sleep(AGAIN).await;
                    elect(way, LOOKING).await
                }));
            }
        }
    }
}

/// Returns then; never, where there is no such moment.
async fn at(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// The next line of the other side; never, where there is none.
async fn next(lines: Option<&mut Lines<Reader>>) -> std::io::Result<Line> {
    match lines {
        Some(lines) => lines.next().await,
        None => std::future::pending().await,
    }
}

async fn write(to: Option<&mut Sending>) -> std::io::Result<()> {
    match to {
        Some(to) => to.write().await,
        None => std::future::pending().await,
    }
}

async fn found(electing: &mut Option<Electing<'_>>) -> Result<Link, Error> {
    match electing {
        Some(electing) => electing.await,
        None => std::future::pending().await,
    }
}
