//! One promise and its check.

use crate::process::Server;
use crate::{About, Failure, Group, Target, Verdict};
use sse_test_support::child::Watch;
use std::fmt;
use std::process::Command;
use std::time::Duration;

/// A promise and its check.
pub struct Case {
    /// The group of the case.
    pub group: Group,
    /// Further groups that the server must offer. If one is missing, the case is out of scope.
    pub also: Vec<Group>,
    /// The promise as an identifier.
    pub name: String,
    /// The promise as a sentence.
    pub promise: &'static str,
    /// The sentence of `tests/CONFORMANCE.md` that promises it.
    pub source: &'static str,
    /// The check.
    pub run: Run,
    /// Set for a promise about time: how much a busy machine may add. Such a case runs alone.
    pub tolerance: Option<Duration>,
}

/// The kind of server that a case needs.
#[non_exhaustive]
pub enum Run {
    /// A running server.
    On(Box<dyn Fn(&Target) -> Verdict + Send + Sync>),
    /// A server that this case starts with these options and does not share, because the case changes the server for
    /// good.
    Own(&'static [&'static str], Box<dyn Fn(Server) -> Verdict + Send + Sync>),
    /// Two running servers of one history.
    Both(Box<OnBoth>),
}

/// The check of two servers of one history.
pub type OnBoth = dyn Fn(&Target, &Target) -> Verdict + Send + Sync;

/// The server that cases judge.
#[derive(Clone)]
#[non_exhaustive]
pub struct Subject<'s> {
    /// The server.
    pub target: Target,
    /// Another server of the same history.
    pub also: Option<Target>,
    /// Builds the command that starts such a server, for cases that need a server of their own. Each call gives a
    /// command with a new history.
    pub start: Option<&'s dyn Fn() -> Command>,
}

impl<'s> Subject<'s> {
    /// Judges a running server.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        Self { target: target.clone(), also: None, start: None }
    }

    /// Adds another server of the same history.
    #[must_use]
    pub fn also(self, also: Option<Target>) -> Self {
        Self { also, ..self }
    }

    /// Adds the command that starts such a server.
    #[must_use]
    pub fn start(self, start: Option<&'s dyn Fn() -> Command>) -> Self {
        Self { start, ..self }
    }
}

impl Case {
    pub(crate) fn on(
        group: Group,
        name: impl Into<String>,
        promise: &'static str,
        source: &'static str,
        run: impl Fn(&Target) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self::new(group, name.into(), promise, source, Run::On(Box::new(run)))
    }

    const fn new(group: Group, name: String, promise: &'static str, source: &'static str, run: Run) -> Self {
        Self { group, also: Vec::new(), name, promise, source, run, tolerance: None }
    }

    pub(crate) fn own(
        group: Group,
        name: impl Into<String>,
        promise: &'static str,
        source: &'static str,
        options: &'static [&'static str],
        run: impl Fn(Server) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self::new(group, name.into(), promise, source, Run::Own(options, Box::new(run)))
    }

    /// A case of [`Group::Nodes`].
    pub(crate) fn both(
        name: impl Into<String>,
        promise: &'static str,
        source: &'static str,
        run: impl Fn(&Target, &Target) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self {
            group: Group::Nodes,
            also: Vec::new(),
            name: name.into(),
            promise,
            source,
            run: Run::Both(Box::new(run)),
            tolerance: None,
        }
    }

    /// Adds groups that the server must offer too.
    pub(crate) fn with(mut self, also: impl IntoIterator<Item = Group>) -> Self {
        self.also.extend(also);
        self
    }

    /// Marks a promise about time, which a busy machine may miss by `tolerance`.
    pub(crate) const fn timed(mut self, tolerance: Duration) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Whether the server offers every group that this case needs.
    #[must_use]
    pub fn is_offered(&self, about: &About) -> bool {
        let mut needed = self.also.iter().chain([&self.group]);
        needed.all(|group| about.offers(*group))
    }

    /// Whether this case judges a running server and starts none.
    #[must_use]
    pub const fn is_portable(&self) -> bool {
        matches!(self.run, Run::On(_) | Run::Both(_))
    }

    /// A report with the observation, the promise and the promise's source.
    #[must_use]
    pub fn explain(&self, seen: impl fmt::Display) -> String {
        let tolerance = self.tolerance.map(|most| format!(" (tolerance {most:?})")).unwrap_or_default();
        format!("{seen}\n    promise: {}{tolerance}\n    source:  {}", self.promise, self.source)
    }

    /// Judges a server.
    ///
    /// # Errors
    /// The server breaks the promise, or the case cannot judge this server. The failure names the cause.
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        match (&self.run, subject) {
            (Run::On(run), Subject { target, .. }) => run(target),
            (Run::Both(run), Subject { target, also: Some(also), .. }) => run(target, also),
            (Run::Own(options, run), Subject { start: Some(start), .. }) => {
                let mut command = start();
                let server = Server::start(command.args(*options))?;
                // An option can add a group, so ask the server that was started with the option.
                if self.is_offered(&server.target().about()?) {
                    let watch = server.watch();
                    run(server).map_err(|failure| ended(failure, &watch))
                } else {
                    Err(Failure::out_of_scope("not offered"))
                }
            }
            (Run::Both(run), Subject { start: Some(start), .. }) => {
                let one = Server::start(&mut start())?;
                let other = one.another()?;
                let failed = |failure| ended(ended(failure, &one.watch()), &other.watch());
                run(one.target(), other.target()).map_err(failed)
            }
            (Run::Both(_), _) => Err(Failure::out_of_scope("needs another server of the same history")),
            (Run::Own([], _), _) => Err(Failure::out_of_scope("needs a server of its own")),
            (Run::Own(options, _), _) => {
                Err(Failure::out_of_scope(format_args!("needs options: {}", options.join(" "))))
            }
        }
    }
}

/// Adds the end of the server to the failure, if the server ended during the case.
fn ended(failure: Failure, watch: &Watch) -> Failure {
    match watch.ended() {
        Some(ended) => Failure::new(format_args!("{ended}\n    then {failure}")),
        None => failure,
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("target", &self.target).field("also", &self.also).finish_non_exhaustive()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(_) => f.write_str("On"),
            Self::Both(_) => f.write_str("Both"),
            Self::Own(options, _) => f.debug_tuple("Own").field(options).finish(),
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("group", &self.group)
            .field("name", &self.name)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
