//! Servers that are not the mint they should be: no such name, nobody there, certificates that are
//! wrong. No request may reach them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use serde_json::json;
use testbed::harness::{Client, Outcome, Session, WIDE};
use testbed::must;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;

/// Longer than a server waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// The flag with which a process keeps the wallet for itself.
const ALONE: &str = "--in-process";

/// F-030. The machine trusts an authority of ours, so that a certificate is refused for what is
/// wrong with it; the one that is right shows that the others were refused for that.
pub(crate) async fn strangers(run: Run) -> Outcome<Proof> {
    let authority = Authority::new()?;
    let scene = Scene::set(&run).await?;
    let trusted = scene.wallet()?.home.path().join("authority.pem");
    fs::write(&trusted, authority.certificate.as_bytes())?;
    let servers = [
        ("self-signed", Server::start(authority.of_nobody()?).await?),
        ("expired", Server::start(authority.signed("127.0.0.1", (2020, 2021))?).await?),
        ("not valid yet", Server::start(authority.signed("127.0.0.1", (2090, 2091))?).await?),
        ("of another host", Server::start(authority.signed("mint.example", (2020, 2090))?).await?),
    ];
    let right = Server::start(authority.signed("127.0.0.1", (2020, 2090))?).await?;
    let closed = format!("https://{}", TcpListener::bind("127.0.0.1:0").await?.local_addr()?);
    let no_name = "https://mint.nutpurse.example".to_owned();
    let mut urls: Vec<String> = servers.iter().map(|(_, server)| server.url.clone()).collect();
    urls.extend([closed, no_name, right.url.clone()]);

    let wallet = scene.wallet_at(&urls, WIDE)?;
    let mut command = wallet.command("tester");
    // A process that keeps the wallet for others takes no word from its starter on whom to trust.
    if command.as_std().get_args().all(|argument| argument != ALONE) {
        command.arg(ALONE);
    }
    command.env("SSL_CERT_FILE", &trusted);
    let session = Session::start(command, fs::File::create(wallet.log_path())?, &run.watch).await?;
    let mut fired = 0;
    for url in &urls {
        let since = Instant::now();
        let told = session
            .call("deposit", json!({"amount_sats": 5, "mint": url}))
            .await?
            .ok_or("it ended")?;
        must!(told.is_harmless_refusal(), "{url}: {told}");
        must!(*url == right.url || told.text("error") == "mint_unreachable", "{url}: {told}");
        must!(since.elapsed() < Duration::from_secs(46), "{url} took {:?}", since.elapsed());
        fired += 1;
    }
    for (what, server) in &servers {
        let (hellos, requests) = server.seen();
        must!(hellos > 0 && requests == 0, "{what}: {hellos} connections, {requests} requests");
    }
    must!(right.seen().1 > 0, "no request reached the one that is right: {:?}", right.seen());
    session.close().await?;
    scene.conserved().await?;
    Ok(Proof::of(fired - 1))
}

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

type Pair = (Vec<u8>, Vec<u8>);

impl Authority {
    fn new() -> Outcome<Self> {
        let (key, mut params) = (KeyPair::generate()?, CertificateParams::new(Vec::new())?);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// A certificate for this host, valid from the one year to the other, and its key.
    fn signed(&self, host: &str, (from, to): (i32, i32)) -> Outcome<Pair> {
        let (key, mut params) =
            (KeyPair::generate()?, CertificateParams::new(vec![host.to_owned()])?);
        (params.not_before, params.not_after) =
            (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        Ok((params.signed_by(&key, &self.issuer)?.der().to_vec(), key.serialize_der()))
    }

    /// One that nobody but its owner has signed.
    fn of_nobody(&self) -> Outcome<Pair> {
        let key = KeyPair::generate()?;
        Ok((
            CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?.der().to_vec(),
            key.serialize_der(),
        ))
    }
}

/// A server with TLS that counts who comes, and who asks for something.
struct Server {
    url: String,
    hellos: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    _accepts: JoinSet<()>,
}

impl Server {
    async fn start((certificate, key): Pair) -> Outcome<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth();
        let config = Arc::new(
            config
                .with_single_cert(vec![certificate.into()], PrivatePkcs8KeyDer::from(key).into())?,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{}", listener.local_addr()?);
        let (hellos, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, asked, mut accepts) =
            (Arc::clone(&hellos), Arc::clone(&requests), JoinSet::new());
        accepts.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                let (asked, config) = (Arc::clone(&asked), Arc::clone(&config));
                talks.spawn_blocking(move || {
                    // A client that refuses the certificate ends the talk here.
                    if let Ok(stream) = stream.into_std() {
                        talk(stream, config, &asked).ok();
                    }
                });
            }
        });
        Ok(Self { url, hellos, requests, _accepts: accepts })
    }

    /// Connections, and how many of them went on to a request.
    fn seen(&self) -> (usize, usize) {
        (self.hellos.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

fn talk(mut stream: TcpStream, config: Arc<ServerConfig>, asked: &AtomicUsize) -> Outcome {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut connection = ServerConnection::new(config)?;
    let mut tls = Stream::new(&mut connection, &mut stream);
    if tls.read(&mut [0; 4096])? > 0 {
        asked.fetch_add(1, Ordering::SeqCst);
        tls.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    }
    Ok(())
}
