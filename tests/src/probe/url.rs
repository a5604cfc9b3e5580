//! The address and the path of a URL.

use crate::{Failure, Target};
use std::fmt;

#[derive(Debug, Clone)]
pub(super) struct Url {
    /// The value of the header `host`.
    pub(super) host: String,
    /// The path with the query.
    pub(super) path: String,
    pub(super) target: Target,
}

impl Url {
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            let https = url.starts_with("https://");
            let cure =
                if https { "; ask the server behind the TLS proxy, or put a proxy without TLS before it" } else { "" };
            Failure::new(format_args!("{url} is not an http:// URL{cure}"))
        })?;
        let rest = rest.split('#').next().unwrap_or_default();
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        if host.is_empty() || path.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return Err(Failure::new(format_args!(
                "{url} has no host, or a character in its path that a URL must escape"
            )));
        }
        Ok(Self { host: host.to_owned(), path, target: Target::new(&format!("http://{host}"))? })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host, self.path)
    }
}
