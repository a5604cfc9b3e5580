//! Which hosts a request may be for, and which pages may send it: against DNS rebinding and cross-site reads.
//!
//! The host comes from `Host` or `:authority` (RFC 9110 7.2), the page from `Origin` (RFC 6454 7). Both are compared by
//! their parts. A text outside of the grammar equals nothing.

use crate::request::rejection::Rejection;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// Why [`Policy::hosts`](crate::Policy::hosts) or [`Policy::origins`](crate::Policy::origins) rejects an entry: no
/// request could ever match it.
///
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
        "no request can be for the host `{0}`; Policy::hosts takes ASCII names and addresses, with or without a port, \
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

/// The hosts and pages that a policy allows; by default all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    /// `None`: any host.
    hosts: Option<Arc<[Host<Box<str>>]>>,
    /// Pages of other origins that may read; `None`: any page.
    pages: Option<Arc<[Page<Box<str>>]>>,
}

/// Where a request goes and where it comes from, as the request has it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Provenance<'h> {
    pub(crate) host: Option<&'h [u8]>,
    /// The request's target names a host too: in HTTP/2, or in absolute form.
    pub(crate) authority: Option<&'h [u8]>,
    pub(crate) origin: Option<&'h [u8]>,
    /// `Sec-Fetch-Site`, which a page cannot forge.
    pub(crate) site: Option<&'h [u8]>,
    /// One of these came twice, so that two programs may read different values.
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
        let name = |text: &str| host(Name::Text(text.into()));
        let hosts = [name("localhost"), name("127.0.0.1"), host(Name::Ipv6(Ipv6Addr::LOCALHOST))];
        Self { hosts: Some(hosts.into()), pages: Some([].into()) }
    }

    pub(crate) fn judge(&self, from: &Provenance<'_>) -> Result<(), Rejection> {
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
    /// The host that the request is for; `None` if the request names none, or two that differ.
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
    name: Name<T>,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
enum Name<T> {
    /// A name, or an IPv4 address.
    Text(T),
    Ipv6(Ipv6Addr),
}

impl<'h> Host<&'h str> {
    fn parse(bytes: &'h [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let port = if port.is_empty() { None } else { parse_port(port.strip_prefix(':')?)? };
            return Some(Self { name: Name::Ipv6(address.parse().ok()?), port });
        }
        let (name, port) = text.split_once(':').unwrap_or((text, ""));
        is_name(name).then_some(Self { name: Name::Text(name), port: parse_port(port)? })
    }
}

impl Host<Box<str>> {
    /// An entry of a policy; an IPv6 address may come without brackets.
    fn entry(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self { name: Name::Ipv6(address), port: None });
        }
        let host = Host::parse(text.as_bytes())?;
        Some(Self { name: host.name.owned(), port: host.port })
    }

    /// Whether a request may be for this host. An entry without a port allows any.
    fn allows(&self, host: &Host<&str>) -> bool {
        let same_port = self.port == host.port
            // A request leaves out the port of its scheme, which only the proxy that ends TLS may know.
            || matches!((self.port, host.port), (Some(80 | 443), None));
        self.name.equals(&host.name) && (self.port.is_none() || same_port)
    }
}

impl Name<&str> {
    fn owned(&self) -> Name<Box<str>> {
        match self {
            Self::Text(text) => Name::Text((*text).into()),
            Self::Ipv6(address) => Name::Ipv6(*address),
        }
    }
}

impl<T: AsRef<str>> Name<T> {
    fn equals(&self, other: &Name<impl AsRef<str>>) -> bool {
        match (self, other) {
            (Self::Text(one), Name::Text(two)) => one.as_ref().eq_ignore_ascii_case(two.as_ref()),
            (Self::Ipv6(one), Name::Ipv6(two)) => one == two,
            _ => false,
        }
    }
}

/// The origin of a page.
#[derive(Debug, Clone, Copy)]
enum Page<T> {
    /// `null`: a file, or a frame in a sandbox.
    Opaque,
    Of {
        scheme: T,
        name: Name<T>,
        /// The port of the scheme where none is written.
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
            // As in `file://`.
            None if host.is_empty() && default_port(scheme).is_none() => Host { name: Name::Text(""), port: None },
            None => return None,
        };
        Some(Self::Of { scheme, name, port: port.or_else(|| default_port(scheme)) })
    }

    /// Whether this is the origin of the host itself. The scheme is left out, because a proxy may end TLS.
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
    /// An entry of a policy; one slash at its end is no path.
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

/// Labels of letters, digits, `-` and `_`, as browsers send every name: `xn--` for other scripts. A dot may end it.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// RFC 3986 3.1.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Digits, or nothing, which is no port (RFC 3986 3.2.3).
fn parse_port(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().map(Some) } else { None }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ => None,
    }
}
