//! Runs on several nodes, against a real server: each node is a process, and nodes and server are killed and paused.
//!
//! Here and in CI the cases are short. The long form has 200 faults and prints figures:
//!
//! ```text
//! SSE_RUNS_LONG=1 cargo test --release -p sse-runs --features redis --test nodes -- --nocapture --test-threads=1
//! ```
//!
//! Without `redis-server` the cases are ignored and print the reason; with `CI=true` they fail.

mod client;
mod faults;
mod figures;
mod node;
#[path = "../../../sse-redis/tests/server/server.rs"]
#[allow(dead_code, reason = "the tests of sse-redis use the rest")]
mod server;
mod single;

use libtest_mimic::{Arguments, Failed, Trial};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A case returns its figures.
type Case = fn(long: bool) -> Pin<Box<dyn Future<Output = String> + Send>>;

/// The time limit of a case.
const MOST: Duration = Duration::from_secs(300);

macro_rules! cases {
    ($($name:literal => $case:path;)*) => {
        [$(($name, (|long| Box::pin($case(long))) as Case)),*]
    };
}

fn main() {
    if let Ok(url) = std::env::var("SSE_RUNS_NODE") {
        return node::serve(&url);
    }
    let mut arguments = Arguments::from_args();
    // The cases wait for most of their time.
    arguments.test_threads.get_or_insert(4);
    let missing = server::missing();
    let long = std::env::var_os("SSE_RUNS_LONG").is_some();
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let cases = cases! {
        "a killed node ends its runs as failed within 5 s" => single::killed;
        "a paused node that returns is fenced" => single::paused;
        "a start on two nodes at once, a stop and a removal from another node" => single::requests;
        "a server that is restarted ends no run, and one that lost its data ends every run" => single::restarted;
        "the user of docs/runs.md" => single::documented_user;
        "a Redis Cluster" => single::cluster;
        "random faults lose, double and reorder nothing, and every client ends" => faults::random;
        "attach, stop, and commands of a run" => figures::figures;
    };
    let trials = cases.into_iter().map(|(name, case)| {
        let shown = name.to_owned();
        let reason = missing.clone();
        let trial = Trial::test(name, move || match reason {
            Some(reason) => Err(Failed::from(format!("no server to test against: {reason}"))),
            None => {
                run(&shown, case, long);
                Ok(())
            }
        });
        trial.with_ignored_flag(missing.is_some() && !in_ci)
    });
    let trials = trials.collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn run(name: &str, case: Case, long: bool) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let begun = Instant::now();
    let most = if long { MOST * 6 } else { MOST };
    let figures = runtime.block_on(async { tokio::time::timeout(most, case(long)).await });
    let figures = figures.unwrap_or_else(|_| panic!("stuck after {most:?}"));
    println!("{name:<90} {:>6.1} s  {figures}", begun.elapsed().as_secs_f64());
}
