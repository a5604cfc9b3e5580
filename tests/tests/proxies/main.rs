//! The configurations in docs/proxies.md, each in the proxy that it is written for, in front of the conformance server.

mod apache;
mod app;
mod caddy;
mod delay;
mod haproxy;
mod nginx;
mod promises;
mod proxy;
mod varnish;
mod vite;

use proxy::Kind;
use sse_test_support::trials::Trials;
use std::process::ExitCode;
use std::time::Duration;

/// How long a step without a wait may take on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// How long an `EventSource` may stay away: a drained stream and the proxy each ask for up to 5 s.
const BACK: Duration = Duration::from_secs(25);

const ALL: [Kind; 6] = [haproxy::KIND, caddy::KIND, varnish::KIND, apache::KIND, nginx::KIND, vite::KIND];

fn main() -> ExitCode {
    // The delays are measured before the other trials use the processor.
    let mut delays = Trials::one_at_a_time();
    let mut trials = Trials::that_wait();
    for kind in ALL {
        delay::add(&mut delays, kind);
        promises::add(&mut trials, kind);
    }
    let delays = delays.run();
    let trials = trials.run();
    if delays == ExitCode::SUCCESS { trials } else { delays }
}
