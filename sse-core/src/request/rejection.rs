//! Why a request opens no stream, and the one place where that becomes HTTP.

use crate::request::accept::AcceptMode;
use crate::request::head::STREAM_HEADERS;

/// Why a request opens no stream, and how it is answered: [`status`](Self::status), [`headers`](Self::headers) and
/// [`body`](Self::body) are the whole response.
///
/// # Examples
/// ```
/// use sse_core::{Policy, Request};
///
/// let refusal = Policy::default().check(&Request::new("POST", None, [])).unwrap_err();
/// assert_eq!(refusal.status(), 405);
/// assert_eq!(refusal.headers().next(), Some(("allow", "GET, HEAD")));
/// assert_eq!(
///     refusal.body(),
///     "this route opens an event stream only for these methods: GET, HEAD\n\
///      To open a stream for the method of this request too, name it in the policy of the route:\n\
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
    /// 406: the `Accept` header of the request excludes event streams. [`Policy::accept`](crate::Policy::accept) sets how
    /// the header is read.
    #[error("the Accept header of the request does not {} text/event-stream", match .mode {
        AcceptMode::Named => "name",
        _ => "allow",
    })]
    NotAcceptable {
        /// How the policy of the route reads the header.
        mode: AcceptMode,
    },
    /// 403: the host of the request is none of [`Policy::hosts`](crate::Policy::hosts).
    #[error("this route answers no requests for the Host of this request")]
    HostNotAllowed,
    /// 403: the page of the request is none of [`Policy::origins`](crate::Policy::origins).
    #[error("this route answers no pages of the Origin of this request")]
    OriginNotAllowed,
    /// 200 with the head of a stream and no body: the answer to HEAD. Let the server derive no `content-length` from it.
    #[error("a HEAD request is answered with the head of the stream alone")]
    Head,
    /// 204: the client's last event ID is `end`, so its stream has finished; on 204 an event source stays away.
    #[error("the client's stream has finished; 204 tells it not to come back")]
    Finished,
}

impl Rejection {
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

    /// The body of the answer. With 403, 405 and 406 it is the reason and the policy that admits the request, as a line of
    /// code, and ends with a line feed. Otherwise it is empty. It repeats no text of the client.
    #[must_use]
    pub fn body(&self) -> String {
        self.body_with("")
    }

    /// As [`body`](Self::body), followed by a line of code that gives `policy` to a route: an adapter knows how its
    /// framework does that.
    ///
    /// ```
    /// # use sse_core::{AcceptMode, Rejection};
    /// let refusal = Rejection::NotAcceptable { mode: AcceptMode::Negotiated };
    /// assert_eq!(
    ///     refusal.body_with("any(handler).layer(Extension(policy))"),
    ///     "the Accept header of the request does not allow text/event-stream\n\
    ///      The client can send `accept: text/event-stream`. To ignore the header, set it in the policy of the route:\n\
    ///      \n    \
    ///      let policy = Policy::default().accept(AcceptMode::Any);\n    \
    ///      any(handler).layer(Extension(policy))\n"
    /// );
    /// ```
    #[must_use]
    pub fn body_with(&self, attach: &str) -> String {
        let (cure, policy) = match self {
            Self::Head | Self::Finished => return String::new(),
            Self::MethodNotAllowed { allow } => (
                "To open a stream for the method of this request too, name it in the policy of the route:",
                format!("methods([{}])", methods_with_one_more(allow)),
            ),
            Self::NotAcceptable { .. } => (
                "The client can send `accept: text/event-stream`. To ignore the header, set it in the policy of the route:",
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
        let mut body = format!("{self}\n{cure}\n\n    let policy = Policy::default().{policy};\n");
        if !attach.is_empty() {
            body.extend(["    ", attach, "\n"]);
        }
        body
    }
}

/// The methods of an `allow` header as elements of an array, and one more: most likely the one that is missing.
fn methods_with_one_more(allow: &str) -> String {
    let listed: Vec<&str> = allow.split(", ").filter(|method| !matches!(*method, "" | "HEAD")).collect();
    let one_more = ["POST", "GET", "PUT"].into_iter().find(|method| !listed.contains(method));
    let quoted: Vec<String> = listed.into_iter().chain(one_more).map(|method| format!("\"{method}\"")).collect();
    quoted.join(", ")
}
