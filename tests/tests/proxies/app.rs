//! The conformance server behind a proxy. These calls do not pass the proxy.

use crate::SOON;
use sse_conformance::server::Adapter;
use sse_test_support::process::Server;
use sse_test_support::{Result, eventually};
use std::time::Duration;
use tokio::process::Command;

/// The interval of keep-alives. Some proxies notice a client that disconnected only at the next write.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_millis(500);

/// A running conformance server.
pub(crate) struct App(Server);

impl App {
    /// Starts a server on a free port.
    pub(crate) async fn start(adapter: Adapter) -> Result<Self> {
        Self::start_with(adapter, KEEP_ALIVE).await
    }

    /// Starts a server with this interval of keep-alives.
    pub(crate) async fn start_with(adapter: Adapter, keep_alive: Duration) -> Result<Self> {
        Self::run(adapter, "127.0.0.1:0", keep_alive).await
    }

    /// Starts a server at this address.
    pub(crate) async fn start_at(adapter: Adapter, address: &str) -> Result<Self> {
        Self::run(adapter, address, KEEP_ALIVE).await
    }

    async fn run(adapter: Adapter, address: &str, keep_alive: Duration) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-server"));
        command.args(["--adapter", adapter.as_str(), "--listen", address]);
        command.arg("--keep-alive-ms").arg(keep_alive.as_millis().to_string());
        Ok(Self(Server::start(command).await?))
    }

    pub(crate) fn address(&self) -> &str {
        self.0.address()
    }

    /// Publishes on the topic `news`.
    pub(crate) async fn publish(&self, data: &str) -> Result {
        let event = serde_json::json!({ "topic": "news", "data": data });
        let request = reqwest::Client::new().post(format!("{}/publish", self.0.url())).json(&event);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits until the server has this many streams.
    pub(crate) async fn has_streams(&self, expected: u64) -> Result {
        let stats = format!("{}/stats", self.0.url());
        // Two keep-alives at most, then the answer of the system.
        eventually(&format!("{expected} streams"), SOON, async || {
            let stats: serde_json::Value = reqwest::get(&stats).await?.json().await?;
            Ok(stats.get("streams").and_then(serde_json::Value::as_u64) == Some(expected))
        })
        .await
    }

    /// Ends the server as for a deploy: with a drain.
    pub(crate) async fn terminate(self) -> Result {
        self.0.terminate().await?;
        Ok(())
    }

    /// Ends the server as in a crash: connections break.
    pub(crate) async fn kill(self) -> Result {
        self.0.kill().await
    }
}
