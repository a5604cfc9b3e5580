//! The parts of a request that a policy checks.

use crate::request::accept::Accept;
use crate::request::accept_encoding::AcceptEncoding;
use crate::request::grammar::trim;
use crate::request::last_event_id::{self, IdLines, LastEventId};
use crate::request::origin::Provenance;

/// The parts of an HTTP request that a [`Policy`](crate::Policy) checks: method, query, authority, and the headers
/// `Accept`, `Accept-Encoding`, `Last-Event-ID`, `Host`, `Origin` and `Sec-Fetch-Site`.
///
/// The type depends on no framework, and borrows all text.
///
/// # Examples
/// ```
/// use sse_core::{Policy, Request};
///
/// let headers = [("Accept", &b"text/event-stream"[..]), ("Last-Event-ID", b"41")];
/// let accepted = Policy::default().check(&Request::new("GET", None, headers))?;
/// assert_eq!(accepted.last_event_id.as_str(), Some("41"));
/// # Ok::<(), sse_core::Rejection>(())
/// ```
#[derive(Debug, Clone)]
pub struct Request<'h> {
    pub(crate) method: &'h str,
    query: Option<&'h str>,
    pub(crate) accept: Accept,
    pub(crate) accept_encoding: AcceptEncoding,
    last_event_id: IdLines<'h>,
    pub(crate) from: Provenance<'h>,
}

impl<'h> Request<'h> {
    /// Creates a request from the method (case-sensitive), the query without `?`, and all header lines. Header names may
    /// have any case; values are bytes.
    ///
    /// [`Request`] has an example. With the crate `http` the call is `Request::new(parts.method.as_str(), parts.uri.query(),
    /// parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))`.
    ///
    /// Source: RFC 9110 5.1 and 9.1.
    #[must_use]
    pub fn new(
        method: &'h str,
        query: Option<&'h str>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Self {
        let mut request = Self {
            method,
            query,
            accept: Accept::default(),
            accept_encoding: AcceptEncoding::default(),
            last_event_id: IdLines::default(),
            from: Provenance::default(),
        };
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("accept") {
                request.accept.add_line(value);
            } else if name.eq_ignore_ascii_case("accept-encoding") {
                request.accept_encoding.add_line(value);
            } else if name.eq_ignore_ascii_case("last-event-id") {
                request.last_event_id.add_line(value);
            } else if name.eq_ignore_ascii_case("host") {
                request.from.ambiguous |= request.from.host.replace(trim(value)).is_some();
            } else if name.eq_ignore_ascii_case("origin") {
                request.from.ambiguous |= request.from.origin.replace(trim(value)).is_some();
            } else if name.eq_ignore_ascii_case("sec-fetch-site") {
                request.from.ambiguous |= request.from.site.replace(trim(value)).is_some();
            }
        }
        request
    }

    /// Sets the authority of the request's target: `:authority` in HTTP/2, the authority of an absolute-form target in
    /// HTTP/1. With the crate `http` the value is `parts.uri.authority().map(|authority| authority.as_str())`. `None` by
    /// default.
    ///
    /// A `Host` header in the same request must name the same host: [`Policy::hosts`](crate::Policy::hosts) and
    /// [`Policy::origins`](crate::Policy::origins) reject a request in which they differ.
    ///
    /// ```
    /// use sse_core::{Policy, Rejection, Request};
    ///
    /// let policy = Policy::local();
    /// let request = Request::new("GET", None, [("host", &b"localhost"[..])]);
    /// assert!(policy.check(&request.clone().authority(Some("localhost"))).is_ok());
    /// assert_eq!(policy.check(&request.authority(Some("evil.example"))), Err(Rejection::HostNotAllowed));
    /// ```
    ///
    /// Source: RFC 9112 3.2.2, RFC 9113 8.3.1.
    #[must_use]
    pub fn authority(mut self, authority: Option<&'h str>) -> Self {
        self.from.authority = authority.map(str::as_bytes);
        self
    }

    /// Returns the ID from the header. If the header is absent or empty, returns the ID from this query parameter.
    pub(crate) fn last_event_id(&self, parameter: Option<&str>) -> LastEventId {
        let header = self.last_event_id.last_event_id();
        let (LastEventId::Absent | LastEventId::Empty, Some(name), Some(query)) = (&header, parameter, self.query)
        else {
            return header;
        };
        match last_event_id::from_query(query, name) {
            LastEventId::Absent => header,
            from_query => from_query,
        }
    }
}
