//! The failure tests, against a real server: `redis-server` on a free port, in a temporary folder. `docs/scaling.md` lists
//! the cases and their results.
//!
//! Here and in CI each case is short. `SSE_REDIS_LONG=1 cargo test --release -p sse-redis --test server -- --nocapture
//! --test-threads=1` runs the long form and prints figures. Without `redis-server` the cases are ignored and print the
//! reason; with `CI=true` they fail. `SSE_REDIS_SERVER` names another server program. The case of TLS needs `--features tls`
//! and `openssl`. Every node has the rights of the user in `docs/scaling.md`, and a case fails if the server denied a command.

mod cases;
mod cost;
mod ends;
mod failovers;
mod limits;
mod losses;
mod model;
mod nodes;
mod old;
mod outages;
mod problems;
mod publishing;
mod refusals;
mod resume;
mod server;
mod services;
mod shared;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod workers;

use cases::{cases, in_ci};
use libtest_mimic::Arguments;

fn main() {
    let mut arguments = Arguments::from_args();
    // The cases wait for most of their time.
    arguments.test_threads.get_or_insert(6);
    let long = std::env::var_os("SSE_REDIS_LONG").is_some();
    let cases = cases! {
        "idle nodes" => cost::idle_nodes;
        "every node has one order" => nodes::one_order;
        "latency" => nodes::latency;
        "every node ends a topic at one entry" => ends::one_end;
        "every node has the state" => state::every_node;
        "a late node has the state of a trimmed log" => state::late_node;
        "the bounds of a state topic" => state::bounds;
        "state topics after a restart and a loss" => state::restarts;
        "clients of state topics hop between nodes" => state::hops;
        "several logs over one pair of connections" => shared::logs;
        "T1 the server is killed and keeps its log" => outages::killed_and_kept;
        "T2 the log is flushed, deleted, or gone with the server" => losses::wiped;
        "T3 a failover loses the tail" => losses::lost_tail;
        "T3 a failover that one node does not notice" => losses::lost_tail_unknown_to_one;
        "T4 a failover that loses nothing" => outages::graceful_failover;
        "T6 the server is stopped" => outages::stands_still;
        "T7 the node is cut off, both ways and one way" => outages::cut_off;
        "T8 the server is slow" => outages::slow;
        "T9 trimmed before a node read" => losses::trimmed;
        "T10 a client hops between nodes" => resume::hops;
        "T11 IDs that are not of this log" => resume::foreign_ids;
        "wait_for an ID" => resume::waited_for;
        "T12 an empty log, and publishes between polls" => nodes::empty_log;
        "T13 a quiet topic beside a busy one" => resume::quiet_topic;
        "a server without ROLE or EVAL_RO" => services::without_role;
        "a server with full memory" => services::full_memory;
        "the user of docs/scaling.md" => services::documented_user;
        "a server without replicas" => services::no_replicas;
        "a publish after the node has loaded" => services::publish_after_loaded;
        "an entry of a later format stops a node" => problems::later_format;
        "an entry without a topic" => problems::unknown_entry;
        "the problem of a node" => problems::of_each_kind;
        "a publisher that may not log in" => refusals::denied_login;
        "a publisher without the right to publish" => refusals::denied_command;
        "the URL of a replica without ROLE" => refusals::replica_without_role;
        "a first attempt that arrives after its repetition" => outages::late_first_attempt;
        "a log with many probes" => problems::many_probes;
        "a publisher without a node" => workers::publisher;
        "a batch of events" => workers::batch;
        "settings at their limits" => services::settings;
        "three sentinels, and a failover" => failovers::sentinels;
        "a cluster, a failover and a reshard" => failovers::cluster;
        "an address that a function resolves" => failovers::resolved;
        "replicas acknowledge a publish" => limits::acknowledged;
        "a script that does not wait for publishes" => limits::reserved;
        "a log with limits of age and size" => limits::age_and_size;
        "readiness without a server" => services::readiness;
        "T14 a rolling restart" => nodes::rolling_restart;
    };
    #[cfg(feature = "tls")]
    let tls = cases! { "TLS by a private authority" => tls::private_authority; };
    #[cfg(not(feature = "tls"))]
    let tls: [(&str, cases::Case); 0] = [];
    let mut trials = cases::trials(cases.into_iter().chain(tls), long);
    trials.extend(publishing::trials(server::missing().as_deref(), in_ci()));
    trials.push(old::trial(in_ci()));
    libtest_mimic::run(&arguments, trials).exit();
}
