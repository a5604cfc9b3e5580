//! Runs on several nodes, against a real server: each node is a process, and nodes and server are killed and paused.
//!
//! Here and in CI the cases are short. The long form has 200 faults and prints figures:
//!
//! ```text
//! SSE_RUNS_LONG=1 cargo test --release -p sse-runs --features redis --test nodes -- --nocapture --test-threads=1
//! ```
//!
//! Without `redis-server` the cases are ignored and print the reason; with `CI=true` they fail.

#[path = "../../../sse-redis/tests/server/cases.rs"]
mod cases;
mod client;
mod faults;
mod figures;
mod node;
#[path = "../../../sse-redis/tests/server/server.rs"]
#[allow(dead_code, reason = "the tests of sse-redis use the rest")]
mod server;
mod single;

use cases::cases;
use libtest_mimic::Arguments;

fn main() {
    if let Ok(url) = std::env::var("SSE_RUNS_NODE") {
        return node::serve(&url);
    }
    let mut arguments = Arguments::from_args();
    // The cases wait for most of their time.
    arguments.test_threads.get_or_insert(4);
    let long = std::env::var_os("SSE_RUNS_LONG").is_some();
    let cases = cases! {
        "a killed node ends its runs as failed within 5 s" => single::killed;
        "a paused node that returns is fenced" => single::paused;
        "a start on two nodes at once, a stop and a removal from another node" => single::requests;
        "a server that is restarted ends no run, and one that lost its data ends every run" => single::restarted;
        "a server that lost its newest writes ends the run, and a client that has them receives a gap" => single::set_back;
        "the user of docs/runs.md" => single::documented_user;
        "a Redis Cluster" => single::cluster;
        "random faults lose, double and reorder nothing, and every client ends" => faults::random;
        "attach, stop, and commands of a run" => figures::figures;
    };
    libtest_mimic::run(&arguments, cases::trials(cases, long)).exit();
}
