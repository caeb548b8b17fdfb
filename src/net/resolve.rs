//! Names to addresses, each of them checked, so that a connection is made to a checked address and
//! to no other.
//!
//! What is connected to is what was looked at here: nobody asks a second time. Of a name with
//! public and private addresses the public ones remain. What a proxy connects to is not looked at
//! here: a name that leads to a private address as far as this machine knows is not given to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};

use super::address::is_public;

/// Why a name led nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// It has addresses, none of them public.
    #[error("the name leads to a private address")]
    Private,
    /// Nobody knows it, or nobody answered.
    #[error("the name does not resolve")]
    Unknown(#[source] std::io::Error),
}

/// All addresses of `host`, with `port`. `private_too` for origins the owner listed.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    private_too: bool,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let found = lookup_host((host, port)).await.map_err(ResolveError::Unknown)?;
    let fit: Vec<SocketAddr> =
        found.filter(|address| private_too || is_public(address.ip())).collect();
    if fit.is_empty() { Err(ResolveError::Private) } else { Ok(fit) }
}

/// How long a name is looked up here before the proxy is given it.
const LOOKUP: Duration = Duration::from_secs(2);

/// How long what was found of a name is remembered.
const KEPT: Duration = Duration::from_secs(600);

/// What this machine knows of the names that a proxy is to resolve.
#[derive(Debug, Default)]
pub(super) struct Neighbours(Mutex<HashMap<String, (Instant, bool)>>);

impl Neighbours {
    /// One of the name's addresses, as far as this machine knows them within 2 s, is private.
    pub(super) async fn has(&self, name: &str) -> bool {
        let now = Instant::now();
        if let Some((_, private)) =
            self.known().get(name).filter(|(at, _)| now.duration_since(*at) < KEPT)
        {
            return *private;
        }
        let found = timeout(LOOKUP, lookup_host((name, 0))).await;
        let private = found.is_ok_and(|found| {
            found.is_ok_and(|mut addresses| addresses.any(|address| !is_public(address.ip())))
        });
        let mut known = self.known();
        known.retain(|_, (at, _)| now.duration_since(*at) < KEPT);
        known.insert(name.to_owned(), (now, private));
        private
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resolver of the client that may only go to public addresses, and to the owner's proxy.
#[derive(Debug)]
pub(super) struct PublicOnly {
    /// The proxy's host, which may be private.
    pub(super) proxy_host: Option<String>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let private_too = self.proxy_host.as_ref() == Some(&host);
        Box::pin(async move {
            let found = resolve(&host, 0, private_too).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_of_this_machine_is_private() {
        assert!(matches!(resolve("localhost", 80, false).await, Err(ResolveError::Private)));
        assert!(resolve("localhost", 80, true).await.is_ok_and(|found| !found.is_empty()));
    }

    #[tokio::test]
    async fn a_name_is_a_neighbour_only_where_it_is_known_to_be_one() {
        let neighbours = Neighbours::default();
        for (name, private) in
            [("localhost", true), ("not a name", false), ("127.0.0.1", true), ("1.1.1.1", false)]
        {
            assert_eq!(
                (neighbours.has(name).await, neighbours.has(name).await),
                (private, private),
                "{name}"
            );
        }
        assert_eq!(neighbours.known().len(), 4);
    }

    #[tokio::test]
    async fn numbers_are_judged_too() {
        assert!(matches!(resolve("127.0.0.1", 80, false).await, Err(ResolveError::Private)));
        assert!(matches!(resolve("not a name", 80, true).await, Err(ResolveError::Unknown(_))));
    }
}
