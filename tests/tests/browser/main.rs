//! `EventSource` of Chromium, Firefox and WebKit on each adapter: reconnects, resumes after the last event ID, and
//! stays away after the end. One adapter runs every test in every engine. The others run the tests of the wire in every
//! engine, and the rest in Chromium.

mod away;
mod compressed;
mod cut;
mod down;
mod ends;
mod quiet;
mod runs;
mod tab;

use sse_conformance::client::Request;
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use sse_conformance::{Failure, Target};
use sse_test_support::Result;
use sse_test_support::browser::Browser;
use sse_test_support::trials::Trials;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// The bound for everything that happens without a wait, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A browser waits up to 5 s after a drain or a retry-later answer, and as long again after a second retry-later
/// answer.
const BACK: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    let mut trials = Trials::that_wait();
    // The longest tests start first, so that the others run meanwhile.
    // `sse-serve` sends the bytes of axum, which its own tests compare.
    for adapter in Adapter::ALL.into_iter().filter(|adapter| *adapter != Adapter::Serve) {
        let scope = if adapter == Adapter::Axum { Scope::Everything } else { Scope::Wire };
        cut::add(&mut trials, adapter);
        down::add(&mut trials, adapter, scope);
        ends::add(&mut trials, adapter, scope);
        quiet::add(&mut trials, adapter, scope);
        away::add(&mut trials, adapter, scope);
        if scope == Scope::Everything {
            runs::add(&mut trials, adapter);
            compressed::add(&mut trials, adapter);
        }
    }
    trials.run()
}

/// The engines that a test of an adapter runs in. A test of the wire runs in every engine for each adapter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Everything,
    Wire,
}

impl Scope {
    /// Adds a test that is not about the wire.
    fn add<T>(self, trials: &mut Trials, name: String, test: T)
    where
        T: AsyncFnOnce(&Browser) -> Result + Clone + Send + 'static,
    {
        match self {
            Self::Everything => trials.add_in_each_browser(name, test),
            Self::Wire => trials.add_in_chromium(name, test),
        }
    }
}

/// Starts the server, or the program that `CONFORMANCE_SERVER` names, for example an older version.
fn start(adapter: Adapter, options: &[&str]) -> Result<Server, Failure> {
    let server = std::env::var_os("CONFORMANCE_SERVER");
    let mut command = Command::new(server.unwrap_or_else(|| env!("CARGO_BIN_EXE_conformance-server").into()));
    Server::start(command.args(["--adapter", adapter.as_str()]).args(options))
}

/// Publishes these on the topic `news`. Each may have a reconnection time.
fn publish<'d>(target: &Target, events: impl IntoIterator<Item = (&'d str, Option<u32>)>) -> Result<(), Failure> {
    let events =
        events.into_iter().map(|(data, retry)| serde_json::json!({ "topic": "news", "data": data, "retry": retry }));
    let body = serde_json::Value::from_iter(events).to_string();
    let answer = target.read(&Request::new("POST", "/publish").body(body))?;
    if answer.head.status == 200 { Ok(()) } else { Err(Failure::new(answer.head)) }
}
