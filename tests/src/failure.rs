//! Why a case failed, with the bytes.

use crate::client::{Event, changes};
use sse_test_support::reader::Change;
use std::fmt;

/// The description of a failure, for people.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    words: String,
    out_of_scope: bool,
}

/// The outcome of a case.
pub type Verdict = Result<(), Failure>;

impl Failure {
    /// A failure with this text.
    #[must_use]
    pub fn new(words: impl fmt::Display) -> Self {
        Self { words: words.to_string(), out_of_scope: false }
    }

    /// A case that cannot be judged, because the server does not offer the feature.
    #[must_use]
    pub fn out_of_scope(words: impl fmt::Display) -> Self {
        Self { words: words.to_string(), out_of_scope: true }
    }

    /// Whether the server does not offer the feature, so that nothing is wrong.
    #[must_use]
    pub const fn is_out_of_scope(&self) -> bool {
        self.out_of_scope
    }

    /// Adds the place of the failure.
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
        Self::new(format_args!("not the expected JSON: {error}"))
    }
}

/// Shows bytes as readable text.
pub(crate) fn show(bytes: &[u8]) -> String {
    const MOST: usize = 2000;
    let cut = if bytes.len() > MOST { format!("... ({} bytes)", bytes.len()) } else { String::new() };
    format!("\"{}\"{cut}", bytes.get(..MOST).unwrap_or(bytes).escape_ascii())
}

/// Fails unless both byte strings are equal, and shows both.
pub(crate) fn same(what: &str, expected: impl AsRef<[u8]>, seen: impl AsRef<[u8]>) -> Verdict {
    let (expected, seen) = (expected.as_ref(), seen.as_ref());
    if expected == seen {
        return Ok(());
    }
    Err(Failure::new(format_args!("{what}\n    expected {}\n    received {}", show(expected), show(seen))))
}

/// Fails unless both bodies mean the same to a client: the same events with types, data and IDs, the same reconnection
/// times and last event IDs, all in the same order. The spelling is free.
pub(crate) fn alike(what: &str, expected: impl AsRef<[u8]>, seen: impl AsRef<[u8]>) -> Verdict {
    let (expected, mut read) = (changes(expected.as_ref()), changes(seen.as_ref()));
    skip_opening_retry(&expected, &mut read);
    compare(what, &expected, &read, seen.as_ref(), expected == read)
}

/// As [`alike`], and compares the data of every event as a JSON value.
pub(crate) fn alike_json(what: &str, expected: impl AsRef<[u8]>, seen: impl AsRef<[u8]>) -> Verdict {
    let (expected, mut read) = (changes(expected.as_ref()), changes(seen.as_ref()));
    skip_opening_retry(&expected, &mut read);
    let alike = expected.len() == read.len()
        && expected.iter().zip(&read).all(|(expected, read)| match (expected, read) {
            (Change::Event(one), Change::Event(other)) => {
                let beside = (&one.event_type, &one.id) == (&other.event_type, &other.id);
                beside && (one.data == other.data || same_json(&one.data, &other.data))
            }
            (one, other) => one == other,
        });
    compare(what, &expected, &read, seen.as_ref(), alike)
}

/// A server may open a stream with a reconnection time that no step asked for.
fn skip_opening_retry(expected: &[Change], read: &mut Vec<Change>) {
    if matches!(read.first(), Some(Change::Retry(_))) && read.first() != expected.first() {
        read.remove(0);
    }
}

/// Whether both texts are JSON of the same value.
pub(crate) fn same_json(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    value(one).is_some_and(|one| Some(one) == value(other))
}

fn compare(what: &str, expected: &[Change], read: &[Change], seen: &[u8], alike: bool) -> Verdict {
    if alike {
        return Ok(());
    }
    let (expected, read, seen) = (list(expected), list(read), show(seen));
    Err(Failure::new(format_args!("{what}\n    expected {expected}\n    read     {read}\n    of       {seen}")))
}

/// The first few changes, as readable text.
fn list(changes: &[Change]) -> String {
    const MOST: usize = 20;
    let text = |text: &str| show(text.as_bytes());
    let words = changes.iter().take(MOST).map(|change| match change {
        Change::Event(Event { event_type, data, id }) => {
            format!(
                "{} {}{}",
                text(event_type),
                text(data),
                if id.is_empty() { String::new() } else { format!(" with ID {}", text(id)) }
            )
        }
        Change::Id(id) => format!("ID {}", text(id)),
        Change::Retry(ms) => format!("retry {ms}"),
        _ => "something else".to_owned(),
    });
    let words: Vec<_> = words.collect();
    let rest = if changes.len() > MOST { format!(", and {} more", changes.len() - MOST) } else { String::new() };
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") + &rest }
}

/// Fails with this text unless `so` is true.
pub(crate) fn check(so: bool, words: impl FnOnce() -> String) -> Verdict {
    if so { Ok(()) } else { Err(Failure::new(words())) }
}
