//! Starts a server that implements the contract, and stops that process by ID.

use crate::{Failure, Target};
use sse_test_support::child::{Child, Watch};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// A running server. Dropping this value kills the process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    target: Target,
}

impl Server {
    /// Runs this command, and waits for the line `listening on URL`.
    ///
    /// # Errors
    /// The server does not start within 30 s. Exit code 2 means that the server does not have an option.
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        Self::of(Child::start(command))
    }

    fn of(started: Result<Child, sse_test_support::child::NotStarted>) -> Result<Self, Failure> {
        let child = started.map_err(|error| match error.code {
            // The contract asks for exit code 2 at an option that the server does not have.
            Some(2) => Failure::out_of_scope("an option is not offered"),
            _ => Failure::new(error),
        })?;
        let target = Target::new(child.url())?;
        Ok(Self { child, target })
    }

    /// The server, as a target.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The last lines that the server wrote to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.child.log()
    }

    /// The process ID.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// A watch that can observe the process from another place.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.child.watch()
    }

    /// Starts the same command beside this server. Where the command names a place for the history, both servers share
    /// the history.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn another(&self) -> Result<Self, Failure> {
        Self::of(self.child.another())
    }

    /// Stops the server and starts the same command again.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn again(mut self) -> Result<Self, Failure> {
        self.terminate()?;
        self.wait(Duration::from_secs(30))?;
        self.another()
    }

    /// Sends SIGTERM. Without signals on the system, kills the process.
    ///
    /// # Errors
    /// The system rejects the signal.
    pub fn terminate(&mut self) -> Result<(), Failure> {
        Ok(self.child.terminate()?)
    }

    /// Sends SIGINT, as a terminal does.
    ///
    /// # Errors
    /// The system rejects the signal.
    #[cfg(unix)]
    pub fn interrupt(&mut self) -> Result<(), Failure> {
        Ok(self.child.interrupt()?)
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// The process still runs after `within`.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, Failure> {
        self.child.wait(within).map_err(Failure::new)
    }
}
