//! Why a case failed, with the bytes.

use std::fmt;

/// What went wrong, as a person reads it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    words: String,
    out_of_scope: bool,
}

/// A case's end.
pub type Verdict = Result<(), Failure>;

impl Failure {
    /// A failure in these words.
    #[must_use]
    pub fn new(words: impl fmt::Display) -> Self {
        Self { words: words.to_string(), out_of_scope: false }
    }

    /// What could not be judged, because the server does not offer it.
    #[must_use]
    pub fn out_of_scope(words: impl fmt::Display) -> Self {
        Self { words: words.to_string(), out_of_scope: true }
    }

    /// Whether this is no fault, but something that is not offered.
    #[must_use]
    pub const fn is_out_of_scope(&self) -> bool {
        self.out_of_scope
    }

    /// Says where it happened.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self { words: format!("{place}: {}", self.words), ..self }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(format_args!("the connection failed: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format_args!("no such JSON as was expected: {error}"))
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
    Err(Failure::new(format_args!("{what}\n    expected {}\n    saw      {}", show(expected), show(seen))))
}

/// Fails with these words unless it is so.
pub(crate) fn check(so: bool, words: impl FnOnce() -> String) -> Verdict {
    if so { Ok(()) } else { Err(Failure::new(words())) }
}
