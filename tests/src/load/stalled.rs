//! Clients that stall beside clients that do not, while the server publishes different frames.

use super::{LoadClient, LoadServer, LoadTally, Result, publish};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep;

/// The numbers of clients, and the duration.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Stalled {
    /// Clients with a receive buffer of 4 KiB that read nothing after the head.
    pub stalled: usize,
    /// Clients that read everything.
    pub healthy: usize,
    /// How long frames are published.
    pub time: Duration,
    /// Frames per second, of 1 KiB each, no two equal.
    pub rate: u64,
}

/// The measurements.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StalledReport {
    /// Events published.
    pub published: u64,
    /// Resident memory in bytes when all clients had connected.
    pub before: u64,
    /// The highest resident memory afterwards.
    pub most: u64,
    /// The tallies of the healthy clients.
    pub healthy: Vec<LoadTally>,
    /// The longest time from the request that published a number until a healthy client received that number.
    pub slowest: Duration,
}

impl StalledReport {
    /// The growth of resident memory.
    #[must_use]
    pub const fn growth(&self) -> u64 {
        self.most.saturating_sub(self.before)
    }

    /// The number of broken promises to the healthy clients.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let last = self.published.checked_sub(1);
        self.healthy
            .iter()
            .map(|tally| {
                let untold = self.published - tally.last().map_or(0, |last| last + 1);
                tally.wrong() + tally.course.tally().gaps + if tally.last() == last { 0 } else { untold }
            })
            .sum()
    }
}

impl fmt::Display for StalledReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let Self { published, before, slowest, .. } = self;
        write!(f, "{published} events; resident {:.1} MiB + {:.1} MiB; ", mib(*before), mib(self.growth()))?;
        write!(f, "the healthy lost {}, and heard at the latest after {slowest:?}", self.lost())
    }
}

impl Stalled {
    /// This many clients of each kind for this long, at one mebibyte per second.
    #[must_use]
    pub const fn new(stalled: usize, healthy: usize, time: Duration) -> Self {
        Self { stalled, healthy, time, rate: 1024 }
    }

    /// Runs against this server.
    ///
    /// # Errors
    /// A client cannot connect, the server rejects an event, or the server cuts off a healthy client.
    pub async fn run(self, server: &LoadServer) -> Result<StalledReport> {
        let address = server.address();
        let mut asleep = Vec::new();
        for _ in 0..self.stalled {
            asleep.push(LoadClient::open(address, Some(4 * 1024)).await?);
        }
        // The time at which each number was published.
        let sent: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let (tell, told) = watch::channel(None);
        let mut readers = Vec::new();
        for _ in 0..self.healthy {
            let stream = LoadClient::open(address, None).await?;
            readers.push(tokio::spawn(listen(stream, sent.clone(), told.clone())));
        }
        let before = server.resident()?;
        let (mut most, mut published) = (before, 0);
        let began = Instant::now();
        while began.elapsed() < self.time {
            sleep(Duration::from_millis(100)).await;
            let due = (began.elapsed().as_secs_f64() * self.rate as f64) as u64 + 1;
            let (first, count) = (published, (due - published).min(4 * self.rate));
            sent.lock().unwrap_or_else(PoisonError::into_inner).resize((first + count) as usize, Instant::now());
            tokio::task::spawn_blocking(move || publish(address, first, count, 1024)).await??;
            published += count;
            most = most.max(server.resident()?);
        }
        tell.send_replace(Some(published - 1));
        let (mut healthy, mut slowest) = (Vec::new(), Duration::ZERO);
        for reader in readers {
            let (tally, delay) = reader.await?;
            healthy.push(tally);
            slowest = slowest.max(delay);
        }
        drop(asleep);
        Ok(StalledReport { published, before, most, healthy, slowest })
    }
}

/// Reads until the last number arrives, and for at most 60 s once that number is known.
async fn listen(
    mut stream: LoadClient,
    sent: Arc<Mutex<Vec<Instant>>>,
    mut last: watch::Receiver<Option<u64>>,
) -> (LoadTally, Duration) {
    let mut slowest = Duration::ZERO;
    loop {
        let before = stream.tally.last();
        let go_on = tokio::select! {
            read = stream.read() => read.unwrap_or(false),
            known = async { last.wait_for(Option::is_some).await.ok().and_then(|last| *last) } => {
                // The tally counts the numbers that are missing after this.
                let _ = stream.read_until(known.unwrap_or_default(), Duration::from_secs(60)).await;
                false
            }
        };
        if let Some(newest) = stream.tally.last().filter(|newest| Some(*newest) != before) {
            let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = usize::try_from(newest).ok().and_then(|newest| sent.get(newest));
            slowest = slowest.max(sent.map_or(Duration::ZERO, Instant::elapsed));
        }
        if !go_on {
            return (stream.tally.clone(), slowest);
        }
    }
}
