//! Which exchange the proxy fails, and at which moment of it.

use std::fmt;
use std::sync::Arc;

/// The moment at which an exchange fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request never reaches the mint; the connection is closed.
    BeforeRequest,
    /// The mint has done it; the answer is lost with the connection.
    AfterMint,
    /// The request never reaches the mint and nothing is answered, until the client leaves or
    /// [`Proxy::release`](crate::Proxy::release) closes the connection.
    Hang,
    /// The request never reaches the mint; this status is answered, with the body of
    /// [`Rule::answer`].
    Status(u16),
    /// The mint has done it; this status is answered instead, with the body of [`Rule::answer`].
    StatusAfterMint(u16),
    /// This status is answered at once, with the body of [`Rule::answer`]; the mint gets the
    /// request at [`Proxy::deliver`](crate::Proxy::deliver).
    StatusThenDeliver(u16),
    /// The request never reaches the mint; a mint's error with this code is answered, status 400.
    Refuse(u16),
    /// The mint has done it; a mint's error with this code is answered instead, status 400.
    RefuseAfterMint(u16),
    /// The mint has done it; a page that is not JSON is answered instead, with status 200.
    Garbage,
    /// The mint has done it; half of the answer's body comes through, then the connection closes.
    Truncate,
    /// The connection is closed now; the mint gets the request at
    /// [`Proxy::deliver`](crate::Proxy::deliver).
    HoldThenDeliver,
    /// Held before the mint gets the request, until released (it goes on) or the client is gone
    /// (the mint never gets it).
    HoldBefore,
    /// Held after the mint has answered, until released (the answer is passed on) or the client is
    /// gone.
    HoldAfter,
    /// The answer is passed on whole; what the rule does then comes right after its last byte.
    AfterAnswer,
    /// The mint has done it; its answer comes one byte a second, until the client leaves.
    Drip,
    /// The request never reaches the mint; an answer of so many bytes is sent, all of them spaces.
    Flood(u64),
    /// The request never reaches the mint; the bytes of [`Rule::verbatim`] are sent as they are,
    /// and the connection is closed.
    Verbatim,
}

/// One exchange to fail: by method, path and count.
#[derive(Clone)]
pub struct Rule {
    pub(crate) method: String,
    pub(crate) path_prefix: String,
    pub(crate) nth: Option<usize>,
    pub(crate) at: Moment,
    pub(crate) then: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(crate) bytes: Arc<[u8]>,
}

impl Rule {
    /// The next exchange of `method` (`""` is any) whose path begins with `path_prefix`. Mind that
    /// `/v1/melt` also begins `/v1/melt/quote/bolt11`.
    #[must_use]
    pub fn new(method: &str, path_prefix: &str, at: Moment) -> Self {
        let (method, path_prefix) = (method.to_owned(), path_prefix.to_owned());
        Self { method, path_prefix, nth: Some(1), at, then: None, bytes: Arc::default() }
    }

    /// The next exchange is answered with these bytes, head and all, whatever they are.
    #[must_use]
    pub fn verbatim(method: &str, path_prefix: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { bytes: bytes.into(), ..Self::new(method, path_prefix, Moment::Verbatim) }
    }

    /// The next exchange is answered with this status and body, whatever `at` says becomes of the
    /// request.
    #[must_use]
    pub fn answer(
        method: &str,
        path_prefix: &str,
        at: fn(u16) -> Moment,
        status: u16,
        body: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self { bytes: body.into(), ..Self::new(method, path_prefix, at(status)) }
    }

    /// The `nth` matching exchange from now on, counted from 1.
    #[must_use]
    pub fn nth(self, nth: usize) -> Self {
        Self { nth: Some(nth), ..self }
    }

    /// Every matching exchange.
    #[must_use]
    pub fn every(self) -> Self {
        Self { nth: None, ..self }
    }

    /// Calls `then` at the moment, before the connection is closed or while it is held: the place
    /// to kill a wallet. The proxy's thread waits for it.
    #[must_use]
    pub fn then(self, then: impl Fn() + Send + Sync + 'static) -> Self {
        Self { then: Some(Arc::new(then)), ..self }
    }

    pub(crate) fn matches(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method == method) && path.starts_with(&self.path_prefix)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path_prefix, nth, at, .. } = self;
        write!(f, "{method} {path_prefix} {nth:?} {at:?}")
    }
}

/// A rule that was given to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(pub(crate) usize);
