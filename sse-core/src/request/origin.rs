//! Checks the host and the origin of a request, against DNS rebinding and cross-site reads.
//!
//! The host comes from `Host` or `:authority` (RFC 9110 7.2), the origin of the page from `Origin` (RFC 6454 7).

use crate::request::host::{Host, Page};
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
        let hosts = [Host::named("localhost"), Host::named("127.0.0.1"), Host::ipv6(Ipv6Addr::LOCALHOST)];
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
