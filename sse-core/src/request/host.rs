//! Hosts and origins: parsed, and compared part by part. Invalid text equals no entry of a policy.

use std::net::Ipv6Addr;

/// `uri-host [ ":" port ]`, without userinfo (RFC 9110 4.2.4 and 7.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Host<T> {
    name: HostName<T>,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum HostName<T> {
    /// A name or an IPv4 address.
    Text(T),
    Ipv6(Ipv6Addr),
}

impl<'h> Host<&'h str> {
    pub(super) fn parse(bytes: &'h [u8]) -> Option<Self> {
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
    /// A host with this name and any port.
    pub(super) fn named(name: &str) -> Self {
        Self { name: HostName::Text(name.into()), port: None }
    }

    /// A host with this address and any port.
    pub(super) const fn ipv6(address: Ipv6Addr) -> Self {
        Self { name: HostName::Ipv6(address), port: None }
    }

    /// Parses an entry of a policy. An IPv6 address may have no brackets.
    pub(super) fn entry(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self { name: HostName::Ipv6(address), port: None });
        }
        let host = Host::parse(text.as_bytes())?;
        Some(Self { name: host.name.owned(), port: host.port })
    }

    /// Whether this entry allows the host of a request. An entry without a port allows any port.
    pub(super) fn allows(&self, host: &Host<&str>) -> bool {
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
pub(super) enum Page<T> {
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
    pub(super) fn parse(bytes: &'h [u8]) -> Option<Self> {
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
    pub(super) fn is_of(&self, host: &Host<&str>) -> bool {
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
    pub(super) fn entry(text: &str) -> Option<Self> {
        let origin = if text.ends_with("://") { text } else { text.strip_suffix('/').unwrap_or(text) };
        Some(match Page::parse(origin.as_bytes())? {
            Page::Opaque => Self::Opaque,
            Page::Of { scheme, name, port } => Self::Of { scheme: scheme.into(), name: name.owned(), port },
        })
    }

    pub(super) fn equals(&self, other: &Page<&str>) -> bool {
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
