//! The findings, one line each.

use serde::Serialize;
use std::fmt;

/// The judgement of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mark {
    /// As required.
    Ok,
    /// Allowed, and worth a check.
    Note,
    /// Clients lose events, wait, or do not reconnect.
    Wrong,
}

/// One examined property of the stream.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The name of the property: `type`, `resume`, `keep-alive`.
    pub name: &'static str,
    /// The judgement.
    pub mark: Mark,
    /// The observation, and the remedy.
    pub words: String,
}

/// All findings about one stream.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Findings {
    /// The URL of the stream.
    pub url: String,
    /// The findings in the order of a report.
    pub findings: Vec<Finding>,
}

pub(super) fn ok(name: &'static str, words: impl fmt::Display) -> Finding {
    Finding { name, mark: Mark::Ok, words: words.to_string() }
}

pub(super) fn note(name: &'static str, words: impl fmt::Display) -> Finding {
    Finding { name, mark: Mark::Note, words: words.to_string() }
}

pub(super) fn wrong(name: &'static str, words: impl fmt::Display) -> Finding {
    Finding { name, mark: Mark::Wrong, words: words.to_string() }
}

impl Findings {
    pub(super) const fn new(url: String) -> Self {
        Self { url, findings: Vec::new() }
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// The number of findings that are wrong.
    #[must_use]
    pub fn wrong(&self) -> usize {
        self.findings.iter().filter(|finding| finding.mark == Mark::Wrong).count()
    }

    /// The finding of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.name == name)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.url)?;
        for Finding { name, mark, words } in &self.findings {
            let mark = match mark {
                Mark::Ok => "ok",
                Mark::Note => "note",
                Mark::Wrong => "WRONG",
            };
            writeln!(f, "{mark:<6} {name:<12} {}", words.replace('\n', "\n                    "))?;
        }
        match self.wrong() {
            0 => write!(f, "nothing is wrong"),
            count => write!(f, "{count} wrong"),
        }
    }
}
