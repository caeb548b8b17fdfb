//! Rule for callbacks, to which a payee's server refers for the invoice.
//!
//! The standard allows any place. We require the place that the caller named: the same host, a
//! subdomain of it, or the domain it is a subdomain of, at the same port or at 443, and never in
//! plain text if the first answer came over TLS. The reasons:
//!
//! * Only the server that the caller named is contacted, and learns the amount and the comment. A
//!   person who allows a payment to `name@shop.example` has allowed no other server.
//! * An answer cannot direct us at third parties: at a stranger's server, or at one that the owner
//!   has listed for other uses (an address that the network rules allow because a trusted mint is
//!   there).
//! * Subdomains and parents suffice in nearly all cases (`pay.`, `api.`, `ln.`). The controller of
//!   a domain assigns its subdomains; neither gains anything by naming the other.
//!
//! Some providers answer from another of their domains; the known ones are in [`SAME_HANDS`]. A
//! static file that points to another provider is refused: its owner has an address at that
//! provider, which can be paid.

use url::{Host, Url};

/// Pairs of domains of one provider: that of its addresses, and that of its callbacks.
const SAME_HANDS: &[(&str, &str)] = &[("walletofsatoshi.com", "livingroomofsatoshi.com")];

/// Returns whether `callback` may be requested if `server` named it.
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

/// Returns whether `name` is `domain` or a subdomain of it.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Returns whether it uses TLS, or is as plain as the server itself on the same host.
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
