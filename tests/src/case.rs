//! One promise, and how to see whether it is kept.

use crate::process::Server;
use crate::{About, Failure, Group, Target, Verdict};
use sse_test_support::child::Watch;
use std::fmt;
use std::process::Command;
use std::time::Duration;

/// A promise and its check.
pub struct Case {
    /// What it belongs to.
    pub group: Group,
    /// What else a server must offer for it: without it, it is out of scope too.
    pub also: Vec<Group>,
    /// The promise as an identifier.
    pub name: String,
    /// The promise as a sentence.
    pub promise: &'static str,
    /// The sentence of `tests/CONFORMANCE.md` that promises it.
    pub source: &'static str,
    /// How to see whether it is kept.
    pub run: Run,
    /// Set where the promise is about time: how much a busy machine may add. Such a case runs while no other one does.
    pub tolerance: Option<Duration>,
}

/// What a case needs to run.
#[non_exhaustive]
pub enum Run {
    /// A server that is there.
    On(Box<dyn Fn(&Target) -> Verdict + Send + Sync>),
    /// A server of its own, started with these options, because it changes it for good.
    Own(&'static [&'static str], Box<dyn Fn(Server) -> Verdict + Send + Sync>),
    /// Two servers of one history that are there.
    Both(Box<OnBoth>),
}

/// How two servers of one history are judged.
pub type OnBoth = dyn Fn(&Target, &Target) -> Verdict + Send + Sync;

/// The server that cases judge.
#[derive(Clone)]
#[non_exhaustive]
pub struct Subject<'s> {
    /// The server.
    pub target: Target,
    /// Another server of the same history.
    pub also: Option<Target>,
    /// The command of a server like it, for cases that need their own. Each time it is one with a history of its own.
    pub start: Option<&'s dyn Fn() -> Command>,
}

impl<'s> Subject<'s> {
    /// A server that runs.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        Self { target: target.clone(), also: None, start: None }
    }

    /// The same, and another server of the same history.
    #[must_use]
    pub fn also(self, also: Option<Target>) -> Self {
        Self { also, ..self }
    }

    /// The same, and how to start one like it.
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

    /// The same, for servers that offer this as well.
    pub(crate) fn with(mut self, also: impl IntoIterator<Item = Group>) -> Self {
        self.also.extend(also);
        self
    }

    /// The same, of a promise about time, which a busy machine may miss by this much.
    pub(crate) const fn timed(mut self, tolerance: Duration) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Whether a server that says this of itself can be judged by it.
    #[must_use]
    pub fn is_offered(&self, about: &About) -> bool {
        let mut needed = self.also.iter().chain([&self.group]);
        needed.all(|group| about.offers(*group))
    }

    /// Whether it judges what is there, rather than a server of its own.
    #[must_use]
    pub const fn is_portable(&self) -> bool {
        matches!(self.run, Run::On(_) | Run::Both(_))
    }

    /// What was seen, what was promised, and by whom.
    #[must_use]
    pub fn explain(&self, seen: impl fmt::Display) -> String {
        let tolerance = self.tolerance.map(|most| format!(" (tolerance {most:?})")).unwrap_or_default();
        format!("{seen}\n    promise: {}{tolerance}\n    source:  {}", self.promise, self.source)
    }

    /// Judges a server.
    ///
    /// # Errors
    /// The promise was not kept, or could not be looked at; the failure tells which.
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        match (&self.run, subject) {
            (Run::On(run), Subject { target, .. }) => run(target),
            (Run::Both(run), Subject { target, also: Some(also), .. }) => run(target, also),
            (Run::Own(options, run), Subject { start: Some(start), .. }) => {
                let mut command = start();
                let server = Server::start(command.args(*options))?;
                // An option may bring a group with it, so this one is asked, and not the server beside it.
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

/// A failure, or the better reason for it: the server ended during the case.
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
