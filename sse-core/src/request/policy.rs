//! The rules by which a route accepts or rejects requests.

use crate::request::accept::AcceptMode;
use crate::request::grammar::is_token;
use crate::request::last_event_id::LastEventId;
use crate::request::origin::{Origins, PolicyError};
use crate::request::rejection::Rejection;
use crate::request::request::Request;
use std::sync::Arc;

/// Decides which requests open a stream on a route. The default accepts GET with an `Accept` header that covers
/// `text/event-stream`, from any origin.
///
/// A clone copies a few reference counts.
///
/// # Examples
/// ```
/// use sse_core::{AcceptMode, Policy, Request};
///
/// let model = Policy::default().methods(["POST"]).accept(AcceptMode::Any);
/// let accepted = model.check(&Request::new("POST", None, [("accept", &b"application/json"[..])]))?;
/// assert!(!accepted.is_get);
/// # Ok::<(), sse_core::Rejection>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The methods as in the `allow` header. `None` means GET and HEAD.
    methods: Option<Arc<str>>,
    accept: AcceptMode,
    last_event_id_query: Parameter,
    origins: Origins,
    #[cfg(feature = "gzip")]
    compressed: bool,
}

/// The query parameter with the last event ID.
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

/// A request that opens a stream. [`Policy::check`] returns this type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The last event ID of the request.
    pub last_event_id: LastEventId,
    /// Whether the method is GET. Only then the client can be an `EventSource`, which reconnects by itself.
    pub is_get: bool,
    /// Whether `Accept` names `text/event-stream` or `text/*`. An `EventSource` names the type. This value is the default
    /// of [`Sse::control_events`](crate::Sse::control_events).
    pub names_type: bool,
    /// Whether `Accept-Encoding` accepts gzip and does not prefer plain bytes. `false` without the header. Only a stream of
    /// topics that the hub compresses asks for this.
    pub accepts_gzip: bool,
}

const DEFAULT_METHODS: &str = "GET, HEAD";

impl Policy {
    /// Sets the methods that open a stream, case-sensitive. GET by default. GET includes HEAD.
    ///
    /// An invalid method name is ignored, because no request can have that method. An empty list rejects all requests.
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

    /// Sets the check of the `Accept` header. [`AcceptMode::Negotiated`] by default. [`AcceptMode`] has an example.
    #[must_use]
    pub const fn accept(mut self, mode: AcceptMode) -> Self {
        self.accept = mode;
        self
    }

    /// Sets the query parameter with the last event ID, for polyfills that cannot set a header. The parameter counts if the
    /// `Last-Event-ID` header is absent or empty.
    ///
    /// The default is `lastEventId`, on GET only. A name that you set counts for every method. `None` turns the parameter
    /// off. An ID that is not UTF-8, or that contains U+FFFD, is [`LastEventId::NotUtf8`].
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

    /// Notes that the streams of this route are compressed: `false` by default. Requires the feature `gzip`.
    ///
    /// Only the answer to HEAD needs the note, because no handler runs for HEAD. With it the answer has the head of a stream
    /// whose topics the hub [compresses](crate::hub::HubBuilder::gzip).
    ///
    /// ```
    /// # use sse_core::{Policy, Request};
    /// let policy = Policy::default().compressed(true);
    /// let head = policy.check(&Request::new("HEAD", None, [("accept-encoding", &b"gzip"[..])])).unwrap_err();
    /// assert!(head.headers().any(|header| header == ("content-encoding", "gzip")));
    /// let head = policy.check(&Request::new("HEAD", None, [])).unwrap_err();
    /// assert!(head.headers().any(|header| header == ("vary", "accept-encoding")));
    /// ```
    #[cfg(feature = "gzip")]
    #[must_use]
    pub const fn compressed(mut self, compressed: bool) -> Self {
        self.compressed = compressed;
        self
    }

    /// Sets the allowed hosts, for example `app.example`, `localhost:3000` or `[::1]`. A host without a port allows every
    /// port. The default allows any host. A request for another host receives 403.
    ///
    /// The host of a request is its `:authority` or its `Host` header. A request in which the two differ, or in which one
    /// is not a host by RFC 9110 7.2 (for example a name with userinfo or a path), also receives 403.
    ///
    /// This setting protects against DNS rebinding, where the name of a foreign page resolves to the address of this
    /// server.
    ///
    /// # Errors
    /// [`PolicyError::Host`] for an entry that no request can match, for example `http://app.example` or `*.app.example`.
    /// `::1` means `[::1]`.
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

