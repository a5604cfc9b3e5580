//! Starts a server as a child, and stops it by its own process id.

use crate::{Failure, Target};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    target: Target,
}

impl Server {
    /// Runs this command, and waits until it says `listening on URL`.
    ///
    /// # Errors
    /// It did not start, or said nothing within 10 s.
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let Some(out) = child.stdout.take() else { return Err(Failure::new("the server has no output")) };
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // Nobody listens once the first line was read; the pipe is emptied all the same.
                let _ = send.send(line);
            }
        });
        let target = lines
            .recv_timeout(Duration::from_secs(10))
            .map_err(|_| Failure::new("the server did not say that it listens"))
            .and_then(|line| match line.strip_prefix("listening on ") {
                Some(url) => Target::new(url),
                None => Err(Failure::new(format_args!("the server said {line:?}"))),
            });
        match target {
            Ok(target) => Ok(Self { child, target }),
            Err(failure) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failure)
            }
        }
    }

    /// The server, seen from outside.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM. Where there are no signals, kills.
    ///
    /// # Errors
    /// The system said no.
    pub fn terminate(&mut self) -> Result<(), Failure> {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process};
            let pid = Pid::from_child(&self.child);
            kill_process(pid, Signal::TERM).map_err(|error| Failure::new(format_args!("no signal was sent: {error}")))
        }
        #[cfg(not(unix))]
        Ok(self.child.kill()?)
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// It still runs after this long.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, Failure> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(Failure::new(format_args!("the server still runs after {within:?}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
