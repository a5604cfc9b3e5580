//! The measurement: CPU time of this thread in interleaved rounds, and instructions under callgrind.

use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::process::{Command, Stdio};

/// One contender at one piece of work.
pub struct Case {
    /// The work that all contenders do. A table has a section for each task.
    pub task: String,
    pub contender: &'static str,
    /// Whether the case is a peer. The fastest peer counts as 1.
    pub is_peer: bool,
    /// The number of events in one run.
    pub events: usize,
    pub run: Box<dyn FnMut()>,
}

impl Case {
    pub fn new(task: &str, contender: &'static str, events: usize, run: impl FnMut() + 'static) -> Self {
        Self { task: task.to_owned(), contender, is_peer: true, events, run: Box::new(run) }
    }

    /// Marks a case as ours or as a bound.
    pub fn not_peer(mut self) -> Self {
        self.is_peer = false;
        self
    }

    /// A figure without measurements.
    pub fn figure(&self) -> Figure {
        let Self { contender, is_peer, events, .. } = *self;
        Figure { task: self.task.clone(), contender, is_peer, events, ns: None, instructions: None }
    }

    fn name(&self) -> String {
        name(&self.task, self.contender)
    }
}

/// The measurements of a case, per event.
pub struct Figure {
    pub task: String,
    pub contender: &'static str,
    pub is_peer: bool,
    events: usize,
    pub ns: Option<f64>,
    pub instructions: Option<f64>,
}

/// The CPU time of this thread in ns. Other processes disturb CPU time less than wall time.
pub fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn timed(case: &mut Case, runs: usize) -> f64 {
    let start = thread_ns();
    for _ in 0..runs {
        (case.run)();
    }
    (thread_ns() - start) as f64 / (runs * case.events) as f64
}

/// The median time of each case per event, over rounds in which every case of a task runs in turn.
pub fn race(mut cases: Vec<Case>, rounds: usize) -> Vec<Figure> {
    let mut figures = Vec::new();
    while !cases.is_empty() {
        let task = cases[0].task.clone();
        let (mut field, rest): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.task == task);
        cases = rest;
        // About a millisecond per turn, after one run that warms caches and buffers.
        let runs: Vec<usize> = field
            .iter_mut()
            .map(|case| {
                timed(case, 1);
                (1_000_000.0 / (timed(case, 1) * case.events as f64)).ceil().max(1.0) as usize
            })
            .collect();
        let mut times = vec![Vec::with_capacity(rounds); field.len()];
        for _ in 0..rounds {
            for ((case, runs), times) in field.iter_mut().zip(&runs).zip(&mut times) {
                times.push(timed(case, *runs));
            }
        }
        for (case, mut times) in field.into_iter().zip(times) {
            times.sort_by(f64::total_cmp);
            let ns = times[times.len() / 2];
            eprintln!("{:44} {:34} {ns:10.1} ns", case.task, case.contender);
            figures.push(Figure { ns: Some(ns), ..case.figure() });
        }
    }
    figures
}

/// Runs one case this many times and nothing else, for callgrind.
pub fn repeat(cases: Vec<Case>, name: &str, times: usize) {
    for mut case in cases.into_iter().filter(|case| case.name() == name) {
        for _ in 0..times {
            (case.run)();
        }
    }
}

fn name(task: &str, contender: &str) -> String {
    format!("{task}/{contender}")
}

/// Adds the instructions of each case: the difference of two counts, so that the work before the first run cancels out.
/// `args` are the arguments that select the same cases.
///
/// # Errors
/// valgrind is not installed.
pub fn count(figures: &mut [Figure], group: &str, args: &[String]) -> io::Result<()> {
    for figure in figures {
        let name = name(&figure.task, figure.contender);
        let few = callgrind(group, &name, 2, args)?;
        let more = callgrind(group, &name, 6, args)?;
        let instructions = (more - few) / (4 * figure.events) as f64;
        eprintln!("{:44} {:34} {instructions:10.1} instructions", figure.task, figure.contender);
        figure.instructions = Some(instructions);
    }
    Ok(())
}

fn callgrind(group: &str, name: &str, times: usize, args: &[String]) -> io::Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["repeat", group, name, &times.to_string()])
        .args(args)
        // Without this setting, valgrind counts glibc's `rep movsb` as one instruction per byte of a long copy.
        .env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=0x10000000")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("instructions are counted by valgrind: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    let collected = collected.and_then(|count| count.trim().parse().ok());
    collected.ok_or_else(|| io::Error::other(format!("callgrind said {said}")))
}

/// Anonymous memory of a process, in bytes.
pub fn anonymous(process: &str) -> io::Result<f64> {
    kib(&format!("/proc/{process}/smaps_rollup"), "Anonymous:")
}

/// A figure that the kernel gives in KiB, converted to bytes.
pub fn kib(file: &str, name: &str) -> io::Result<f64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| io::Error::other(format!("no {name} in {file}")))
}
