//! Which requests open a stream on a route.

use crate::request::accept::AcceptMode;
use crate::request::grammar::is_token;
use crate::request::last_event_id::LastEventId;
use crate::request::origin::{Origins, PolicyError};
use crate::request::rejection::Rejection;
use crate::request::request::Request;
use std::sync::Arc;

/// Which requests may open a stream on a route. By default GET, with an `Accept` that covers `text/event-stream`.
///
/// A clone is a few reference counts, so that an adapter can hand one to each request.
///
/// # Examples
/// ```
/// use sse_core::{AcceptMode, Policy, Request};
///
/// let model = Policy::default().methods(["POST"]).accept(AcceptMode::Any);
/// let admitted = model.check(&Request::new("POST", None, [("accept", &b"application/json"[..])]))?;
/// assert!(!admitted.is_get);
/// # Ok::<(), sse_core::Rejection>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// As the `allow` header lists them; `None` is GET.
    methods: Option<Arc<str>>,
    accept: AcceptMode,
    last_event_id_query: Parameter,
    origins: Origins,
}

/// The parameter of the query that holds the last event ID.
#[derive(Debug, Clone, Default)]
enum Parameter {
    #[default]
    LastEventId,
    Named(Arc<str>),
    None,
}

impl Parameter {
    fn name(&self, is_get: bool) -> Option<&str> {
        match self {
            Self::LastEventId => is_get.then_some("lastEventId"),
            Self::Named(name) => Some(name),
            Self::None => None,
        }
    }
}

/// A request that may open a stream, and what it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The last event ID it brings.
    pub last_event_id: LastEventId,
    /// Whether its method is GET: only then an `EventSource` may be at the other end, which comes back by itself.
    pub is_get: bool,
    /// Whether its `Accept` names `text/event-stream` or `text/*`, as an `EventSource` does. It is the default of
    /// [`Sse::control_events`](crate::Sse::control_events).
    pub names_type: bool,
}

const DEFAULT_METHODS: &str = "GET, HEAD";

