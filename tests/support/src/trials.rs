//! Trials of `libtest-mimic` that are futures. Trials in a browser share one browser of each engine.

use crate::browser::{Browser, Engine};
use crate::{Error, Missing, Optional, Result, need};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// A trial that takes longer has failed.
const BOUND: Duration = Duration::from_secs(120);

/// A list of trials, and the runtime and browsers that the trials share.
#[derive(Debug, Default)]
pub struct Trials {
    trials: Vec<Trial>,
    shared: Arc<Shared>,
    at_once: Option<usize>,
}

#[derive(Debug, Default)]
struct Shared {
    runtime: OnceLock<Runtime>,
    browsers: [OnceCell<Browser>; Engine::ALL.len()],
}

impl Shared {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        #[expect(clippy::expect_used, reason = "without threads nothing can be tested")]
        let runtime = self.runtime.get_or_init(|| Runtime::new().expect("a runtime can be made"));
        runtime.block_on(future)
    }

    fn run(&self, test: impl Future<Output = Result>) -> Result<Completion, Failed> {
        match self.block_on(async { timeout(BOUND, test).await }) {
            Ok(Ok(())) => Ok(Completion::Completed),
            Ok(Err(error)) => unable(error),
            Err(_) => Err(format!("took longer than {BOUND:?}").into()),
        }
    }

    /// The browser starts before the time of the first trial begins.
    fn run_in(&self, engine: Engine, test: impl AsyncFnOnce(&Browser) -> Result) -> Result<Completion, Failed> {
        match self.block_on(self.browsers[engine as usize].get_or_try_init(|| Browser::start(engine))) {
            Ok(browser) => self.run(test(browser)),
            Err(error) => unable(error),
        }
    }
}

fn unable(error: Error) -> Result<Completion, Failed> {
    match (error.downcast_ref(), error.downcast_ref::<Optional>()) {
        (Some(missing), _) => without(missing),
        (None, Some(optional)) => Ok(Completion::ignored_with(optional)),
        (None, None) => Err(with_sources(&*error).into()),
    }
}

/// An error with the sources: reqwest's own text does not name the reason.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The outcome of a trial that cannot run without this program.
fn without(missing: &Missing) -> Result<Completion, Failed> {
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        Err(missing.to_string().into())
    } else {
        Ok(Completion::ignored_with(missing))
    }
}

/// A synchronous trial, for a list of the caller's own, that needs this command. Without the command the trial is
/// ignored and names the command; under `CI=true` the trial fails.
pub fn needing<T>(command: &'static str, name: impl Into<String>, test: T) -> Trial
where
    T: FnOnce() -> Result<(), Failed> + Send + 'static,
{
    Trial::ignorable_test(name, move || match need(command) {
        Ok(()) => test().map(|()| Completion::Completed),
        Err(missing) => without(&missing),
    })
}

impl Trials {
    /// No trials yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No trials yet. These trials wait more than they work, so twelve run at once, however few the processors.
    #[must_use]
    pub fn that_wait() -> Self {
        Self { at_once: Some(12), ..Self::default() }
    }

    /// No trials yet. They run one after another, because they measure time.
    #[must_use]
    pub fn one_at_a_time() -> Self {
        Self { at_once: Some(1), ..Self::default() }
    }

    /// Adds a trial. A trial that fails with [`Missing`] is ignored and names the program; under `CI=true` the trial
    /// fails.
    pub fn add<F>(&mut self, name: impl Into<String>, test: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result>,
    {
        let shared = self.shared.clone();
        self.trials.push(Trial::ignorable_test(name, move || shared.run(test())));
    }

    /// Adds a trial in Chromium. [`add_in_each_browser`](Self::add_in_each_browser) is for trials that other engines
    /// can run too.
    pub fn add_in_chromium<T>(&mut self, name: impl Into<String>, test: T)
    where
        T: AsyncFnOnce(&Browser) -> Result + Send + 'static,
    {
        self.add_in(Engine::Chromium, name, test);
    }

    /// Adds a trial in each engine: `NAME::chromium`, `NAME::firefox`, `NAME::webkit`.
    pub fn add_in_each_browser<T>(&mut self, name: impl Into<String>, test: T)
    where
        T: AsyncFnOnce(&Browser) -> Result + Clone + Send + 'static,
    {
        let name = name.into();
        for engine in Engine::ALL {
            self.add_in(engine, format!("{name}::{}", engine.as_str()), test.clone());
        }
    }

    fn add_in<T>(&mut self, engine: Engine, name: impl Into<String>, test: T)
    where
        T: AsyncFnOnce(&Browser) -> Result + Send + 'static,
    {
        let shared = self.shared.clone();
        self.trials.push(Trial::ignorable_test(name, move || shared.run_in(engine, test)));
    }

    /// Runs the trials that the process's arguments select, and stops the browsers.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let Self { trials, shared, at_once } = self;
        let mut arguments = Arguments::from_args();
        arguments.test_threads = arguments.test_threads.or(at_once);
        let conclusion = libtest_mimic::run(&arguments, trials);
        // Every trial has ended and dropped its handle.
        if let Some(Shared { mut runtime, browsers }) = Arc::into_inner(shared)
            && let Some(runtime) = runtime.take()
        {
            for browser in browsers.into_iter().filter_map(OnceCell::into_inner) {
                runtime.block_on(browser.stop());
            }
        }
        conclusion.exit_code()
    }
}
