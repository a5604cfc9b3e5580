//! The outcomes of cases against one server.

use crate::process::Server;
use crate::{About, Case, Failure, Group, Subject, Target};
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// The outcome of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// The server keeps the promise.
    Passed,
    /// The server breaks the promise. Holds the observation.
    Failed(String),
    /// The server does not offer the feature, or the feature cannot be judged from outside. Holds the reason.
    OutOfScope(String),
}

/// A case and the outcome.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The group of the case.
    #[serde(serialize_with = "name")]
    pub group: Group,
    /// The name of the case.
    pub name: String,
    /// The promise.
    pub promise: &'static str,
    /// The sentence of `tests/CONFORMANCE.md` that promises it.
    pub source: &'static str,
    /// How much a busy machine may add to a promise about time, in milliseconds.
    #[serde(
        rename = "tolerance_ms",
        skip_serializing_if = "Option::is_none",
        serialize_with = "optional_milliseconds"
    )]
    pub tolerance: Option<Duration>,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The duration of the case.
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    pub took: Duration,
}

/// All cases and their outcomes.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The server's name, from `/about`.
    pub server: String,
    /// The rows, in the order in which the cases ran.
    pub cases: Vec<Row>,
    /// How many cases did not run, because the run ended before them.
    pub not_run: usize,
}

fn name<S: Serializer>(group: &Group, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(group.as_str())
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn optional_milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    milliseconds(&time.unwrap_or_default(), serializer)
}

impl Report {
    /// Judges a server by these cases, one after another. The callback `each` is called before every case without a
    /// row, and after every case with the row; the callback can end the run. `server` is the process behind the
    /// subject, if the caller started one. A process that ends during a case is started again.
    ///
    /// # Errors
    /// The server has no `/about`, or cannot be started again.
    pub fn run(
        mut subject: Subject<'_>,
        mut server: Option<&mut Server>,
        cases: &[Case],
        mut each: impl FnMut(usize, &Case, Option<&Row>) -> ControlFlow<()>,
    ) -> Result<Self, Failure> {
        let about = subject.target.about().map_err(|failure| no_routes(&subject.target, &failure))?;
        let mut rows = Vec::with_capacity(cases.len());
        for (at, case) in cases.iter().enumerate() {
            let _ = each(at, case, None);
            let begun = Instant::now();
            let mut outcome = judge(&subject, &about, case);
            let mut is_over = false;
            if let Outcome::Failed(words) = &mut outcome {
                if let Some(server) = &mut server {
                    if let Some(ended) = server.watch().ended() {
                        *words = format!("{ended}\n    then {words}");
                        **server = server.another().map_err(|failure| failure.at("starting the server again"))?;
                        subject.target = server.target().clone();
                    }
                } else if subject.target.connect().is_err() {
                    let address = subject.target.address();
                    *words = format!(
                        "the server ended during this case: nothing listens at {address} any more\n    {words}"
                    );
                    is_over = true;
                }
            }
            let (name, took) = (case.name.clone(), begun.elapsed());
            let Case { group, promise, source, tolerance, .. } = *case;
            let row = Row { group, name, promise, source, tolerance, outcome, took };
            let go_on = each(at, case, Some(&row));
            rows.push(row);
            if go_on.is_break() || is_over {
                break;
            }
        }
        Ok(Self { server: about.name, not_run: cases.len() - rows.len(), cases: rows })
    }

    /// How many cases passed, failed, and were out of scope.
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

fn no_routes(target: &Target, failure: &Failure) -> Failure {
    let address = target.address();
    Failure::new(format_args!(
        "http://{address}/about is not the answer of a server that has the routes of this suite: {failure}\n    \
         docs/conformance.md lists the routes; `conformance --stream URL` judges one stream of any server"
    ))
}

fn judge(subject: &Subject<'_>, about: &About, case: &Case) -> Outcome {
    // A case that starts a server of its own asks that server, because an option can add a group.
    if !case.is_offered(about) && (case.is_portable() || subject.start.is_none()) {
        return Outcome::OutOfScope("not offered".to_owned());
    }
    match case.judge(subject) {
        Ok(()) => Outcome::Passed,
        Err(failure) if failure.is_out_of_scope() => Outcome::OutOfScope(failure.to_string()),
        Err(failure) => Outcome::Failed(failure.to_string()),
    }
}

/// One line for a passed case. For a failed one also the observation, the promise and the source.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format_args!("{}::{}", self.group.as_str(), self.name);
        match &self.outcome {
            Outcome::Passed => write!(f, "ok            {name}"),
            Outcome::Failed(detail) => {
                let (promise, source) = (self.promise, self.source);
                let tolerance = self.tolerance.map(|most| format!(" (tolerance {most:?})")).unwrap_or_default();
                write!(
                    f,
                    "FAILED        {name}\n    {detail}\n    promise: {promise}{tolerance}\n    source:  {source}"
                )
            }
            Outcome::OutOfScope(reason) => write!(f, "out of scope  {name}: {reason}"),
        }
    }
}

/// The closing lines: the names of the failed cases, and the counts.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [passed, failed, out_of_scope] = self.counts();
        for row in self.cases.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))) {
            writeln!(f, "failed: {}::{}", row.group.as_str(), row.name)?;
        }
        write!(f, "{}: {passed} passed, {failed} failed, {out_of_scope} out of scope", self.server)?;
        if self.not_run > 0 {
            write!(f, ", {} not run", self.not_run)?;
        }
        Ok(())
    }
}