impl Policy {
    /// Sets the methods, in place of GET; the method of a request must equal one of them, case included. HEAD comes with
    /// GET. A name that is no token is left out, because no request can have it; without any name all are refused.
    ///
    /// ```
    /// # use sse_core::{Policy, Request};
    /// let policy = Policy::default().methods(["GET", "POST"]);
    /// assert!(policy.check(&Request::new("POST", None, [])).is_ok());
    /// ```
    ///
    /// Source: RFC 9110 9.1.
    #[must_use]
    pub fn methods<M: AsRef<str>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        let mut allow = String::new();
        for method in methods {
            add_method(&mut allow, method.as_ref());
            if method.as_ref() == "GET" {
                add_method(&mut allow, "HEAD");
            }
        }
        self.methods = Some(allow.into());
        self
    }

    /// Sets how the `Accept` header is read. [`AcceptMode::Negotiated`] by default.
    #[must_use]
    pub const fn accept(mut self, mode: AcceptMode) -> Self {
        self.accept = mode;
        self
    }

    /// Sets the parameter of the query that holds the last event ID if the header is absent or empty, for polyfills that
    /// cannot set a header. By default it is `lastEventId`, on GET alone; `None` turns it off.
    ///
    /// Text that is not UTF-8, or that holds U+FFFD, is [`LastEventId::NotUtf8`].
    ///
    /// ```
    /// # use sse_core::{LastEventId, Policy, Request};
    /// let request = Request::new("GET", Some("room=1&lastEventId=41"), []);
    /// assert_eq!(Policy::default().check(&request)?.last_event_id.as_str(), Some("41"));
    ///
    /// let header_only = Policy::default().last_event_id_query(None);
    /// assert_eq!(header_only.check(&request)?.last_event_id, LastEventId::Absent);
    ///
    /// let renamed = Policy::default().last_event_id_query("after");
    /// let request = Request::new("GET", Some("after=41"), [("last-event-id", &b""[..])]);
    /// assert_eq!(renamed.check(&request)?.last_event_id.as_str(), Some("41"));
    /// # Ok::<(), sse_core::Rejection>(())
    /// ```
    #[must_use]
    pub fn last_event_id_query<'n>(mut self, name: impl Into<Option<&'n str>>) -> Self {
        self.last_event_id_query = name.into().map_or(Parameter::None, |name| Parameter::Named(name.into()));
        self
    }

    /// Answers only requests for one of these hosts, and others 403: names and addresses, with or without a port, as
    /// `app.example`, `localhost:3000` or `[::1]`. A host without a port allows every port. Any host by default.
    ///
    /// The host of a request is its `:authority` or its `Host`. A request in which the two differ, or in which one of
    /// them is no host by RFC 9110 7.2 (a name with userinfo or a path for one), is answered 403 as well.
    ///
    /// It keeps a page whose own name was pointed at this server's address (DNS rebinding) from reading the stream.
    ///
    /// # Errors
    /// [`PolicyError::Host`] for an entry that no request can match, as `http://app.example` or `*.app.example`. `::1` is
    /// taken for `[::1]`.
    ///
    /// ```
    /// # use sse_core::{Policy, Request};
    /// let policy = Policy::default().hosts(["app.example", "[::1]:3000"])?;
    /// let allows = |host: &str| policy.check(&Request::new("GET", None, [("host", host.as_bytes())])).is_ok();
    /// assert!(allows("app.example") && allows("APP.example:8443") && allows("[0:0::1]:3000"));
    /// assert!(!allows("app.example:x@evil.example") && !allows("[::1]:4000"));
    /// # Ok::<(), sse_core::PolicyError>(())
    /// ```
    pub fn hosts<H: AsRef<str>>(mut self, hosts: impl IntoIterator<Item = H>) -> Result<Self, PolicyError> {
        self.origins.set_hosts(hosts)?;
        Ok(self)
    }

    /// Answers only pages of the server's own origin and of these, as `https://app.example`, and others 403. A request
    /// that names no page, as curl's, passes. Any page by default.
    ///
    /// A port that is the scheme's own may be left out, here as in `Origin` and in `Host`, and one slash may end an entry.
    /// The own origin is the host of the request, whatever the scheme, because a proxy may end TLS. Behind a proxy that
    /// changes `Host` (nginx's `$host` cuts the port off, `$http_host` does not), name the own origin too.
    ///
    /// A browser keeps a page of another origin from reading a stream unless CORS headers allow it, which this crate
    /// never sends; this keeps it from opening one. `null` allows files and frames in a sandbox.
    ///
    /// # Errors
    /// [`PolicyError::Origin`] for an entry that no page can have, as `app.example` or `https://app.example/feed`.
    ///
    /// ```
    /// # use sse_core::{Policy, Request};
    /// let policy = Policy::default().origins(["https://app.example:443/"])?;
    /// let allows = |origin: &str| {
    ///     let headers = [("host", &b"feed.example:443"[..]), ("origin", origin.as_bytes())];
    ///     policy.check(&Request::new("GET", None, headers)).is_ok()
    /// };
    /// assert!(allows("https://app.example") && allows("https://feed.example"));
    /// assert!(!allows("http://app.example") && !allows("https://feed.example:8443"));
    /// # Ok::<(), sse_core::PolicyError>(())
    /// ```
    pub fn origins<O: AsRef<str>>(mut self, origins: impl IntoIterator<Item = O>) -> Result<Self, PolicyError> {
        self.origins.set_pages(origins)?;
        Ok(self)
    }

    /// The strict preset for a server on the user's own machine: for the hosts `localhost`, `127.0.0.1` and `[::1]`, and
    /// pages of its own origin alone.
    ///
    /// ```
    /// # use sse_core::{Policy, Rejection, Request};
    /// let rebound = Request::new("GET", None, [("host", &b"evil.example"[..])]);
    /// assert_eq!(Policy::local().check(&rebound), Err(Rejection::HostNotAllowed));
    /// let cross_site = [("host", &b"localhost:3000"[..]), ("origin", b"https://evil.example")];
    /// assert_eq!(Policy::local().check(&Request::new("GET", None, cross_site)), Err(Rejection::OriginNotAllowed));
    /// ```
    #[must_use]
    pub fn local() -> Self {
        Self { origins: Origins::local(), ..Self::default() }
    }

    /// Judges a request for a route that is an event stream and nothing else.
    ///
    /// # Errors
    /// In this order: [`Rejection::MethodNotAllowed`]; [`Rejection::NotAcceptable`]; [`Rejection::HostNotAllowed`];
    /// [`Rejection::OriginNotAllowed`]; [`Rejection::Head`]; and
    /// [`Rejection::Finished`] if a GET brings the last event ID `end`. Clients of other methods do not come back by
    /// themselves, so there it is an id like any other.
    pub fn check(&self, request: &Request<'_>) -> Result<Accepted, Rejection> {
        self.judge(request, self.accept)
    }

    /// Judges a request for a route that answers with a stream only if it is asked for one, and else with something of
    /// its own. The type must be named, as in [`AcceptMode::Named`], unless the policy is [`AcceptMode::Any`].
    ///
    /// `Ok(None)` is a request whose `Accept` asks for something else, whatever its method. If a cache may store that
    /// answer, give it `vary: accept`.
    ///
    /// # Errors
    /// For a request whose `Accept` asks for a stream: those of [`Policy::check`] but [`Rejection::NotAcceptable`].
    ///
    /// ```
    /// # use sse_core::{Policy, Request};
    /// let page = Request::new("GET", None, [("accept", &b"text/html, */*;q=0.8"[..])]);
    /// assert_eq!(Policy::default().check_optional(&page), Ok(None));
    ///
    /// let posted = Request::new("POST", None, [("accept", &b"text/event-stream"[..])]);
    /// assert_eq!(Policy::default().check_optional(&posted).unwrap_err().status(), 405);
    /// assert!(Policy::default().methods(["POST"]).check_optional(&posted)?.is_some());
    /// # Ok::<(), sse_core::Rejection>(())
    /// ```
    pub fn check_optional(&self, request: &Request<'_>) -> Result<Option<Accepted>, Rejection> {
        let mode = match self.accept {
            AcceptMode::Any => AcceptMode::Any,
            AcceptMode::Negotiated | AcceptMode::Named => AcceptMode::Named,
        };
        if request.accept.allows(mode) { self.judge(request, mode).map(Some) } else { Ok(None) }
    }

    fn judge(&self, request: &Request<'_>, mode: AcceptMode) -> Result<Accepted, Rejection> {
        let allow = self.methods.as_deref().unwrap_or(DEFAULT_METHODS);
        if !lists(allow, request.method) {
            return Err(Rejection::MethodNotAllowed { allow: allow.into() });
        }
        if !request.accept.allows(mode) {
            return Err(Rejection::NotAcceptable { mode });
        }
        self.origins.judge(&request.from)?;
        // Also where HEAD was allowed by name: no answer to it can have a body.
        if request.method == "HEAD" {
            return Err(Rejection::Head);
        }
        let is_get = request.method == "GET";
        let last_event_id = request.last_event_id(self.last_event_id_query.name(is_get));
        if is_get && last_event_id.is_end() {
            return Err(Rejection::Finished);
        }
        Ok(Accepted { last_event_id, is_get, names_type: request.accept.allows(AcceptMode::Named) })
    }
}

/// No token holds a comma, so the list can be searched as it is written.
fn lists(allow: &str, method: &str) -> bool {
    !method.is_empty() && allow.split(", ").any(|allowed| allowed == method)
}

fn add_method(allow: &mut String, method: &str) {
    if is_token(method.as_bytes()) && !lists(allow, method) {
        if !allow.is_empty() {
            allow.push_str(", ");
        }
        allow.push_str(method);
    }
}
