//! The head of an HTTP/1 response.

use super::body::Framing;
use crate::Failure;
use crate::failure::show;
use std::fmt;

/// The head of a response.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Head {
    /// The version of the status line, such as `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// The header lines in order, with names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header that occurs exactly once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether the header occurs.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own == name)
    }

    /// The head of an HTTP/2 response.
    #[must_use]
    pub fn of(parts: &http::response::Parts) -> Self {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        Self { version: format!("{:?}", parts.version), status: parts.status.as_u16(), headers: headers.collect() }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let broken = || Failure::new(format_args!("no head of HTTP: {}", show(bytes)));
        let text = str::from_utf8(bytes).map_err(|_| broken())?;
        let mut lines = text.split("\r\n");
        let mut status = lines.next().ok_or_else(broken)?.splitn(3, ' ');
        let version = status.next().ok_or_else(broken)?.to_owned();
        let status = status.next().and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').ok_or_else(broken)?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Ok(Self { version, status, headers: headers.collect::<Result<_, Failure>>()? })
    }

    pub(super) fn framing(&self, to_head: bool) -> Framing {
        let chunked = self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        match self.header("content-length").and_then(|length| length.parse().ok()) {
            _ if to_head || matches!(self.status, 204 | 304) => Framing::Ended,
            _ if chunked => Framing::Chunked(0),
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.status)?;
        self.headers.iter().try_for_each(|(name, value)| write!(f, ", {name}: {value}"))
    }
}
