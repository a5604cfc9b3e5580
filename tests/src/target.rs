//! A server under test, seen from outside.

use crate::client::{Connection, Request, Response};
use crate::{Failure, Group, failure};
use serde::Deserialize;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A server that implements the contract.
#[derive(Debug, Clone)]
pub struct Target {
    address: SocketAddr,
}

/// A server's answer to `/about`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct About {
    /// The server's name.
    pub name: String,
    /// The groups that the server offers.
    pub groups: Vec<String>,
    /// The keep-alive interval in milliseconds; 0 means no keep-alives.
    pub keep_alive_ms: u64,
}

impl About {
    /// Whether the server offers this group.
    #[must_use]
    pub fn offers(&self, group: Group) -> bool {
        self.groups.iter().any(|offered| offered == group.as_str())
    }
}

/// A server's answer to `/streams/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct State {
    /// Whether the stream still accepts events.
    pub active: bool,
    /// The close reason.
    pub reason: Option<String>,
}

/// The one liveness bound, for everything without a promise about time. 30 s, unless [`set_patience`] was called.
pub(crate) fn patience() -> Duration {
    PATIENCE.get().copied().unwrap_or(Duration::from_secs(30))
}

static PATIENCE: OnceLock<Duration> = OnceLock::new();

/// Sets the liveness bound. Only the first call has an effect.
pub fn set_patience(bound: Duration) {
    let _ = PATIENCE.set(bound);
}

impl Target {
    /// The server at this URL, `http://HOST:PORT`.
    ///
    /// # Errors
    /// The URL does not begin with `http://`, or the host has no address.
    pub fn new(url: &str) -> Result<Self, Failure> {
        let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let host = host.ok_or_else(|| Failure::new(format_args!("{url} does not begin with http://")))?;
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = host.to_socket_addrs()?.next();
        Ok(Self { address: address.ok_or_else(|| Failure::new(format_args!("{host} has no address")))? })
    }

    /// The server's address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens an HTTP/1 connection.
    ///
    /// # Errors
    /// The server accepts no connection.
    pub fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address)
    }

    /// Opens a stream on a connection with a small receive buffer.
    ///
    /// # Errors
    /// The status is not 200.
    pub fn ask_narrow(&self, request: &Request) -> Result<Response, Failure> {
        let response = Connection::open_narrow(self.address)?.ask(request)?;
        failure::check(response.head.status == 200, || format!("no stream: {}", response.head))?;
        Ok(response)
    }

    /// Sends a request on a new connection and reads the head of the response.
    ///
    /// # Errors
    /// No head arrives.
    pub fn ask(&self, request: &Request) -> Result<Response, Failure> {
        self.connect()?.ask(request)
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// No head arrives, or the body does not end.
    pub fn read(&self, request: &Request) -> Result<Response, Failure> {
        let mut response = self.ask(request)?;
        response.read_to_end(patience())?;
        Ok(response)
    }

    /// Opens a stream that runs these steps.
    ///
    /// # Errors
    /// The status is not 200.
    pub fn script(&self, steps: &str) -> Result<Response, Failure> {
        let response = self.ask(&Request::script(steps))?;
        failure::check(response.head.status == 200, || format!("no stream: {}", response.head))?;
        Ok(response)
    }

    /// Runs these steps and reads the stream to the end.
    ///
    /// # Errors
    /// The status is not 200, or the stream does not end.
    pub fn run(&self, steps: &str) -> Result<Vec<u8>, Failure> {
        let mut response = self.script(steps)?;
        response.read_to_end(patience())?;
        Ok(response.body().to_vec())
    }

    /// Requests `/about`.
    ///
    /// # Errors
    /// The response does not follow the contract.
    pub fn about(&self) -> Result<About, Failure> {
        Ok(serde_json::from_slice(self.read(&Request::get("/about"))?.body())?)
    }

    /// Requests the server's counters.
    ///
    /// # Errors
    /// The response is not JSON.
    pub fn stats(&self) -> Result<serde_json::Value, Failure> {
        Ok(serde_json::from_slice(self.read(&Request::get("/stats"))?.body())?)
    }

    /// Requests the state of a stream.
    ///
    /// # Errors
    /// The server does not know the stream.
    pub fn state(&self, id: &str) -> Result<State, Failure> {
        let response = self.read(&Request::get(format!("/streams/{id}")))?;
        failure::check(response.head.status == 200, || format!("of stream {id}: {}", response.head))?;
        Ok(serde_json::from_slice(response.body())?)
    }

    /// Waits until the stream has ended for this reason.
    ///
    /// # Errors
    /// The stream has not ended for this reason after `within`.
    pub fn ended(&self, id: &str, reason: &str, within: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        loop {
            let state = self.state(id)?;
            if state.reason.as_deref() == Some(reason) {
                return failure::check(!state.active, || format!("the reason is {reason}, but the stream is active"));
            }
            if Instant::now() >= deadline || state.reason.is_some() {
                return Err(Failure::new(format_args!("the stream is not {reason} within {within:?}: {state:?}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
