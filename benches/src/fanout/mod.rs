//! Fan-out over real sockets: a server process on one core, a load client on the other.

mod floor;
mod load;
mod raw;
mod serve;
mod web;

pub use load::run as load;
pub use serve::{Kind, run as serve};

use crate::measure::anonymous;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Both ends of a child's pipes: a line in, a line out.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    fn start(args: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a child without pipes"));
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() { Err(io::Error::other("a child that said nothing")) } else { Ok(line.trim().to_owned()) }
    }

    fn ask(&mut self, command: &str) -> io::Result<String> {
        writeln!(self.input, "{command}")?;
        self.line()
    }

    /// CPU time of the process so far, in ns.
    fn cpu(&mut self) -> io::Result<f64> {
        self.ask("cpu")?.parse().map_err(io::Error::other)
    }

    /// Anonymous memory of the process, in bytes.
    fn anonymous(&self) -> io::Result<f64> {
        anonymous(&self.child.id().to_string())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One way to publish to so many readers.
#[derive(Clone, Copy)]
pub struct Load {
    pub streams: usize,
    pub events: usize,
    pub bytes: usize,
    /// `None`: back to back.
    pub every: Option<Duration>,
}

/// What one run of a load gave.
#[derive(Clone, Copy, Default)]
pub struct Outcome {
    pub per_second: f64,
    /// CPU time of the server, in µs for each delivery.
    pub cpu_us: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub lost: u64,
    pub disordered: u64,
}

impl Outcome {
    /// Of each figure the median; of losses the sum.
    pub fn median(runs: &[Self]) -> Self {
        let median = |figure: fn(&Self) -> f64| {
            let mut all: Vec<f64> = runs.iter().map(figure).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        Self {
            per_second: median(|run| run.per_second),
            cpu_us: median(|run| run.cpu_us),
            p50_ms: median(|run| run.p50_ms),
            p99_ms: median(|run| run.p99_ms),
            lost: runs.iter().map(|run| run.lost).sum(),
            disordered: runs.iter().map(|run| run.disordered).sum(),
        }
    }
}

/// Runs a load against a fresh server.
pub fn run(kind: Kind, load: &Load) -> io::Result<Outcome> {
    let mut server = Worker::start(&["serve", kind.as_str()])?;
    let port = server.line()?;
    let mut client = Worker::start(&["load", &port, &load.streams.to_string(), &load.events.to_string()])?;
    client.line()?;
    std::thread::sleep(Duration::from_millis(300));
    let before = server.cpu()?;
    let every = load.every.map_or(0, |every| every.as_micros());
    server.ask(&format!("publish {} {every} {}", load.events, load.bytes))?;
    let said = client.line()?;
    let cpu = server.cpu()? - before;
    let figures: Vec<f64> = said.split(' ').map_while(|figure| figure.parse().ok()).collect();
    let [received, disordered, seconds, p50_ms, p99_ms] = figures[..] else {
        return Err(io::Error::other(format!("the load client said {said:?}")));
    };
    let expected = (load.streams * load.events) as f64;
    Ok(Outcome {
        per_second: received / seconds,
        cpu_us: cpu / 1000.0 / received,
        p50_ms,
        p99_ms,
        lost: (expected - received) as u64,
        disordered: disordered as u64,
    })
}

/// Anonymous memory that one idle stream takes, in bytes: what 4,000 more take after 1,000 warmed the server up.
pub fn idle(kind: Kind) -> io::Result<f64> {
    let mut server = Worker::start(&["serve", kind.as_str()])?;
    let port = server.line()?;
    let mut settle = |streams: usize| {
        let mut client = Worker::start(&["load", &port, &streams.to_string(), "3"])?;
        client.line()?;
        server.ask("publish 3 1000 100")?;
        client.line()?;
        std::thread::sleep(Duration::from_millis(500));
        Ok::<_, io::Error>((client, server.anonymous()?))
    };
    let (_few, before) = settle(1000)?;
    let (_many, after) = settle(4000)?;
    Ok((after - before) / 4000.0)
}
