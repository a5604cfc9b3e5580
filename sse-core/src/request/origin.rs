//! Checks the host and the origin of a request, against DNS rebinding and cross-site reads.
//!
//! The host comes from `Host` or `:authority` (RFC 9110 7.2), the origin of the page from `Origin` (RFC 6454 7). Both are
//! parsed and compared part by part. Invalid text equals no entry of a policy.

use crate::request::rejection::Rejection;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// An entry of [`Policy::hosts`](crate::Policy::hosts) or [`Policy::origins`](crate::Policy::origins) that no request can
/// match.
///
/// # Examples
/// ```
/// use sse_core::{Policy, PolicyError};
///
/// let error = Policy::default().hosts(["http://app.example"]).unwrap_err();
/// assert_eq!(error, PolicyError::Host("http://app.example".into()));
/// assert!(Policy::default().origins(["app.example"]).is_err(), "an origin has a scheme");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// An entry of [`Policy::hosts`](crate::Policy::hosts).
    #[error(
        "no request can have the host `{0}`; Policy::hosts takes ASCII names and addresses, with or without a port, \
         and neither schemes nor paths nor wildcards: `app.example`, `localhost:3000`, `[::1]`"
    )]
    Host(String),
    /// An entry of [`Policy::origins`](crate::Policy::origins).
    #[error(
        "no page can have the origin `{0}`; Policy::origins takes a scheme, an ASCII name and, where it differs from the \
         scheme's own, a port, and neither paths nor wildcards: `https://app.example`, `http://localhost:5173`"
    )]
    Origin(String),
}

/// The hosts and the origins that a policy allows. All by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    /// `None` allows any host.
    hosts: Option<Arc<[Host<Box<str>>]>>,
    /// Other origins whose pages may read the stream. `None` allows any origin.
    pages: Option<Arc<[Page<Box<str>>]>>,
}

/// The host and the origin of a request, as received.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Provenance<'h> {
    pub(crate) host: Option<&'h [u8]>,
    /// The authority of the request's target, in HTTP/2 or in absolute form.
    pub(crate) authority: Option<&'h [u8]>,
    pub(crate) origin: Option<&'h [u8]>,
    /// The header `Sec-Fetch-Site`. A page cannot set this header.
    pub(crate) site: Option<&'h [u8]>,
    /// One of these headers occurs twice, so two programs could use different values.
    pub(crate) ambiguous: bool,
}

impl Origins {
    pub(crate) fn set_hosts<H: AsRef<str>>(&mut self, hosts: impl IntoIterator<Item = H>) -> Result<(), PolicyError> {
        let hosts = hosts.into_iter().map(|host| {
            let text = host.as_ref();
            Host::entry(text).ok_or_else(|| PolicyError::Host(text.to_owned()))
        });
        self.hosts = Some(hosts.collect::<Result<_, _>>()?);
        Ok(())
    }

    pub(crate) fn set_pages<O: AsRef<str>>(&mut self, pages: impl IntoIterator<Item = O>) -> Result<(), PolicyError> {
        let pages = pages.into_iter().map(|page| {
            let text = page.as_ref();
            Page::entry(text).ok_or_else(|| PolicyError::Origin(text.to_owned()))
        });
        self.pages = Some(pages.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// The hosts and pages of [`Policy::local`](crate::Policy::local).
    pub(crate) fn local() -> Self {
        let host = |name| Host { name, port: None };
        let name = |text: &str| host(HostName::Text(text.into()));
        let hosts = [name("localhost"), name("127.0.0.1"), host(HostName::Ipv6(Ipv6Addr::LOCALHOST))];
        Self { hosts: Some(hosts.into()), pages: Some([].into()) }
    }

    pub(crate) fn check(&self, from: &Provenance<'_>) -> Result<(), Rejection> {
        if self.hosts.is_none() && self.pages.is_none() {
            return Ok(());
        }
        let host = from.host().and_then(Host::parse);
        if let Some(hosts) = &self.hosts
            && (from.ambiguous || !host.is_some_and(|host| hosts.iter().any(|allowed| allowed.allows(&host))))
        {
            return Err(Rejection::HostNotAllowed);
        }
        if let Some(pages) = &self.pages {
            let allowed = match (from.origin, from.site) {
                (Some(origin), _) => Page::parse(origin).is_some_and(|page| {
                    pages.iter().any(|allowed| allowed.equals(&page)) || host.is_some_and(|host| page.is_of(&host))
                }),
                // Browsers send no `Origin` with a same-origin GET, nor with the request of an `<img>` on another site.
                (None, Some(site)) => site == b"same-origin" || site == b"none",
                (None, None) => true,
            };
            if from.ambiguous || !allowed {
                return Err(Rejection::OriginNotAllowed);
            }
        }
        Ok(())
    }
}

impl<'h> Provenance<'h> {
    /// Returns the host of the request. `None` if the request has no host, or two different ones.
    fn host(&self) -> Option<&'h [u8]> {
        match (self.authority, self.host) {
            (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host).then_some(authority),
            (authority, host) => authority.or(host),
        }
    }
}

/// `uri-host [ ":" port ]`, without userinfo (RFC 9110 4.2.4 and 7.2).
#[derive(Debug, Clone, Copy)]
struct Host<T> {
    name: HostName<T>,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
enum HostName<T> {
    /// A name or an IPv4 address.
    Text(T),
    Ipv6(Ipv6Addr),
}

impl<'h> Host<&'h str> {
    fn parse(bytes: &'h [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let port = if port.is_empty() { None } else { parse_port(port.strip_prefix(':')?).ok()? };
            return Some(Self { name: HostName::Ipv6(address.parse().ok()?), port });
        }
        let (name, port) = text.split_once(':').unwrap_or((text, ""));
        is_name(name).then_some(Self { name: HostName::Text(name), port: parse_port(port).ok()? })
    }
}

impl Host<Box<str>> {
    /// Parses an entry of a policy. An IPv6 address may have no brackets.
    fn entry(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self { name: HostName::Ipv6(address), port: None });
        }
        let host = Host::parse(text.as_bytes())?;
        Some(Self { name: host.name.owned(), port: host.port })
    }

    /// Whether this entry allows the host of a request. An entry without a port allows any port.
    fn allows(&self, host: &Host<&str>) -> bool {
        let same_port = self.port == host.port
            // A request omits the default port of its scheme, and behind a TLS proxy the server does not know the scheme.
            || matches!((self.port, host.port), (Some(80 | 443), None));
        self.name.equals(&host.name) && (self.port.is_none() || same_port)
    }
}

