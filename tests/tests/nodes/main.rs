//! The cases about topics against servers that follow a log, and against two servers of one log.
//!
//! Each case runs against one adapter, and the adapters take turns. `cargo test -p sse-conformance --test nodes --
//! --include-ignored` runs every case against every adapter. Without `redis-server` all cases are ignored with the
//! reason; under `CI=true` they fail.

mod engine;
mod faults;
mod refusals;

use engine::{PROGRAM, RedisServer};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sse_conformance::process::Server;
use sse_conformance::server::{Adapter, FAULTS};
use sse_conformance::{Case, Group, Subject, cases};
use sse_test_support::trials::needing;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// The groups that depend on the log, beside those cases of other groups that need topics.
const GROUPS: [Group; 8] = [
    Group::Resumption,
    Group::Publish,
    Group::Retention,
    Group::Lag,
    Group::Drain,
    Group::Stats,
    Group::Nodes,
    Group::State,
];

/// Short, as in `adapters`.
const KEEP_ALIVE_MS: &str = "600";

/// The engine, and a server of each adapter. The first trial that needs one starts that server.
#[derive(Default)]
struct Shared {
    engine: OnceLock<Result<RedisServer, String>>,
    servers: [OnceLock<Result<Server, String>>; Adapter::ALL.len()],
    /// A case about time runs alone. All other cases run side by side.
    turns: RwLock<()>,
}

impl Shared {
    fn engine(&self) -> Result<&RedisServer, Failed> {
        let engine = self.engine.get_or_init(|| RedisServer::start().map_err(|error| error.to_string()));
        engine.as_ref().map_err(Failed::from)
    }

    /// The command of a server with a new log.
    fn command(&self, adapter: Adapter) -> Result<impl Fn() -> Command, Failed> {
        static LOGS: AtomicU64 = AtomicU64::new(0);
        let url = self.engine()?.url();
        Ok(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-server"));
            let log = format!("log-{}", LOGS.fetch_add(1, Ordering::Relaxed));
            command.args(["--adapter", adapter.as_str(), "--redis", &url, "--log", &log]);
            command
        })
    }

    fn judge(&self, at: usize, case: &Case) -> Result<(), Failed> {
        let (_alone, _beside);
        if case.tolerance.is_some() {
            _alone = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        } else {
            _beside = self.turns.read().unwrap_or_else(PoisonError::into_inner);
        }
        let (adapter, server) = (Adapter::ALL[at], &self.servers[at]);
        let start = self.command(adapter)?;
        let server = server.get_or_init(|| {
            Server::start(start().args(["--keep-alive-ms", KEEP_ALIVE_MS])).map_err(|failure| failure.to_string())
        });
        let subject = Subject::new(server.as_ref().map_err(Failed::from)?.target()).start(Some(&start));
        case.judge(&subject).map_err(|failure| Failed::from(case.explain(&failure)))
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let shared = Arc::<Shared>::default();
    let mut trials = Vec::new();
    // Not every adapter offers compression.
    let needs_log = |case: &Case| {
        GROUPS.contains(&case.group) || case.also.contains(&Group::Resumption) && case.group != Group::Compression
    };
    for (n, case) in cases::all().into_iter().filter(needs_log).enumerate() {
        let case = Arc::new(case);
        for (at, adapter) in Adapter::ALL.into_iter().enumerate() {
            let name = format!("{}::{}", adapter.as_str(), case.name);
            let (shared, case, kind) = (shared.clone(), case.clone(), case.group.as_str());
            // With a log an adapter runs no other code than without a log, and `adapters` runs every case on every
            // adapter.
            let trial = if n % Adapter::ALL.len() == at || arguments.include_ignored || arguments.ignored {
                needing(&PROGRAM, name, move || shared.judge(at, &case))
            } else {
                let reason = "another adapter runs this case here; `-- --include-ignored` runs it with all of them";
                Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
            };
            trials.push(trial.with_kind(kind));
        }
    }
    for (name, refusal) in refusals::ALL {
        trials.push(needing(&PROGRAM, name, refusal));
    }
    for (fault, case, _) in FAULTS.iter().filter(|(_, case, _)| case.starts_with("nodes::")) {
        let shared = shared.clone();
        trials.push(needing(&PROGRAM, format!("the_fault_is_found::{fault}"), move || {
            faults::found(shared.engine()?, fault, case)
        }));
    }
    // No trial is marked as ignored: a trial that does not run names the reason.
    (arguments.include_ignored, arguments.ignored) = (false, false);
    let conclusion = libtest_mimic::run(&arguments, trials);
    // A static is never dropped, so its processes would outlive the test.
    drop(shared);
    if conclusion.has_failed() { ExitCode::from(101) } else { ExitCode::SUCCESS }
}
