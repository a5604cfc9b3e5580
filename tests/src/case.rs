//! One promise, and how to see whether it is kept.

use crate::process::Server;
use crate::{About, Failure, Group, Target, Verdict};
use std::fmt;
use std::process::Command;

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
    /// Who promised it: a section of a standard, or of this project's contract.
    pub source: &'static str,
    /// How to see whether it is kept.
    pub run: Run,
}

/// What a case needs to run.
#[non_exhaustive]
pub enum Run {
    /// A server that is there.
    On(Box<dyn Fn(&Target) -> Verdict + Send + Sync>),
    /// A server of its own, started with these options, because it changes it for good.
    Own(&'static [&'static str], Box<dyn Fn(Server) -> Verdict + Send + Sync>),
}

impl Case {
    pub(crate) fn on(
        group: Group,
        name: impl Into<String>,
        promise: &'static str,
        source: &'static str,
        run: impl Fn(&Target) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self { group, also: Vec::new(), name: name.into(), promise, source, run: Run::On(Box::new(run)) }
    }

    pub(crate) fn own(
        group: Group,
        name: impl Into<String>,
        promise: &'static str,
        source: &'static str,
        options: &'static [&'static str],
        run: impl Fn(Server) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self { group, also: Vec::new(), name: name.into(), promise, source, run: Run::Own(options, Box::new(run)) }
    }

    /// The same, for servers that offer this as well.
    pub(crate) fn with(mut self, also: impl IntoIterator<Item = Group>) -> Self {
        self.also.extend(also);
        self
    }

    /// Whether a server that says this of itself can be judged by it.
    #[must_use]
    pub fn is_offered(&self, about: &About) -> bool {
        let mut needed = self.also.iter().chain([&self.group]);
        needed.all(|group| about.groups.iter().any(|offered| offered == group.as_str()))
    }

    /// Whether it can judge a server that somebody else started.
    #[must_use]
    pub const fn is_portable(&self) -> bool {
        matches!(self.run, Run::On(_))
    }

    /// Judges a server. `start` is the command of one like it, for a case that needs its own.
    ///
    /// # Errors
    /// The promise was not kept, or could not be looked at; the failure tells which.
    pub fn judge(&self, target: &Target, start: Option<&dyn Fn() -> Command>) -> Verdict {
        match (&self.run, start) {
            (Run::On(run), _) => run(target),
            (Run::Own(options, run), Some(start)) => {
                let mut command = start();
                let server = Server::start(command.args(*options))?;
                // An option may bring a group with it, so this one is asked, and not the server beside it.
                if self.is_offered(&server.target().about()?) {
                    run(server)
                } else {
                    Err(Failure::out_of_scope("not offered"))
                }
            }
            (Run::Own([], _), None) => Err(Failure::out_of_scope("needs a server of its own")),
            (Run::Own(options, _), None) => {
                Err(Failure::out_of_scope(format_args!("needs options: {}", options.join(" "))))
            }
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(_) => f.write_str("On"),
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
