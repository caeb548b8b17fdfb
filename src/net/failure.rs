//! Classifies failed requests by whether they may have been sent.
//!
//! A failure is `NotSent` only if no connection was made. Otherwise it is `Lost`, because the
//! server may have received the whole request. The texts are ours: they contain nothing from the
//! server or the URL.

use std::error::Error;
use std::io;

use super::resolve::ResolveError;
use crate::ports::HttpFailure;

pub(super) fn exchange_failure(error: &reqwest::Error) -> HttpFailure {
    if let Some(ResolveError::Private) = find::<ResolveError>(error) {
        HttpFailure::Refused("the name resolves to a private address".to_owned())
    } else if error.is_connect() || error.is_builder() {
        connect_failure(error)
    } else {
        HttpFailure::Lost(lost_reason(error).to_owned())
    }
}

pub(super) fn connect_failure(error: &(dyn Error + 'static)) -> HttpFailure {
    if find::<ResolveError>(error).is_some() {
        return HttpFailure::Unresolved;
    }
    let kind = find::<io::Error>(error).map(io::Error::kind);
    let why = match (find::<rustls::Error>(error), kind) {
        (Some(rustls::Error::InvalidCertificate(_)), _) => "its TLS certificate is not valid",
        (Some(_), _) => "TLS failed",
        (None, Some(io::ErrorKind::ConnectionRefused)) => "the connection was refused",
        (None, Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable)) => {
            "it cannot be reached from this network"
        }
        _ if timed_out(error) => "no connection in time",
        _ => "no connection could be made",
    };
    HttpFailure::NotSent(why.to_owned())
}

fn lost_reason(error: &reqwest::Error) -> &'static str {
    if error.is_body() || error.is_decode() {
        "the answer was cut off"
    } else {
        "the connection ended before the answer"
    }
}

fn timed_out(error: &(dyn Error + 'static)) -> bool {
    let outer = error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout);
    outer || find::<io::Error>(error).is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
}

/// Finds the first error of type `E` among `error` and its sources.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(one) = next {
        if let Some(found) = one.downcast_ref::<E>() {
            return Some(found);
        }
        next = within_io(one).or_else(|| one.source());
    }
    None
}

/// The error inside an I/O error, which `source` skips.
fn within_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let within = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(within)
}
