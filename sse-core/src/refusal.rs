//! Why a request opens no stream, and the one place where that becomes HTTP.

use crate::{AcceptMode, STREAM_HEADERS};

/// Why a request opens no stream, and how it is answered: [`status`](Self::status), [`headers`](Self::headers) and
/// [`body`](Self::body) are the whole response.
///
/// # Examples
/// ```
/// use sse_core::{Policy, Request};
///
/// let refusal = Policy::default().admit(&Request::new("POST", None, [])).unwrap_err();
/// assert_eq!(refusal.status(), 405);
/// assert_eq!(refusal.headers().next(), Some(("allow", "GET, HEAD")));
/// assert!(refusal.body().contains("Policy::methods"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 405: the route does not take the request's method. [`Policy::methods`](crate::Policy::methods) would allow it.
    #[error(
        "this route streams events to the methods ({allow}), and not to the request's; allow it with Policy::methods"
    )]
    MethodNotAllowed {
        /// The methods it takes, as the `allow` header lists them.
        allow: Box<str>,
    },
    /// 406: the request's `Accept` refuses event streams. [`Policy::accept`](crate::Policy::accept) would allow it.
    #[error("{}", match .mode {
        AcceptMode::Named => "the request's Accept does not name text/event-stream; \
            send `accept: text/event-stream`, or allow wildcards with Policy::accept(AcceptMode::Negotiated), \
            anything with AcceptMode::Any",
        _ => "the request's Accept does not allow text/event-stream; \
            send `accept: text/event-stream`, or do not look at it with Policy::accept(AcceptMode::Any)",
    })]
    NotAcceptable {
        /// How the header was read.
        mode: AcceptMode,
    },
    /// 403: the request is for a host that is not one of [`Policy::hosts`](crate::Policy::hosts).
    #[error("this route does not answer for the request's Host; name it in Policy::hosts")]
    HostNotAllowed,
    /// 403: the request comes from a page that is not one of [`Policy::origins`](crate::Policy::origins).
    #[error("this route does not answer pages of the request's Origin; name it in Policy::origins")]
    OriginNotAllowed,
    /// 200 with the head of a stream and no body: the answer to HEAD. Let the server derive no `content-length` from it.
    #[error("a HEAD request is answered with the head of the stream alone")]
    Head,
    /// 204: the client's last event ID is `end`, so its stream has finished; on 204 an event source stays away.
    #[error("the client's stream has finished; 204 tells it not to come back")]
    Finished,
}

impl Refusal {
    /// The status of the answer.
    ///
    /// Source: RFC 9110 15.5.4 (403), 15.5.6 (405), 15.5.7 (406) and 9.3.2 (HEAD); WHATWG HTML 9.2.3 (204).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::MethodNotAllowed { .. } => 405,
            Self::NotAcceptable { .. } => 406,
            Self::HostNotAllowed | Self::OriginNotAllowed => 403,
            Self::Head => 200,
            Self::Finished => 204,
        }
    }

    /// The headers of the answer; names in lower case. To HEAD they are [`STREAM_HEADERS`].
    ///
    /// Source: RFC 9110 10.2.1 (`allow`).
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
        // A cache may keep a 405 or a 204 of its own accord, and the next client may well be eligible.
        const NO_STORE: (&str, &str) = ("cache-control", "no-store");
        let fixed: &'static [_] = match self {
            Self::Head => &STREAM_HEADERS,
            Self::Finished => &[NO_STORE],
            _ => &[TEXT, NO_STORE],
        };
        let allow = match self {
            Self::MethodNotAllowed { allow } => Some(("allow", &**allow)),
            _ => None,
        };
        allow.into_iter().chain(fixed.iter().copied())
    }

    /// The body of the answer: with 403, 405 and 406 a sentence that names the call that would allow the request, which
    /// repeats nothing the client sent; else empty.
    #[must_use]
    pub fn body(&self) -> String {
        match self {
            Self::Head | Self::Finished => String::new(),
            _ => self.to_string(),
        }
    }
}
