//! A [`Child`] for tests that are futures.

use crate::child::Child;
use crate::{Error, Result};
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::task::spawn_blocking;

/// How long a server may take to end.
const END: Duration = Duration::from_secs(30);

/// A running server. Dropping this value kills the process.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// Starts a server that prints `listening on http://ADDRESS` on a line of standard output. Standard input is a pipe
    /// that stays open until [`Server::end_input`].
    ///
    /// # Errors
    /// The server cannot be started, ends, or does not listen within 30 s.
    pub async fn start(command: Command) -> Result<Self> {
        let mut command = command.into_std();
        Ok(Self(spawn_blocking(move || Child::start(&mut command)).await??))
    }

    /// The server's URL, as `http://127.0.0.1:3000`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// The address alone, as `127.0.0.1:3000`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url().strip_prefix("http://").unwrap_or(self.url())
    }

    /// Writes to the server's standard input.
    ///
    /// # Errors
    /// The standard input is closed.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result {
        Ok(self.0.write(bytes.as_ref())?)
    }

    /// Closes the server's standard input.
    pub fn end_input(&mut self) {
        self.0.end_input();
    }

    /// Whether the process still runs.
    ///
    /// # Errors
    /// The system call fails.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.0.status()?.is_none())
    }

    /// The last 200 lines of standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.log()
    }

    /// Sends SIGTERM. Returns the exit status, and the time until the end.
    ///
    /// # Errors
    /// The process has ended already, or does not end within 30 s.
    pub async fn terminate(self) -> Result<(ExitStatus, Duration)> {
        if self.0.status()?.is_some() {
            return Err(Error::from("it has ended already"));
        }
        let asked = Instant::now();
        self.0.terminate()?;
        let status = spawn_blocking(move || self.0.wait(END)).await??;
        Ok((status, asked.elapsed()))
    }

    /// Kills the process, as a crash would.
    ///
    /// # Errors
    /// The process cannot be killed.
    pub async fn kill(self) -> Result {
        self.0.kill()?;
        Ok(())
    }
}
