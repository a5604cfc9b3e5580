//! Clients that are killed, stall and resume at random, for a chosen time.

use super::{LoadClient, LoadServer, Result, publish};
use sse_test_support::ledger::Tally as Counts;
use sse_test_support::reader::Habits;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many clients, and for how long.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Soak {
    /// The number of clients at once.
    pub clients: usize,
    /// How long events are published.
    pub time: Duration,
    /// Events per second, of 200 bytes each.
    pub rate: u64,
    /// The longest time for which a client reads or stalls before the next choice.
    pub pause: Duration,
    /// When the slopes of the memory begin. By then all clients have come, and histories and allocator are full.
    pub warm_up: Duration,
    /// A file in which the server writes how many bytes it has in use.
    pub in_use: Option<PathBuf>,
}

/// Memory of the server at one moment.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Memory {
    /// Since the start.
    pub at: Duration,
    /// Bytes that the system counts.
    pub resident: u64,
    /// Bytes that the program asked its allocator for and did not give back; 0 if the server does not count.
    pub in_use: u64,
}

/// The measurements.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Soaked {
    /// Events published.
    pub published: u64,
    /// Events received by all clients together.
    pub heard: u64,
    /// Numbers that are missing without a gap event; must be 0.
    pub holes: u64,
    /// Numbers that one client received twice; must be 0.
    pub duplicates: u64,
    /// Events and last event IDs that `EventSource` read in another way than the independent reader; must be 0.
    pub disagreements: u64,
    /// Gap events.
    pub gaps: u64,
    /// How often clients reconnected.
    pub resumed: u64,
    /// Clients that did not receive the last number.
    pub behind: usize,
    /// The server's memory, five times a second.
    pub memory: Vec<Memory>,
    /// When the slopes begin.
    pub warm_up: Duration,
}

impl Soaked {
    /// The slope of resident memory in bytes a minute, by least squares over the time after the warm-up.
    #[must_use]
    pub fn slope(&self) -> f64 {
        self.slope_of(|memory| memory.resident)
    }

    /// The slope of the bytes in use, over the same time. If resident memory grows and the bytes in use do not, the
    /// allocator keeps the difference.
    #[must_use]
    pub fn slope_in_use(&self) -> f64 {
        self.slope_of(|memory| memory.in_use)
    }

    fn slope_of(&self, bytes: impl Fn(&Memory) -> u64) -> f64 {
        let warm = || self.memory.iter().filter(|memory| memory.at >= self.warm_up);
        let points = || warm().map(|memory| (memory.at.as_secs_f64() / 60.0, bytes(memory) as f64));
        let n = warm().count().max(1) as f64;
        let (x, y) = points().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / n, sum.1 + point.1 / n));
        let (above, below) = points()
            .fold((0.0, 0.0), |sum, point| (sum.0 + (point.0 - x) * (point.1 - y), sum.1 + (point.0 - x).powi(2)));
        if below > 0.0 { above / below } else { 0.0 }
    }

    /// Whether every missing event was announced by a gap, no event came twice, every client received the last event,
    /// and both readers read the same.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.holes == 0 && self.duplicates == 0 && self.disagreements == 0 && self.behind == 0
    }
}

impl fmt::Display for Soaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, heard, holes, duplicates, disagreements, gaps, resumed, behind, .. } = self;
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        let most = |bytes: fn(&Memory) -> u64| self.memory.iter().map(bytes).max().unwrap_or_default() as f64;
        write!(f, "{published} events published, {heard} heard, {resumed} returns\nholes {holes}, ")?;
        write!(f, "duplicates {duplicates}, disagreements of the two readers {disagreements}, gap events {gaps}, ")?;
        writeln!(f, "left behind {behind}")?;
        for (name, most, slope) in [
            ("in use", most(|memory| memory.in_use), self.slope_in_use()),
            ("resident", most(|memory| memory.resident), self.slope()),
        ] {
            write!(f, "{name} at most {:.1} MiB, after {} s ", mib(most), self.warm_up.as_secs())?;
            writeln!(f, "{:+.2} MiB a minute", mib(slope))?;
        }
        write!(f, "mean of each minute: MiB in use, MiB resident")?;
        for minute in self.memory.chunk_by(|a, b| a.at.as_secs() / 60 == b.at.as_secs() / 60) {
            let mean = |bytes: fn(&Memory) -> u64| minute.iter().map(bytes).sum::<u64>() as f64 / minute.len() as f64;
            let at = minute.first().map_or(0, |first| first.at.as_secs() / 60);
            let (in_use, resident) = (mean(|memory| memory.in_use), mean(|memory| memory.resident));
            write!(f, "\n{at}: {:.2} {:.2}", mib(in_use), mib(resident))?;
        }
        Ok(())
    }
}

