//! Which hosts a request may be for, and which pages it may come from: against DNS rebinding and cross-site reads.

use crate::Refusal;
use std::sync::Arc;

/// What a policy asks of `Host` and `Origin`; by default nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    /// `None`: any host.
    pub(crate) hosts: Option<Arc<[Box<str>]>>,
    /// Pages of other origins that may read; `None`: any page.
    pub(crate) pages: Option<Arc<[Box<str>]>>,
}

/// What a request says of where it goes and where it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Provenance<'h> {
    pub(crate) host: Option<&'h [u8]>,
    pub(crate) origin: Option<&'h [u8]>,
    /// `Sec-Fetch-Site`, which a page cannot forge.
    pub(crate) site: Option<&'h [u8]>,
    /// One of these came twice, so that two readers may read different things.
    pub(crate) ambiguous: bool,
}

impl Origins {
    pub(crate) fn judge(&self, from: &Provenance<'_>) -> Result<(), Refusal> {
        if let Some(hosts) = &self.hosts {
            let known = |host: &[u8]| hosts.iter().any(|allowed| is_host(host, allowed));
            if from.ambiguous || !from.host.is_some_and(known) {
                return Err(Refusal::HostNotAllowed);
            }
        }
        if let Some(pages) = &self.pages {
            let allowed = match (from.origin, from.site) {
                (Some(origin), _) => {
                    let listed = pages.iter().any(|page| origin.eq_ignore_ascii_case(page.as_bytes()));
                    listed || from.host.is_some_and(|host| is_same(origin, host))
                }
                // Browsers send no `Origin` with a same-origin GET, nor with what an `<img>` of another site asks for.
                (None, Some(site)) => site == b"same-origin" || site == b"none",
                (None, None) => true,
            };
            if from.ambiguous || !allowed {
                return Err(Refusal::OriginNotAllowed);
            }
        }
        Ok(())
    }
}

/// Whether a host is the allowed one; an allowed name without a port is good for any port.
fn is_host(host: &[u8], allowed: &str) -> bool {
    host.eq_ignore_ascii_case(allowed.as_bytes()) || without_port(host).eq_ignore_ascii_case(allowed.as_bytes())
}

fn without_port(host: &[u8]) -> &[u8] {
    let colon = host.iter().rposition(|&byte| byte == b':');
    match colon.and_then(|at| host.split_at_checked(at)) {
        // A colon within brackets is part of an IPv6 address.
        Some((name, port)) if !port.contains(&b']') => name,
        _ => host,
    }
}

/// Whether an origin is that of the host itself. The scheme is left out: a proxy may end TLS.
fn is_same(origin: &[u8], host: &[u8]) -> bool {
    let scheme = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| origin.strip_prefix(scheme));
    scheme.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}
