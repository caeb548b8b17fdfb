//! Names to addresses, each of them checked, so that a connection is made to a checked address and to no other.
//!
//! What is connected to is what was looked at here: nobody asks a second time. Of a name with public and private
//! addresses the public ones remain.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

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
pub(super) async fn resolve(host: &str, port: u16, private_too: bool) -> Result<Vec<SocketAddr>, ResolveError> {
    let found = lookup_host((host, port)).await.map_err(ResolveError::Unknown)?;
    let fit: Vec<SocketAddr> = found.filter(|address| private_too || is_public(address.ip())).collect();
    if fit.is_empty() { Err(ResolveError::Private) } else { Ok(fit) }
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
    async fn numbers_are_judged_too() {
        assert!(matches!(resolve("127.0.0.1", 80, false).await, Err(ResolveError::Private)));
        assert!(matches!(resolve("not a name", 80, true).await, Err(ResolveError::Unknown(_))));
    }
}
