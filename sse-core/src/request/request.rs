//! What the rules need of a request.

use crate::request::accept::Accept;
use crate::request::grammar::trim;
use crate::request::last_event_id::{self, LastEventId, Lines};
use crate::request::origin::Provenance;

/// A request as the rules see it: its method, its query, and its `Accept` and `Last-Event-ID` headers. It names no
/// framework's types, and to build it allocates nothing.
///
/// # Examples
/// ```
/// use sse_core::{Policy, Request};
///
/// let headers = [("Accept", &b"text/event-stream"[..]), ("Last-Event-ID", b"41")];
/// let admitted = Policy::default().check(&Request::new("GET", None, headers))?;
/// assert_eq!(admitted.last_event_id.as_str(), Some("41"));
/// # Ok::<(), sse_core::Rejection>(())
/// ```
#[derive(Debug, Clone)]
pub struct Request<'h> {
    pub(crate) method: &'h str,
    query: Option<&'h str>,
    pub(crate) accept: Accept,
    last_event_id: Lines<'h>,
    pub(crate) from: Provenance<'h>,
}

impl<'h> Request<'h> {
    /// Reads a request: its method as it stands in the request line, because methods are case-sensitive; its query
    /// without the question mark; and all its header lines, names in any case, values as bytes.
    ///
    /// With the crate `http` that is `Request::new(parts.method.as_str(), parts.uri.query(),
    /// parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))`.
    ///
    /// Source: RFC 9110 5.1 and 9.1.
    #[must_use]
    pub fn new(
        method: &'h str,
        query: Option<&'h str>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Self {
        let (accept, last_event_id, from) = (Accept::default(), Lines::default(), Provenance::default());
        let mut request = Self { method, query, accept, last_event_id, from };
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("accept") {
                request.accept.read(value);
            } else if name.eq_ignore_ascii_case("last-event-id") {
                request.last_event_id.read(value);
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

    /// Sets the authority of the request's target: HTTP/2 has it in `:authority`, HTTP/1 in a target of absolute form.
    /// With the crate `http` that is `parts.uri.authority().map(|authority| authority.as_str())`.
    ///
    /// A `Host` header beside it must name the same host: [`Policy::hosts`](crate::Policy::hosts) and
    /// [`Policy::origins`](crate::Policy::origins) reject a request in which they differ.
    ///
    /// Source: RFC 9112 3.2.2, RFC 9113 8.3.1.
    #[must_use]
    pub fn authority(mut self, authority: Option<&'h str>) -> Self {
        self.from.authority = authority.map(str::as_bytes);
        self
    }

    /// From the header; if it is absent or empty, from this parameter of the query.
    pub(crate) fn last_event_id(&self, parameter: Option<&str>) -> LastEventId {
        let header = self.last_event_id.outcome();
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
