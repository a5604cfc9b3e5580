//! Fan-out over real sockets: a server process on one core, a load client on the other.

mod floor;
mod load;
mod raw;
mod report;
mod serve;
mod web;
mod worker;

pub use load::run as load;
pub use report::{INTRODUCTION, picture, tables, targets};
pub use serve::{Kind, run as serve};

use clap::ValueEnum;
use std::io;
use std::thread::sleep;
use std::time::Duration;
use worker::Worker;

/// The measured parts of the fan-out.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum Part {
    Burst,
    Paced,
    /// Many events each second, to streams with and without a window.
    Window,
    Growth,
    Topics,
    Large,
    Idle,
    Storm,
}

/// The load of a part: the number of streams grows while the server runs on.
struct Load {
    streams: &'static [usize],
    topics: usize,
    events: usize,
    bytes: usize,
    /// The pause between events; `None` publishes without a pause.
    every: Option<Duration>,
}

const BURST: Load = Load { streams: &[1_000], topics: 1, events: 2_000, bytes: 100, every: None };
const PACED: Load =
    Load { streams: &[2_000], topics: 1, events: 60, bytes: 100, every: Some(Duration::from_millis(40)) };
const GROWTH: Load = Load {
    streams: &[100, 1_000, 5_000, 9_000],
    topics: 1,
    events: 10,
    bytes: 100,
    every: Some(Duration::from_millis(200)),
};
const WINDOW: Load =
    Load { streams: &[200], topics: 1, events: 500, bytes: 100, every: Some(Duration::from_millis(4)) };
const TOPICS: Load = Load { topics: 8, ..PACED };
/// Less than a topic keeps, so that no stream that reads is cut off.
const LARGE: Load = Load { streams: &[200], topics: 1, events: 40, bytes: 64 * 1024, every: None };

/// Events before the measured ones, which allocate the buffers of connections.
const WARM: usize = 8;
const STORM_STREAMS: usize = 5_000;
const STORM_BEHIND: usize = 1_000;

impl Part {
    const fn load(self) -> Option<&'static Load> {
        match self {
            Self::Burst => Some(&BURST),
            Self::Paced => Some(&PACED),
            Self::Window => Some(&WINDOW),
            Self::Growth => Some(&GROWTH),
            Self::Topics => Some(&TOPICS),
            Self::Large => Some(&LARGE),
            Self::Idle | Self::Storm => None,
        }
    }

    /// Whether the part applies to this server: a floor has no topics, and a recipe has no history.
    const fn is_of(self, kind: Kind) -> bool {
        match self {
            Self::Window => matches!(kind, Kind::AxumOurs | Kind::AxumWindow),
            _ if matches!(kind, Kind::AxumWindow) => false,
            Self::Topics => !kind.is_floor() && !matches!(kind, Kind::Raw),
            Self::Storm => kind.is_ours() || kind.is_floor(),
            _ => true,
        }
    }
}

/// The measurements of one run of a load.
#[derive(Clone, Copy, Default)]
pub struct Outcome {
    pub per_second: f64,
    /// CPU time of the server per delivery, in µs.
    pub cpu_us: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The time until the streams that connected last had every event, in ms.
    pub live_ms: f64,
    /// Events that are missing or out of order.
    pub wrong: f64,
}

/// The measurements, one record per run.
#[derive(Default)]
pub struct Measured {
    outcomes: Vec<(Part, Kind, usize, Outcome)>,
    /// Bytes of an idle stream with this many topics, or the peak of a storm with this many streams.
    bytes: Vec<(Part, Kind, usize, f64)>,
}

impl Measured {
    /// The median of each figure over all runs, and the sum of the faults.
    fn outcome(&self, part: Part, kind: Kind, streams: usize) -> Option<Outcome> {
        let runs = self.outcomes.iter().filter(|run| (run.0, run.1, run.2) == (part, kind, streams)).map(|run| run.3);
        let of = |figure: fn(&Outcome) -> f64| median(runs.clone().map(|run| figure(&run)));
        Some(Outcome {
            per_second: of(|run| run.per_second)?,
            cpu_us: of(|run| run.cpu_us)?,
            p50_ms: of(|run| run.p50_ms)?,
            p99_ms: of(|run| run.p99_ms)?,
            live_ms: of(|run| run.live_ms)?,
            wrong: runs.clone().map(|run| run.wrong).sum(),
        })
    }

