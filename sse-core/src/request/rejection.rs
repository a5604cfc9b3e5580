//! The answer to a request that opens no stream. Only this file maps rejections to HTTP.

use crate::request::accept::AcceptMode;
#[cfg(feature = "gzip")]
use crate::request::head::COMPRESSED_HEADERS;
use crate::request::head::STREAM_HEADERS;

/// The reason why a request opens no stream, and the answer to the request: [`status`](Self::status),
/// [`headers`](Self::headers) and [`body`](Self::body) are the whole response.
///
/// # Examples
/// ```
/// use sse_core::{Policy, Request};
///
/// let rejection = Policy::default().check(&Request::new("POST", None, [])).unwrap_err();
/// assert_eq!(rejection.status(), 405);
/// assert_eq!(rejection.headers().next(), Some(("allow", "GET, HEAD")));
/// assert_eq!(
///     rejection.body(),
///     "this route opens an event stream only for these methods: GET, HEAD\n\
///      To open a stream for the method of this request too, name it in the policy of the route (`Policy::fetch()` allows \
///      GET and POST with any Accept header):\n\
///      \n    \
///      let policy = Policy::default().methods([\"GET\", \"POST\"]);\n"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// 405: the policy of the route does not list the method of the request. [`Policy::methods`](crate::Policy::methods)
    /// sets the list.
    #[error("this route opens an event stream only for these methods: {allow}")]
    MethodNotAllowed {
        /// The methods of the policy, as in the header `allow`.
        allow: Box<str>,
    },
    /// 406: the `Accept` header of the request excludes event streams. [`Policy::accept`](crate::Policy::accept) changes
    /// the check.
    #[error("the Accept header of the request does not {} text/event-stream", match .mode {
        AcceptMode::Named => "name",
        _ => "allow",
    })]
    NotAcceptable {
        /// The mode in which the policy checks the header.
        mode: AcceptMode,
    },
    /// 403: the host of the request is not one of [`Policy::hosts`](crate::Policy::hosts).
    #[error("this route answers no requests for the Host of this request")]
    HostNotAllowed,
    /// 403: the origin of the request is not one of [`Policy::origins`](crate::Policy::origins).
    #[error("this route answers no pages of the Origin of this request")]
    OriginNotAllowed,
    /// 200 with the headers of a stream and no body: the answer to HEAD. The response must have no `content-length`.
    #[error("a HEAD request is answered with the head of the stream alone")]
    Head,
    /// [`Head`](Self::Head) for streams that are compressed, see [`Policy::compressed`](crate::Policy::compressed).
    #[cfg(feature = "gzip")]
    #[error("a HEAD request is answered with the head of the stream alone")]
    CompressedHead {
        /// Whether the client accepts gzip.
        gzip: bool,
    },
    /// 204: the client's last event ID is `end`, so the stream has finished. An `EventSource` does not reconnect after 204.
    #[error("the stream of this client has finished; 204 stops its reconnects")]
    Finished,
}

