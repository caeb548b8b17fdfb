//! A mint written by others: Nutshell with its fake Lightning, which pays every invoice. A process
//! of its own on loopback, with its books read from its SQLite database. It must have been
//! installed before (`tests/peers/setup`).

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lightning_invoice::Bolt11Invoice;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

/// A running Nutshell mint; ended when dropped.
#[derive(Debug)]
pub struct Nutshell {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Nutshell {
    /// Starts the `program` (`.../bin/mint`) on a free port with an empty database, an input fee
    /// and no delay.
    pub async fn start(program: &Path) -> Result<Self> {
        ensure!(program.is_file(), "Nutshell is not installed: tests/peers/setup does it");
        let folder = TempDir::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = File::create(folder.path().join("log"))?;
        let key: [u8; 32] = rand::random();
        let mut command = Command::new(program);
        command.env_clear().current_dir(folder.path()).stdout(log.try_clone()?).stderr(log);
        command
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder.path())
            .env("CASHU_DIR", folder.path());
        command
            .env("MINT_DATABASE", folder.path().join("mint"))
            .env("MINT_PRIVATE_KEY", cdk_common::util::hex::encode(key));
        command.env("MINT_LISTEN_HOST", "127.0.0.1").env("MINT_LISTEN_PORT", port.to_string());
        command
            .env("MINT_BACKEND_BOLT11_SAT", "FakeWallet")
            .env("MINT_INPUT_FEE_PPK", "100")
            .env("MINT_RATE_LIMIT", "FALSE");
        command.env("FAKEWALLET_BRR", "TRUE").env("TOR", "FALSE");
        command
            .env("FAKEWALLET_DELAY_INCOMING_PAYMENT", "0")
            .env("FAKEWALLET_DELAY_OUTGOING_PAYMENT", "0");
        let mut mint = Self { process: command.spawn()?, port, folder };
        tokio::time::timeout(START, mint.listens())
            .await
            .context("Nutshell does not listen within a minute")??;
        Ok(mint)
    }

    async fn listens(&mut self) -> Result<()> {
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("Nutshell ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Where it answers: `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What wallets hold: signed less spent, in sat.
    pub fn outstanding(&self) -> Result<u64> {
        let sum = "SELECT (SELECT coalesce(sum(amount), 0) FROM promises WHERE c_ IS NOT NULL)
            - (SELECT coalesce(sum(amount), 0) FROM proofs_used)";
        Ok(self.open()?.query_row(sum, [], |row| row.get(0))?)
    }

    /// The payment hash and the amount of every payment it made.
    pub fn paid(&self) -> Result<Vec<(String, u64)>> {
        let database = self.open()?;
        let mut statement =
            database.prepare("SELECT request, amount FROM melt_quotes WHERE state = 'PAID'")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let mut paid = Vec::new();
        for row in rows {
            let (request, amount) = row?;
            let invoice: Bolt11Invoice =
                request.parse().ok().context("a paid request that is no invoice")?;
            paid.push((invoice.payment_hash().to_string(), amount));
        }
        Ok(paid)
    }

    fn open(&self) -> Result<Connection> {
        let path: PathBuf = self.folder.path().join("mint").join("mint.sqlite3");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(path, flags).context("Nutshell's database")?;
        database.busy_timeout(Duration::from_secs(5))?;
        Ok(database)
    }
}

impl Drop for Nutshell {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
