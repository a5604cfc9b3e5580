//! A server or a load client: a process of this program, controlled by lines on standard input.

use crate::measure::{anonymous, kib};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start(args: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a child without pipes"));
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// Sends a command in one write, because a server without a framework treats each read as one line.
    pub fn tell(&mut self, command: &str) -> io::Result<()> {
        self.input.write_all(format!("{command}\n").as_bytes())
    }

    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() { Err(io::Error::other("a child that said nothing")) } else { Ok(line.trim().to_owned()) }
    }

    pub fn ask(&mut self, command: &str) -> io::Result<String> {
        self.tell(command)?;
        self.line()
    }

    /// CPU time of the process so far, in ns.
    pub fn cpu(&mut self) -> io::Result<f64> {
        let said = self.ask("cpu")?;
        said.parse().map_err(|_| io::Error::other(format!("a server said {said:?}")))
    }

    /// Anonymous memory of the process, in bytes.
    pub fn anonymous(&self) -> io::Result<f64> {
        anonymous(&self.child.id().to_string())
    }

    /// The peak memory of the process, in bytes.
    pub fn peak(&self) -> io::Result<f64> {
        kib(&format!("/proc/{}/status", self.child.id()), "VmHWM:")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