impl Rejection {
    /// Returns the status of the answer.
    ///
    /// [`Rejection`] has an example.
    ///
    /// Source: RFC 9110 15.5.4 (403), 15.5.6 (405), 15.5.7 (406) and 9.3.2 (HEAD); WHATWG HTML 9.2.3 (204).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::MethodNotAllowed { .. } => 405,
            Self::NotAcceptable { .. } => 406,
            Self::HostNotAllowed | Self::OriginNotAllowed => 403,
            Self::Head => 200,
            #[cfg(feature = "gzip")]
            Self::CompressedHead { .. } => 200,
            Self::Finished => 204,
        }
    }

    /// Whether this is the answer to HEAD, which has no body and no `content-length`.
    #[doc(hidden)]
    #[must_use]
    pub const fn is_head(&self) -> bool {
        match self {
            #[cfg(feature = "gzip")]
            Self::CompressedHead { .. } => true,
            _ => matches!(self, Self::Head),
        }
    }

    /// Returns the headers of the answer. Names are in lower case. HEAD receives the headers of a stream.
    ///
    /// ```
    /// use sse_core::{Policy, Request};
    ///
    /// let head = Policy::default().check(&Request::new("HEAD", None, [])).unwrap_err();
    /// assert_eq!(head.headers().next(), Some(("content-type", "text/event-stream")));
    /// ```
    ///
    /// Source: RFC 9110 10.2.1 (`allow`).
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
        // By default a cache may store a 405 and a 204, and would then answer the valid requests of other clients.
        const NO_STORE: (&str, &str) = ("cache-control", "no-store");
        let fixed: &'static [_] = match self {
            Self::Head => &STREAM_HEADERS,
            #[cfg(feature = "gzip")]
            Self::CompressedHead { gzip: true } => &COMPRESSED_HEADERS,
            #[cfg(feature = "gzip")]
            Self::CompressedHead { gzip: false } => COMPRESSED_HEADERS.split_last().map_or(&[], |(_, plain)| plain),
            Self::Finished => &[NO_STORE],
            _ => &[TEXT, NO_STORE],
        };
        let allow = match self {
            Self::MethodNotAllowed { allow } => Some(("allow", &**allow)),
            _ => None,
        };
        allow.into_iter().chain(fixed.iter().copied())
    }

    /// Returns the body of the answer. For 403, 405 and 406 the body has the reason and a line of code for a policy that
    /// accepts the request, and ends with a line feed. Other bodies are empty. A body repeats no text of the client.
    ///
    /// [`Rejection`] has an example.
    #[must_use]
    pub fn body(&self) -> String {
        self.body_with("")
    }

    /// Returns [`body`](Self::body) and a further line of code, which passes `policy` to a route. Each adapter has the line
    /// for its framework.
    ///
    /// ```
    /// # use sse_core::{AcceptMode, Rejection};
    /// let rejection = Rejection::NotAcceptable { mode: AcceptMode::Negotiated };
    /// assert_eq!(
    ///     rejection.body_with("any(handler).layer(Extension(policy))"),
    ///     "the Accept header of the request does not allow text/event-stream\n\
    ///      The client can send `accept: text/event-stream`. To ignore the header, set it in the policy of the route \
    ///      (`Policy::fetch()` allows GET and POST with any Accept header):\n\
    ///      \n    \
    ///      let policy = Policy::default().accept(AcceptMode::Any);\n    \
    ///      any(handler).layer(Extension(policy))\n"
    /// );
    /// ```
    #[must_use]
    pub fn body_with(&self, attach: &str) -> String {
        let (advice, policy) = match self {
            #[cfg(feature = "gzip")]
            Self::CompressedHead { .. } => return String::new(),
            Self::Head | Self::Finished => return String::new(),
            Self::MethodNotAllowed { allow } => (
                "To open a stream for the method of this request too, name it in the policy of the route (`Policy::fetch()` allows \
                 GET and POST with any Accept header):",
                format!("methods([{}])", methods_with_one_more(allow)),
            ),
            Self::NotAcceptable { .. } => (
                "The client can send `accept: text/event-stream`. To ignore the header, set it in the policy of the route \
                 (`Policy::fetch()` allows GET and POST with any Accept header):",
                "accept(AcceptMode::Any)".into(),
            ),
            Self::HostNotAllowed => (
                "To answer them, name the host in the policy of the route:",
                "hosts([\"localhost\", \"app.example\"])".into(),
            ),
            Self::OriginNotAllowed => (
                "To answer them, name the origin in the policy of the route:",
                "origins([\"https://app.example\"])".into(),
            ),
        };
        let mut body = format!("{self}\n{advice}\n\n    let policy = Policy::default().{policy};\n");
        if !attach.is_empty() {
            body.extend(["    ", attach, "\n"]);
        }
        body
    }
}

/// Returns the methods of an `allow` header as elements of an array, with one more method that the route may lack.
fn methods_with_one_more(allow: &str) -> String {
    let listed: Vec<&str> = allow.split(", ").filter(|method| !matches!(*method, "" | "HEAD")).collect();
    let one_more = ["POST", "GET", "PUT"].into_iter().find(|method| !listed.contains(method));
    let quoted: Vec<String> = listed.into_iter().chain(one_more).map(|method| format!("\"{method}\"")).collect();
    quoted.join(", ")
}
