//! What a browser's `EventSource` makes of each adapter: it comes back by itself, with its place, and stays away when it
//! is told to.

mod away;
mod down;
mod ends;
mod tab;

use sse_conformance::client::Request;
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use sse_conformance::{Failure, Target};
use sse_test_support::trials::Trials;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// How long anything may take that should be there at once, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(10);

/// A browser waits up to 5 s after a drain or a soft refusal, and as long again when it is refused once more.
const BACK: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    let mut trials = Trials::that_wait();
    // What waits longest goes first, so that the rest is done meanwhile.
    for add in [down::add, ends::add, away::add] {
        Adapter::ALL.into_iter().for_each(|adapter| add(&mut trials, adapter));
    }
    trials.run()
}

fn start(adapter: Adapter, options: &[&str]) -> Result<Server, Failure> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-server"));
    Server::start(command.args(["--adapter", adapter.as_str()]).args(options))
}

/// Publishes these on the topic `news`; each may have a reconnection time of its own.
fn publish<'d>(target: &Target, events: impl IntoIterator<Item = (&'d str, Option<u32>)>) -> Result<(), Failure> {
    let events =
        events.into_iter().map(|(data, retry)| serde_json::json!({ "topic": "news", "data": data, "retry": retry }));
    let body = serde_json::Value::from_iter(events).to_string();
    let answer = target.read(&Request::new("POST", "/publish").body(body))?;
    if answer.head.status == 200 { Ok(()) } else { Err(Failure::new(answer.head)) }
}
