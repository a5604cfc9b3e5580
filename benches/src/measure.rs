//! How a piece of work is measured: CPU time of this thread in interleaved rounds, and instructions under callgrind.

use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::io;
use std::process::{Command, Stdio};

/// One contender at one piece of work.
pub struct Case {
    /// What all contenders do; a table has a section for each.
    pub task: String,
    pub contender: &'static str,
    /// Against whom the others are measured: the fastest of these is 1.
    pub is_peer: bool,
    /// How many events one run handles.
    pub events: usize,
    pub run: Box<dyn FnMut()>,
}

impl Case {
    pub fn new(task: &str, contender: &'static str, events: usize, run: impl FnMut() + 'static) -> Self {
        Self { task: task.to_owned(), contender, is_peer: true, events, run: Box::new(run) }
    }

    /// One that is not a peer: ours, or a bound.
    pub fn not_peer(mut self) -> Self {
        self.is_peer = false;
        self
    }
}

/// What was measured of a case.
pub struct Figure {
    pub task: String,
    pub contender: &'static str,
    pub is_peer: bool,
    pub ns: f64,
    pub instructions: Option<f64>,
}

/// Time that this thread was given, in ns: others on the machine count less than in wall time.
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

/// The median time of each case per event, over rounds in which every case of a task has its turn.
pub fn race(mut cases: Vec<Case>, rounds: usize) -> Vec<Figure> {
    let mut figures = Vec::new();
    while !cases.is_empty() {
        let task = cases[0].task.clone();
        let (mut field, rest): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.task == task);
        cases = rest;
        // About a millisecond a turn, after a run that warms caches and buffers.
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
            let Case { task, contender, is_peer, .. } = case;
            figures.push(Figure { task, contender, is_peer, ns, instructions: None });
        }
    }
    figures
}

/// Runs one case so many times and nothing else; what callgrind looks at.
pub fn repeat(cases: Vec<Case>, name: &str, times: usize) {
    for mut case in cases.into_iter().filter(|case| key(&case.task, case.contender) == name) {
        for _ in 0..times {
            (case.run)();
        }
    }
}

fn key(task: &str, contender: &str) -> String {
    format!("{task}/{contender}")
}

/// Adds the instructions of each case per event: the difference of two counts, so that what comes before the first run
/// is in neither. Without valgrind there are none.
pub fn count(figures: &mut [Figure], events: &HashMap<String, usize>, group: &str, args: &[String]) -> io::Result<()> {
    for figure in figures {
        let name = key(&figure.task, figure.contender);
        let Some(&events) = events.get(&name) else { continue };
        let few = callgrind(group, &name, 2, args)?;
        let Some((few, more)) = few.zip(callgrind(group, &name, 6, args)?) else { return Ok(()) };
        figure.instructions = Some((more - few) as f64 / (4 * events) as f64);
    }
    Ok(())
}

/// How many events one run of each case handles.
pub fn events(cases: &[Case]) -> HashMap<String, usize> {
    cases.iter().map(|case| (key(&case.task, case.contender), case.events)).collect()
}

fn callgrind(group: &str, name: &str, times: usize, args: &[String]) -> io::Result<Option<u64>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["repeat", group, name, &times.to_string()])
        .args(args)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else { return Ok(None) };
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    Ok(collected.and_then(|count| count.trim().parse().ok()))
}

/// Anonymous memory of a process, in bytes.
pub fn anonymous(process: &str) -> io::Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| io::Error::other("no figure for anonymous memory"))
}
