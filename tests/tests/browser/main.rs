//! What `EventSource` of Chromium, Firefox and WebKit makes of each adapter: it reconnects by itself, resumes where it
//! was, and stays away after the end. One adapter runs every test in every engine; the others run the tests of what
//! goes over the wire in every engine, and the rest in Chromium.

mod away;
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

/// How long anything may take that should be there at once, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(10);

/// A browser waits up to 5 s after a drain or a soft refusal, and as long again when it is refused once more.
const BACK: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    let mut trials = Trials::that_wait();
    // The tests that wait longest go first, so that the rest is done meanwhile.
    for adapter in Adapter::ALL {
        let scope = if adapter == Adapter::Axum { Scope::Everything } else { Scope::Wire };
        cut::add(&mut trials, adapter);
        down::add(&mut trials, adapter, scope);
        ends::add(&mut trials, adapter, scope);
        quiet::add(&mut trials, adapter, scope);
        away::add(&mut trials, adapter, scope);
        if scope == Scope::Everything {
            runs::add(&mut trials, adapter);
        }
    }
    trials.run()
}

/// What an adapter has to show in every engine. A test of the wire runs there for each adapter.
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

/// Starts the server, or the one that `CONFORMANCE_SERVER` names: an older one, for a comparison.
fn start(adapter: Adapter, options: &[&str]) -> Result<Server, Failure> {
    let server = std::env::var_os("CONFORMANCE_SERVER");
    let mut command = Command::new(server.unwrap_or_else(|| env!("CARGO_BIN_EXE_conformance-server").into()));
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