    fn bytes(&self, part: Part, kind: Kind, of: usize) -> Option<f64> {
        median(self.bytes.iter().filter(|run| (run.0, run.1, run.2) == (part, kind, of)).map(|run| run.3))
    }
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

/// Each server once per round, so that other work of the machine affects all of them. `only` selects parts and servers;
/// empty lists select all.
pub fn measure(only: (&[Part], &[Kind]), runs: usize) -> io::Result<Measured> {
    fn or_all<T: ValueEnum + Copy>(only: &[T]) -> Vec<T> {
        if only.is_empty() { T::value_variants().to_vec() } else { only.to_vec() }
    }
    let mut measured = Measured::default();
    for round in 1..=runs.max(1) {
        for part in or_all(only.0) {
            for kind in or_all(only.1).into_iter().filter(|kind| part.is_of(*kind)) {
                eprintln!("round {round}: {part:?}, {kind:?}");
                match part.load() {
                    Some(load) => {
                        let outcomes = run(kind, load)?;
                        measured.outcomes.extend(outcomes.map(|(streams, outcome)| (part, kind, streams, outcome)));
                    }
                    None if part == Part::Storm => storm(kind, &mut measured)?,
                    None => {
                        let topics: &[usize] = if kind.is_ours() { &[1, 9] } else { &[1] };
                        for &topics in topics {
                            measured.bytes.push((part, kind, topics, idle(kind, topics)?));
                        }
                    }
                }
            }
        }
    }
    Ok(measured)
}

/// A fresh server, and a client that has no streams yet.
fn start(kind: Kind, topics: usize) -> io::Result<(Worker, Worker)> {
    let name = kind.to_possible_value().expect("no kind is skipped");
    let mut server = Worker::start(&["serve", name.get_name(), &topics.to_string()])?;
    let port = server.line()?;
    Ok((server, Worker::start(&["load", &port])?))
}

/// Publishes to all streams, and waits until every event has arrived or is lost. Returns the client's counts for this
/// many deliveries.
fn publish(
    server: &mut Worker,
    client: &mut Worker,
    load: &Load,
    (streams, events): (usize, usize),
) -> io::Result<Outcome> {
    let before = server.cpu()?;
    client.tell(&format!("read {events}"))?;
    let every = load.every.map_or(0, |every| every.as_micros());
    server.ask(&format!("publish {events} {every} {}", load.bytes))?;
    let outcome = seen(&client.line()?, streams * events)?;
    // The server may still have to park the last streams.
    sleep(Duration::from_millis(50));
    let cpu = server.cpu()? - before;
    Ok(Outcome { cpu_us: cpu / 1000.0 / (streams * events) as f64, ..outcome })
}

/// The client's counts for this many deliveries.
fn seen(said: &str, expected: usize) -> io::Result<Outcome> {
    let figures: Vec<f64> = said.split(' ').map_while(|figure| figure.parse().ok()).collect();
    let [received, disordered, published, asked, p50_ms, p99_ms] = figures[..] else {
        return Err(io::Error::other(format!("the load client said {said:?}")));
    };
    let (per_second, wrong) = (received / published, expected as f64 - received + disordered);
    Ok(Outcome { per_second, cpu_us: 0.0, p50_ms, p99_ms, live_ms: asked * 1000.0, wrong })
}

fn run(kind: Kind, load: &Load) -> io::Result<impl Iterator<Item = (usize, Outcome)> + use<>> {
    let (mut server, mut client) = start(kind, load.topics)?;
    let mut outcomes = Vec::new();
    let mut open = 0;
    for &streams in load.streams {
        client.ask(&format!("open {}", streams - open))?;
        open = streams;
        let warm = publish(&mut server, &mut client, load, (streams, WARM))?;
        sleep(Duration::from_millis(100));
        let outcome = publish(&mut server, &mut client, load, (streams, load.events))?;
        outcomes.push((streams, Outcome { wrong: warm.wrong + outcome.wrong, ..outcome }));
    }
    Ok(outcomes.into_iter())
}

/// Anonymous memory of one idle stream, in bytes: the growth by 4,000 streams after 1,000 streams warmed up the server.
fn idle(kind: Kind, topics: usize) -> io::Result<f64> {
    let (mut server, mut client) = start(kind, topics)?;
    let mut settled = |more: usize, streams: usize| {
        client.ask(&format!("open {more}"))?;
        // Every topic has delivered an event.
        publish(&mut server, &mut client, &PACED, (streams, topics.max(3)))?;
        sleep(Duration::from_millis(400));
        server.anonymous()
    };
    let before = settled(1_000, 1_000)?;
    Ok((settled(4_000, 5_000)? - before) / 4_000.0)
}

/// All streams reconnect at once, with this many events missed. Measures the time until all are live, and the peak of
/// memory above the memory of streams that missed nothing.
fn storm(kind: Kind, measured: &mut Measured) -> io::Result<()> {
    let once = |missed: bool| {
        let (mut server, mut client) = start(kind, 1)?;
        let published = server.ask("publish 1 0 100")?;
        server.ask(&format!("publish {STORM_BEHIND} 0 100"))?;
        client.ask(&format!("read {}", STORM_BEHIND + 1))?;
        // A floor has no IDs, and replays from the beginning.
        let (id, next) = published.strip_prefix("published ").map_or(("none", 0), |id| (id, 1));
        let behind = if missed { format!(" {id} {next}") } else { String::new() };
        client.ask(&format!("open {STORM_STREAMS}{behind}"))?;
        let seen = seen(&client.ask("read 0")?, if missed { STORM_STREAMS * (STORM_BEHIND + 1 - next) } else { 0 })?;
        sleep(Duration::from_millis(200));
        Ok::<_, io::Error>((seen, server.peak()?))
    };
    let ((live, with), (_, without)) = (once(true)?, once(false)?);
    measured.outcomes.push((Part::Storm, kind, STORM_STREAMS, live));
    measured.bytes.push((Part::Storm, kind, STORM_STREAMS, with - without));
    Ok(())
}