impl Soak {
    /// This many clients for this long, at 100 events per second, with pauses of up to 10 s. The
    /// first half is the warm-up.
    #[must_use]
    pub fn new(clients: usize, time: Duration) -> Self {
        let (pause, warm_up) = (Duration::from_secs(10), time / 2);
        Self { clients, time, rate: 100, pause, warm_up, in_use: None }
    }

    /// Runs against this server.
    ///
    /// # Errors
    /// The server rejects an event, or does not answer.
    pub async fn run(self, server: &LoadServer) -> Result<Soaked> {
        let (address, over) = (server.address(), Arc::new(AtomicBool::new(false)));
        let mut clients = JoinSet::new();
        let (time, pause) = (self.time, self.pause);
        for seed in 0..self.clients as u64 {
            let over = over.clone();
            clients.spawn(async move {
                let mut dice = Dice(seed);
                let habits = Habits::BROWSERS[seed as usize % Habits::BROWSERS.len()];
                let mut client = LoadClient::new(address, habits, Some(4 * 1024), seed);
                sleep(dice.up_to(time / 10)).await;
                while !over.load(Ordering::Relaxed) && !client.is_stopped() {
                    let mut goes_on = client.connect().await.is_ok();
                    while goes_on && !over.load(Ordering::Relaxed) {
                        goes_on = client.read_for(dice.up_to(pause)).await;
                        match dice.below(4) {
                            // Kills the client, at any byte of an event.
                            0 => break,
                            // Stalls, then reads on.
                            1 => sleep(dice.up_to(pause)).await,
                            _ => {}
                        }
                    }
                    client.disconnect();
                }
                client
            });
        }
        let mut soaked = Soaked { warm_up: self.warm_up, ..Soaked::default() };
        let began = Instant::now();
        while began.elapsed() < self.time {
            sleep(Duration::from_millis(200)).await;
            let due = (began.elapsed().as_secs_f64() * self.rate as f64) as u64 + 1;
            let (first, count) = (soaked.published, (due - soaked.published).min(10 * self.rate));
            tokio::task::spawn_blocking(move || publish(address, first, count, 200)).await??;
            soaked.published += count;
            let in_use = self.in_use.as_ref().and_then(|file| fs::read_to_string(file).ok()?.parse().ok());
            let (resident, in_use) = (server.resident()?, in_use.unwrap_or_default());
            soaked.memory.push(Memory { at: began.elapsed(), resident, in_use });
        }
        over.store(true, Ordering::Relaxed);
        let last = soaked.published - 1;
        // At the end every client reconnects once more and receives the rest.
        let mut ends = JoinSet::new();
        while let Some(client) = clients.join_next().await {
            ends.spawn(read_the_rest(client?, last));
            if ends.len() > 200 {
                soaked.add(&ends.join_next().await.ok_or("it was spawned")??, last);
            }
        }
        while let Some(client) = ends.join_next().await {
            soaked.add(&client?, last);
        }
        Ok(soaked)
    }
}

impl Soaked {
    fn add(&mut self, client: &LoadClient, last: u64) {
        let Counts { received, gaps, missing, twice, out_of_order, unknown, .. } = client.tally.course.tally();
        self.resumed += client.connects;
        self.heard += received;
        self.holes += missing + unknown;
        self.duplicates += twice + out_of_order;
        self.disagreements += client.tally.disagreements;
        self.gaps += gaps;
        self.behind += usize::from(client.tally.last().is_some_and(|newest| newest != last));
    }
}

async fn read_the_rest(mut client: LoadClient, last: u64) -> LoadClient {
    for _ in 0..5 {
        // A client that first connected after the last event has nothing to receive.
        if client.tally.last().is_none_or(|newest| newest == last) {
            break;
        }
        if client.connect().await.is_ok() {
            // A client that misses the last number here counts as `behind`.
            let _ = client.read_until(last, Duration::from_secs(30)).await;
            client.disconnect();
        }
    }
    client
}

/// A repeatable source of numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.below(1000) as f64 / 1000.0)
    }
}
