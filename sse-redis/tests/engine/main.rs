//! The failure tests, against a real server: `redis-server` on a free port, in a temporary folder. Their names are those
//! of `docs/scaling.md`, which has the table.
//!
//! They run in short here and in CI. `SSE_REDIS_LONG=1 cargo test --release -p sse-redis --test engine -- --nocapture
//! --test-threads=1` runs them at length and prints a line of figures for each. Without `redis-server` they are shown as
//! ignored, with the reason; under `CI=true` that is a failure. `SSE_REDIS_SERVER` names another server's program. The case
//! of TLS is there with `--features tls`, and needs `openssl`.

mod losses;
mod model;
mod nodes;
mod outages;
mod resume;
mod server;
#[cfg(feature = "tls")]
mod tls;

use libtest_mimic::{Arguments, Failed, Trial};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A case: it gives its figures.
type Case = fn(long: bool) -> Pin<Box<dyn Future<Output = String> + Send>>;

/// How long a case may take before it counts as stuck.
const MOST: Duration = Duration::from_secs(300);

macro_rules! cases {
    ($($name:literal => $case:path;)*) => {
        [$(($name, (|long| Box::pin($case(long))) as Case)),*]
    };
}

fn main() {
    let arguments = Arguments::from_args();
    let missing = server::missing();
    let long = std::env::var_os("SSE_REDIS_LONG").is_some();
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let cases = cases! {
        "every node has one order" => nodes::one_order;
        "how long it takes" => nodes::latency;
        "T1 the engine is killed and keeps its log" => outages::killed_and_kept;
        "T2 the log is flushed, deleted, or gone with the server" => losses::wiped;
        "T3 a failover loses the tail" => losses::lost_tail;
        "T3 a failover that one node does not know of" => losses::lost_tail_unknown_to_one;
        "T4 a failover that loses nothing" => outages::graceful_failover;
        "T6 the engine stands still" => outages::stands_still;
        "T7 the node is cut off, both ways and one way" => outages::cut_off;
        "T8 the engine is slow" => outages::slow;
        "T9 trimmed while nobody read" => losses::trimmed;
        "T10 a client hops between nodes" => resume::hops;
        "T11 ids that are none of this log's" => resume::foreign_ids;
        "an id that is waited for" => resume::waited_for;
        "T12 an empty log, and publishes between polls" => nodes::empty_log;
        "T13 a quiet topic beside a busy one" => resume::quiet_topic;
        "T14 a rolling restart" => nodes::rolling_restart;
    };
    #[cfg(feature = "tls")]
    let tls = cases! { "TLS by a private authority" => tls::private_authority; };
    #[cfg(not(feature = "tls"))]
    let tls: [(&str, Case); 0] = [];
    let trials = cases.into_iter().chain(tls).map(|(name, case)| {
        let name = match &missing {
            Some(reason) if !in_ci => format!("{name} (ignored: {reason})"),
            _ => name.to_owned(),
        };
        let reason = missing.clone();
        let shown = name.clone();
        let trial = Trial::test(name, move || match reason {
            Some(reason) => Err(Failed::from(format!("there is no engine to test against: {reason}"))),
            None => {
                run(&shown, case, long);
                Ok(())
            }
        });
        trial.with_ignored_flag(missing.is_some() && !in_ci)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn run(name: &str, case: Case, long: bool) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let begun = Instant::now();
    let most = if long { MOST * 6 } else { MOST };
    let figures = runtime.block_on(async { tokio::time::timeout(most, case(long)).await });
    let figures = figures.unwrap_or_else(|_| panic!("stuck after {most:?}"));
    println!("{name:<60} {:>6.1} s  {figures}", begun.elapsed().as_secs_f64());
}