impl HostName<&str> {
    fn owned(&self) -> HostName<Box<str>> {
        match self {
            Self::Text(text) => HostName::Text((*text).into()),
            Self::Ipv6(address) => HostName::Ipv6(*address),
        }
    }
}

impl<T: AsRef<str>> HostName<T> {
    fn equals(&self, other: &HostName<impl AsRef<str>>) -> bool {
        match (self, other) {
            (Self::Text(one), HostName::Text(two)) => one.as_ref().eq_ignore_ascii_case(two.as_ref()),
            (Self::Ipv6(one), HostName::Ipv6(two)) => one == two,
            _ => false,
        }
    }
}

/// The origin of a page.
#[derive(Debug, Clone, Copy)]
enum Page<T> {
    /// `null`: the origin of a file or of a sandboxed frame.
    Opaque,
    Of {
        scheme: T,
        name: HostName<T>,
        /// The default port of the scheme if the text has no port.
        port: Option<u16>,
    },
}

impl<'h> Page<&'h str> {
    fn parse(bytes: &'h [u8]) -> Option<Self> {
        if bytes == b"null" {
            return Some(Self::Opaque);
        }
        let (scheme, host) = std::str::from_utf8(bytes).ok()?.split_once("://")?;
        if !is_scheme(scheme) {
            return None;
        }
        let Host { name, port } = match Host::parse(host.as_bytes()) {
            Some(host) => host,
            // For example `file://`.
            None if host.is_empty() && default_port(scheme).is_none() => Host { name: HostName::Text(""), port: None },
            None => return None,
        };
        Some(Self::Of { scheme, name, port: port.or_else(|| default_port(scheme)) })
    }

    /// Whether the page belongs to this host. The scheme is ignored, because a proxy may terminate TLS.
    fn is_of(&self, host: &Host<&str>) -> bool {
        match self {
            Self::Opaque => false,
            Self::Of { scheme, name, port } => {
                let default = default_port(scheme);
                default.is_some() && name.equals(&host.name) && *port == host.port.or(default)
            }
        }
    }
}

impl Page<Box<str>> {
    /// Parses an entry of a policy. One slash at the end is ignored.
    fn entry(text: &str) -> Option<Self> {
        let origin = if text.ends_with("://") { text } else { text.strip_suffix('/').unwrap_or(text) };
        Some(match Page::parse(origin.as_bytes())? {
            Page::Opaque => Self::Opaque,
            Page::Of { scheme, name, port } => Self::Of { scheme: scheme.into(), name: name.owned(), port },
        })
    }

    fn equals(&self, other: &Page<&str>) -> bool {
        match (self, other) {
            (Self::Opaque, Page::Opaque) => true,
            (
                Self::Of { scheme, name, port },
                Page::Of { scheme: other_scheme, name: other_name, port: other_port },
            ) => scheme.eq_ignore_ascii_case(other_scheme) && name.equals(other_name) && port == other_port,
            _ => false,
        }
    }
}

/// Whether the text is a name of ASCII labels. Browsers send names in other scripts as `xn--` labels. A final dot is
/// allowed.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// Whether the text is a scheme (RFC 3986 3.1).
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// The text after the colon is not a port number.
struct InvalidPort;

/// Parses digits. Empty text means no port (RFC 3986 3.2.3).
fn parse_port(text: &str) -> Result<Option<u16>, InvalidPort> {
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidPort);
    }
    text.parse().map(Some).map_err(|_| InvalidPort)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ => None,
    }
}
