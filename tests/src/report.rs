//! A run of cases against one server, and what it tells.

use crate::{About, Case, Failure, Group, Subject};
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// The promise is kept.
    Passed,
    /// It is not; with what was seen.
    Failed(String),
    /// The server does not offer what it is about, or cannot be judged on it from outside; with the reason.
    OutOfScope(String),
}

/// A case and its end.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The group of the case.
    #[serde(serialize_with = "name")]
    pub group: Group,
    /// Its name.
    pub name: String,
    /// Its promise.
    pub promise: &'static str,
    /// Who promised it.
    pub source: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    pub took: Duration,
}

/// All cases and their ends.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The server's name, as it tells it.
    pub server: String,
    /// In the order in which they ran.
    pub cases: Vec<Row>,
}

fn name<S: Serializer>(group: &Group, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(group.as_str())
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl Report {
    /// Judges a server by these cases, one after another. `each` is told of every case before it runs, without an outcome, and after, when it
    /// may say that it has seen enough.
    ///
    /// # Errors
    /// The server does not say what it offers.
    pub fn run(
        subject: Subject<'_>,
        cases: &[Case],
        mut each: impl FnMut(usize, &Case, Option<&Row>) -> ControlFlow<()>,
    ) -> Result<Self, Failure> {
        let about = subject.target.about().map_err(|failure| failure.at("GET /about"))?;
        let mut rows = Vec::with_capacity(cases.len());
        for (at, case) in cases.iter().enumerate() {
            let _ = each(at, case, None);
            let begun = Instant::now();
            let outcome = judge(subject, &about, case);
            let (name, took) = (case.name.clone(), begun.elapsed());
            let row = Row { group: case.group, name, promise: case.promise, source: case.source, outcome, took };
            let go_on = each(at, case, Some(&row));
            rows.push(row);
            if go_on.is_break() {
                break;
            }
        }
        Ok(Self { server: about.name, cases: rows })
    }

    /// How many passed, failed, and were out of scope.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let count = |is: fn(&Outcome) -> bool| self.cases.iter().filter(|row| is(&row.outcome)).count();
        [
            count(|outcome| matches!(outcome, Outcome::Passed)),
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
            count(|outcome| matches!(outcome, Outcome::OutOfScope(_))),
        ]
    }
}

fn judge(subject: Subject<'_>, about: &About, case: &Case) -> Outcome {
    // What starts a server of its own asks that one: an option may bring a group with it.
    if !case.is_offered(about) && (case.is_portable() || subject.start.is_none()) {
        return Outcome::OutOfScope("not offered".to_owned());
    }
    match case.judge(subject) {
        Ok(()) => Outcome::Passed,
        Err(failure) if failure.is_out_of_scope() => Outcome::OutOfScope(failure.to_string()),
        Err(failure) => Outcome::Failed(failure.to_string()),
    }
}

/// One line; or, of what failed, what was seen, what was promised and by whom.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format_args!("{}::{}", self.group.as_str(), self.name);
        match &self.outcome {
            Outcome::Passed => write!(f, "ok            {name}"),
            Outcome::Failed(detail) => {
                let (promise, source) = (self.promise, self.source);
                write!(f, "FAILED        {name}\n    {detail}\n    promise: {promise}\n    source:  {source}")
            }
            Outcome::OutOfScope(reason) => write!(f, "out of scope  {name}: {reason}"),
        }
    }
}

/// The closing lines: what failed once more, by name, and the count.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [passed, failed, out_of_scope] = self.counts();
        for row in self.cases.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))) {
            writeln!(f, "failed: {}::{}", row.group.as_str(), row.name)?;
        }
        write!(f, "{}: {passed} passed, {failed} failed, {out_of_scope} out of scope", self.server)
    }
}
