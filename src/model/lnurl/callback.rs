//! Where a payee's server may send us for the invoice.
//!
//! The standard names no rule: a callback may be anywhere. Ours is that it stays at the place that
//! the caller named: the same host, a subdomain of it, or the domain it is a subdomain of, at the
//! same port or at 443, and never in plain text where the first answer came over TLS. Because:
//!
//! * What the caller named is then what is contacted and told the amount and the comment. A person
//!   who allows a payment to `name@shop.example` has allowed no other server.
//! * An answer cannot turn us on third parties: not on a stranger's server, not on what the owner
//!   listed for other uses (an address that the network lets through because the owner trusts a
//!   mint there).
//! * Subdomains and parents are enough for nearly everybody (`pay.`, `api.`, `ln.` in front). Who
//!   controls a domain gave its subdomains away; neither gains anything by naming the other.
//!
//! Some providers answer from another domain of theirs; those that are known to are in
//! [`SAME_HANDS`]. A static file that points to somebody else's provider is refused: its owner has
//! an address at that provider, which can be paid.

use url::{Host, Url};

/// Domains of one provider: whose addresses they are, and where its callbacks are.
const SAME_HANDS: &[(&str, &str)] = &[("walletofsatoshi.com", "livingroomofsatoshi.com")];

/// `callback` may be asked when `server` named it.
pub(super) fn stays(server: &Url, callback: &Url) -> bool {
    is_same_place(server, callback)
        && is_as_safe(server, callback)
        && is_same_port(server, callback)
}

fn is_same_place(server: &Url, callback: &Url) -> bool {
    match (server.host(), callback.host()) {
        (Some(Host::Domain(named)), Some(Host::Domain(sent))) => {
            let (named, sent) = (named.trim_end_matches('.'), sent.trim_end_matches('.'));
            let in_same_hands = SAME_HANDS
                .iter()
                .any(|(address, other)| is_within(named, address) && is_within(sent, other));
            is_within(sent, named)
                || (sent.contains('.') && is_within(named, sent))
                || in_same_hands
        }
        (Some(named), Some(sent)) => named == sent,
        _ => false,
    }
}

/// `name` is `domain`, or a subdomain of it.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Over TLS, or as plain as the server itself at that very place.
fn is_as_safe(server: &Url, callback: &Url) -> bool {
    match (server.scheme(), callback.scheme()) {
        (_, "https") => true,
        ("http", "http") => server.host() == callback.host(),
        _ => false,
    }
}

fn is_same_port(server: &Url, callback: &Url) -> bool {
    let port = callback.port_or_known_default();
    port == server.port_or_known_default() || (callback.scheme() == "https" && port == Some(443))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_stays_where_the_address_is() -> Result<(), url::ParseError> {
        let table = [
            ("https://shop.example/x", "https://shop.example/cb", true),
            ("https://shop.example/x", "https://SHOP.example:443/cb?a=b", true),
            ("https://shop.example/x", "https://api.shop.example/cb", true),
            ("https://pay.shop.example/x", "https://shop.example/cb", true),
            ("https://shop.example:8443/x", "https://shop.example:8443/cb", true),
            ("https://shop.example:8443/x", "https://shop.example/cb", true),
            ("https://walletofsatoshi.com/x", "https://livingroomofsatoshi.com/cb", true),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:9/cb", true),
            ("https://shop.example/x", "https://evil.example/cb", false),
            ("https://shop.example/x", "https://evilshop.example/cb", false),
            ("https://shop.example/x", "https://shop.example.evil.example/cb", false),
            ("https://shop.example/x", "https://example/cb", false),
            ("https://shop.example/x", "https://livingroomofsatoshi.com/cb", false),
            ("https://livingroomofsatoshi.com/x", "https://walletofsatoshi.com/cb", false),
            ("https://shop.example/x", "https://shop.example:22/cb", false),
            ("https://shop.example/x", "https://shop.example:8443/cb", false),
            ("https://shop.example/x", "http://shop.example/cb", false),
            ("https://shop.example/x", "https://127.0.0.1/cb", false),
            ("https://shop.example/x", "https://[::1]/cb", false),
            ("https://10.0.0.1/x", "https://0.0.0.1/cb", false),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:10/cb", false),
            ("http://127.0.0.1:9/x", "http://127.0.0.2:9/cb", false),
            ("http://localhost:9/x", "http://a.localhost:9/cb", false),
        ];
        for (server, callback, may) in table {
            assert_eq!(
                stays(&Url::parse(server)?, &Url::parse(callback)?),
                may,
                "{server} names {callback}"
            );
        }
        Ok(())
    }
}
