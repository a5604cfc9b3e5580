//! The server's process, and the system's counters for the process.

use super::Result;
use crate::process;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// A running server.
#[derive(Debug)]
pub struct LoadServer {
    process: process::Server,
}

/// Bytes in the kernel between a server and one of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queues {
    /// Bytes on the server's side that are not sent or not acknowledged.
    pub unacknowledged: u64,
    /// Bytes on the client's side that are not read.
    pub unread: u64,
}

impl LoadServer {
    /// Starts this executable with these arguments.
    ///
    /// # Errors
    /// The server does not listen.
    pub fn start(executable: &Path, arguments: &[&str]) -> Result<Self> {
        Ok(Self { process: process::Server::start(Command::new(executable).args(arguments))? })
    }

    /// The server's address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.process.target().address()
    }

    /// The number of streams in the server's counters.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn streams(&self) -> Result<u64> {
        self.stat("streams")
    }

    /// One of the hub's counters.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn stat(&self, name: &str) -> Result<u64> {
        let stats = self.process.target().stats()?;
        stats.get(name).and_then(serde_json::Value::as_u64).ok_or_else(|| format!("no {name} in {stats}").into())
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// The system does not offer the number. Linux does.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.process_id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// The number of sockets among the process's descriptors.
    ///
    /// # Errors
    /// The system does not offer the number.
    pub fn sockets(&self) -> Result<usize> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.process.process_id()))?;
        // A descriptor that was closed meanwhile is skipped.
        let links = descriptors.filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok());
        Ok(links.filter(|link| link.to_string_lossy().starts_with("socket:")).count())
    }

    /// The bytes in the kernel between the server and the client at this address.
    ///
    /// # Errors
    /// The system does not offer the numbers, or there is no such connection.
    pub fn queues(&self, client: SocketAddr) -> Result<Queues> {
        let table = fs::read_to_string("/proc/net/tcp")?;
        let port = |field: &str| field.split(':').nth(1).and_then(|port| u16::from_str_radix(port, 16).ok());
        let (ours, theirs) = (Some(self.address().port()), Some(client.port()));
        let (mut unacknowledged, mut unread) = (None, None);
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, _, queues, ..] = fields.as_slice() else { continue };
            let (out, into) = queues.split_once(':').ok_or("no queues")?;
            if (port(local), port(remote)) == (ours, theirs) {
                unacknowledged = Some(u64::from_str_radix(out, 16)?);
            } else if (port(local), port(remote)) == (theirs, ours) {
                unread = Some(u64::from_str_radix(into, 16)?);
            }
        }
        let (unacknowledged, unread) = unacknowledged.zip(unread).ok_or("no such connection")?;
        Ok(Queues { unacknowledged, unread })
    }

    /// Sends SIGTERM, waits for the end, and returns how long the end took.
    ///
    /// # Errors
    /// The process still runs after `within`.
    pub fn terminate(&mut self, within: Duration) -> Result<(ExitStatus, Duration)> {
        let asked = Instant::now();
        self.process.terminate()?;
        Ok((self.process.wait(within)?, asked.elapsed()))
    }
}
