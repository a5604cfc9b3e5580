//! A server as a process of its own.

use crate::{Error, Result};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);

/// A server that runs, and is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    url: String,
}

impl Server {
    /// Starts a server that prints `listening on http://ADDRESS` on a line of its standard output. Its standard input
    /// is a pipe that stays open until [`Server::end_input`].
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen within 20 s.
    pub async fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let url = timeout(START, async {
            while let Some(line) = lines.next_line().await? {
                if let Some(url) = line.strip_prefix("listening on ") {
                    return Ok(url.to_owned());
                }
            }
            Err(Error::from("the server ended without listening"))
        });
        let url = url.await.map_err(|_| "the server does not listen")??;
        // Read on, so that it never waits for its output to be read.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, stdin, url })
    }

    /// Where it listens, as `http://127.0.0.1:3000`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address alone, as `127.0.0.1:3000`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or(&self.url)
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// Its standard input is closed.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result {
        let stdin = self.stdin.as_mut().ok_or("the input has ended")?;
        stdin.write_all(bytes.as_ref()).await?;
        Ok(stdin.flush().await?)
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Asks it to end with SIGTERM, and tells how it ended and how long that took.
    ///
    /// # Errors
    /// It does not end within 20 s.
    #[cfg(unix)]
    pub async fn terminate(mut self) -> Result<(ExitStatus, Duration)> {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        let asked = Instant::now();
        rustix::process::kill_process(pid.ok_or("it has ended already")?, rustix::process::Signal::TERM)?;
        let status = timeout(START, self.child.wait()).await.map_err(|_| "the server does not end")??;
        Ok((status, asked.elapsed()))
    }

    /// Kills it, as a crash would.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(mut self) -> Result {
        Ok(self.child.kill().await?)
    }
}
