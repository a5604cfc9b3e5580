//! Why a case failed, with the bytes.

use std::fmt;

/// What went wrong, as a person reads it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub(crate) String);

/// A case's end.
pub type Verdict = Result<(), Failure>;

impl Failure {
    /// A failure in these words.
    #[must_use]
    pub fn new(words: impl fmt::Display) -> Self {
        Self(words.to_string())
    }

    /// Says where it happened.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(format!("the connection failed: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("no such JSON as was expected: {error}"))
    }
}

/// Bytes as a person reads them.
pub(crate) fn show(bytes: &[u8]) -> String {
    const MOST: usize = 2000;
    let cut = if bytes.len() > MOST { format!("... ({} bytes)", bytes.len()) } else { String::new() };
    format!("\"{}\"{cut}", bytes.get(..MOST).unwrap_or(bytes).escape_ascii())
}

/// Fails unless both are the same, and shows both.
pub(crate) fn same(what: &str, expected: impl AsRef<[u8]>, seen: impl AsRef<[u8]>) -> Verdict {
    let (expected, seen) = (expected.as_ref(), seen.as_ref());
    if expected == seen {
        return Ok(());
    }
    Err(Failure(format!("{what}\n    expected {}\n    saw      {}", show(expected), show(seen))))
}

/// Fails with these words unless it is so.
pub(crate) fn check(so: bool, words: impl FnOnce() -> String) -> Verdict {
    if so { Ok(()) } else { Err(Failure(words())) }
}