    /// Sets the origins whose pages may open a stream, for example `https://app.example`. The server's own origin is always
    /// allowed. The default allows any origin. A request from another origin receives 403. A request without an origin, for
    /// example from curl, is allowed.
    ///
    /// The default port of a scheme may be omitted, here as in `Origin` and `Host`, and an entry may end with one slash. The
    /// own origin is the host of the request with any scheme, because a proxy may terminate TLS. Behind a proxy that
    /// changes `Host`, list the own origin too (nginx's `$host` removes the port, `$http_host` does not).
    ///
    /// Without CORS headers, which this crate never sends, a browser does not let a page of another origin read a stream.
    /// This setting also prevents such a page from opening a stream. `null` allows files and sandboxed frames.
    ///
    /// # Errors
    /// [`PolicyError::Origin`] for an entry that no page can have, for example `app.example` or
    /// `https://app.example/feed`.
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

    /// Creates the policy for clients that use `fetch` or an SDK of a model: GET and POST, with any `Accept` header.
    ///
    /// Few of these clients name `text/event-stream` in `Accept`, and many send JSON by POST.
    ///
    /// ```
    /// # use sse_core::{Policy, Request};
    /// let headers = [("accept", &b"application/json"[..])];
    /// assert!(Policy::fetch().check(&Request::new("POST", None, headers)).is_ok());
    /// assert!(Policy::fetch().check(&Request::new("GET", None, headers)).is_ok());
    /// assert_eq!(Policy::fetch().check(&Request::new("PUT", None, headers)).unwrap_err().status(), 405);
    /// ```
    #[must_use]
    pub fn fetch() -> Self {
        Self::default().methods(["GET", "POST"]).accept(AcceptMode::Any)
    }

    /// Creates the strict policy for a server on the user's own machine: only the hosts `localhost`, `127.0.0.1` and
    /// `[::1]`, and only pages of the server's own origin.
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

    /// Checks a request for a route that only returns event streams.
    ///
    /// # Errors
    /// In this order: [`Rejection::MethodNotAllowed`]; [`Rejection::NotAcceptable`]; [`Rejection::HostNotAllowed`];
    /// [`Rejection::OriginNotAllowed`]; [`Rejection::Head`]; and
    /// [`Rejection::Finished`] if a GET has the last event ID `end`. Clients of other methods do not reconnect by
    /// themselves, so for other methods `end` is an ordinary ID.
    ///
    /// [`Policy`] has an example.
    pub fn check(&self, request: &Request<'_>) -> Result<Accepted, Rejection> {
        self.check_with(request, self.accept)
    }

    /// Checks a request for a route that returns a stream if the request asks for one, and another response otherwise. The
    /// request must name the type, as in [`AcceptMode::Named`], unless the policy is [`AcceptMode::Any`].
    ///
    /// `Ok(None)` means that `Accept` asks for another type; the method is not checked then. If a cache may store that other
    /// response, the response needs the header `vary: accept`.
    ///
    /// # Errors
    /// For a request that asks for a stream, the errors of [`Policy::check`] except [`Rejection::NotAcceptable`].
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
        if request.accept.allows(mode) { self.check_with(request, mode).map(Some) } else { Ok(None) }
    }

    fn check_with(&self, request: &Request<'_>, mode: AcceptMode) -> Result<Accepted, Rejection> {
        let allow = self.methods.as_deref().unwrap_or(DEFAULT_METHODS);
        if !lists(allow, request.method) {
            return Err(Rejection::MethodNotAllowed { allow: allow.into() });
        }
        if !request.accept.allows(mode) {
            return Err(Rejection::NotAcceptable { mode });
        }
        self.origins.check(&request.from)?;
        // Also if the policy lists HEAD: an answer to HEAD never has a body.
        if request.method == "HEAD" {
            return Err(self.head(request));
        }
        let is_get = request.method == "GET";
        let last_event_id = request.last_event_id(self.last_event_id_query.name(is_get));
        if is_get && last_event_id.is_end() {
            return Err(Rejection::Finished);
        }
        let names_type = request.accept.allows(AcceptMode::Named);
        Ok(Accepted { last_event_id, is_get, names_type, accepts_gzip: request.accept_encoding.accepts_gzip() })
    }

    #[cfg(feature = "gzip")]
    fn head(&self, request: &Request<'_>) -> Rejection {
        if self.compressed {
            Rejection::CompressedHead { gzip: request.accept_encoding.accepts_gzip() }
        } else {
            Rejection::Head
        }
    }

    #[cfg(not(feature = "gzip"))]
    #[expect(clippy::unused_self, reason = "no stream of a policy is compressed")]
    const fn head(&self, _: &Request<'_>) -> Rejection {
        Rejection::Head
    }
}

/// Whether the `allow` list contains the method. A token contains no comma, so splitting at commas is exact.
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
