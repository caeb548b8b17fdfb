//! Resolves names and checks the addresses, so that connections go only to checked addresses.
//!
//! The connection uses the addresses found here without resolving the name again. If a name has
//! public and private addresses, only the public ones are used. The addresses that a proxy connects
//! to cannot be checked here, so a name that this machine resolves to a private address is not
//! passed to the proxy.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};

use super::address::is_public;

#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// The name has addresses, but no public ones.
    #[error("the name resolves to a private address")]
    Private,
    /// The name is unknown, or the resolver did not answer.
    #[error("the name does not resolve")]
    Unknown(#[source] std::io::Error),
}

/// Resolves `host` to its public addresses with `port`; with `private_too`, to all of them.
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

/// Time limit for resolving a name here before it is passed to the proxy.
const LOOKUP: Duration = Duration::from_secs(2);

/// How long a result is cached.
const CACHE_TIME: Duration = Duration::from_secs(600);

/// A cache of names and whether this machine resolves them to a private address; those are not
/// passed to a proxy.
#[derive(Debug, Default)]
pub(super) struct PrivateNames(Mutex<HashMap<String, (Instant, bool)>>);

impl PrivateNames {
    /// Returns whether this machine resolves the name to a private address within 2 s.
    pub(super) async fn contains(&self, name: &str) -> bool {
        let now = Instant::now();
        if let Some((_, private)) =
            self.known().get(name).filter(|(at, _)| now.duration_since(*at) < CACHE_TIME)
        {
            return *private;
        }
        let found = timeout(LOOKUP, lookup_host((name, 0))).await;
        let private = found.is_ok_and(|found| {
            found.is_ok_and(|mut addresses| addresses.any(|address| !is_public(address.ip())))
        });
        let mut known = self.known();
        known.retain(|_, (at, _)| now.duration_since(*at) < CACHE_TIME);
        known.insert(name.to_owned(), (now, private));
        private
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resolver for connections to public addresses and to the owner's proxy.
#[derive(Debug)]
pub(super) struct PublicResolver {
    /// The proxy's host, which may be private.
    pub(super) proxy_host: Option<String>,
}

impl Resolve for PublicResolver {
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
    async fn a_name_is_private_only_where_it_is_known_to_be() {
        let private_names = PrivateNames::default();
        for (name, private) in
            [("localhost", true), ("not a name", false), ("127.0.0.1", true), ("1.1.1.1", false)]
        {
            assert_eq!(
                (private_names.contains(name).await, private_names.contains(name).await),
                (private, private),
                "{name}"
            );
        }
        assert_eq!(private_names.known().len(), 4);
    }

    #[tokio::test]
    async fn numbers_are_judged_too() {
        assert!(matches!(resolve("127.0.0.1", 80, false).await, Err(ResolveError::Private)));
        assert!(matches!(resolve("not a name", 80, true).await, Err(ResolveError::Unknown(_))));
    }
}
