//! Every case against every adapter, each on a real server over real sockets.

use libtest_mimic::{Arguments, Failed, Trial};
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use sse_conformance::{Case, Group, Subject, cases};
use std::process::{Command, ExitCode};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Short, to keep the cases about keep-alives short, but long enough for a busy machine.
const KEEP_ALIVE_MS: &str = "600";

/// Most cases wait for a server more than they compute.
const AT_ONCE: usize = 6;

/// A server that all cases of one adapter share, started by the first.
type Shared = Arc<OnceLock<Result<Server, String>>>;

/// A case about time runs alone. All other cases run side by side.
static TURNS: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let shared: Vec<(Adapter, Shared)> = Adapter::ALL.into_iter().map(|adapter| (adapter, Shared::default())).collect();
    let trials = shared.iter().flat_map(|(adapter, server)| {
        let is_offered = |case: &Case| case.also.iter().chain([&case.group]).all(|group| offers(*adapter, *group));
        let cases = cases::all().into_iter().filter(is_offered);
        cases.map(|case| trial(*adapter, server.clone(), case))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // A static is never dropped, so its servers would outlive the test.
    drop(shared);
    if conclusion.has_failed() { ExitCode::from(101) } else { ExitCode::SUCCESS }
}

fn offers(adapter: Adapter, group: Group) -> bool {
    match group {
        Group::Compression => adapter.offers_compression(),
        // The test `nodes` runs these with a log.
        Group::Nodes => false,
        _ => true,
    }
}

fn trial(adapter: Adapter, server: Shared, case: Case) -> Trial {
    let name = format!("{}::{}", adapter.as_str(), case.name);
    let kind = case.group.as_str();
    Trial::test(name, move || {
        let (_alone, _beside);
        if case.tolerance.is_some() {
            _alone = TURNS.write().unwrap_or_else(PoisonError::into_inner);
        } else {
            _beside = TURNS.read().unwrap_or_else(PoisonError::into_inner);
        }
        let server = server.get_or_init(|| {
            Server::start(command(adapter).args(["--keep-alive-ms", KEEP_ALIVE_MS]))
                .map_err(|failure| failure.to_string())
        });
        let server = server.as_ref().map_err(Failed::from)?;
        let start = || command(adapter);
        let subject = Subject::new(server.target()).start(Some(&start));
        case.judge(&subject).map_err(|failure| Failed::from(case.explain(&failure)))
    })
    .with_kind(kind)
}

fn command(adapter: Adapter) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-server"));
    command.args(["--adapter", adapter.as_str()]);
    command
}
