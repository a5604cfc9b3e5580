//! Streams that open and close, and at the end a drain of all open streams.

use super::{LoadClient, LoadServer, Result, publish};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The number of clients, and of rounds in which all of them disconnect.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Churn {
    /// The number of clients at once.
    pub clients: usize,
    /// The number of rounds.
    pub rounds: usize,
}

/// The measurements.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Churned {
    /// Resident memory in bytes at the end of each round, without any client.
    pub resident: Vec<u64>,
    /// The longest time that the server still counted streams whose clients had disconnected.
    pub noticed: Duration,
    /// Numbers that a client missed or received twice.
    pub lost: u64,
    /// Streams that the drain did not end.
    pub not_drained: usize,
    /// The time from SIGTERM to the exit, with all clients connected.
    pub down: Duration,
}

impl Churned {
    /// Whether no event was lost and every stream ended.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.not_drained == 0
    }
}

impl fmt::Display for Churned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resident: Vec<_> = self.resident.iter().map(|bytes| bytes / 1024 / 1024).collect();
        let Self { noticed, lost, not_drained, down, .. } = self;
        write!(f, "resident after each round {resident:?} MiB; leaving noticed within {noticed:?}; lost {lost}; ")?;
        write!(f, "down after {down:?} with all of them there, {not_drained} of them cut off")
    }
}

impl Churn {
    /// This many clients, for this many rounds.
    #[must_use]
    pub const fn new(clients: usize, rounds: usize) -> Self {
        Self { clients, rounds }
    }

    /// Runs against this server, and stops the server at the end.
    ///
    /// # Errors
    /// A client cannot connect, or the server does not exit.
    pub async fn run(self, mut server: LoadServer) -> Result<Churned> {
        let mut report =
            Churned { resident: Vec::new(), noticed: Duration::ZERO, lost: 0, not_drained: 0, down: Duration::ZERO };
        let mut number = 0;
        for _ in 0..self.rounds {
            drop(self.round(&server, &mut number, &mut report).await?);
            let left = Instant::now();
            while server.streams()? > 0 {
                if left.elapsed() > Duration::from_secs(60) {
                    return Err("streams are left a minute after their clients".into());
                }
                sleep(Duration::from_millis(20)).await;
            }
            report.noticed = report.noticed.max(left.elapsed());
            report.resident.push(server.resident()?);
        }
        let streams = self.round(&server, &mut number, &mut report).await?;
        let mut ends = JoinSet::new();
        for mut stream in streams {
            // A body that is cut off ends the read with an error.
            ends.spawn(async move {
                loop {
                    match stream.read().await {
                        Ok(true) => {}
                        Ok(false) => return true,
                        Err(_) => return false,
                    }
                }
            });
        }
        let down = tokio::task::spawn_blocking(move || server.terminate(Duration::from_secs(60))).await??;
        report.down = down.1;
        report.not_drained = ends.join_all().await.into_iter().filter(|ended| !ended).count();
        Ok(report)
    }

    /// Half of the clients connect before the first of ten events. One client in ten never reads; all others receive
    /// the remaining events.
    async fn round(self, server: &LoadServer, number: &mut u64, report: &mut Churned) -> Result<Vec<LoadClient>> {
        let address = server.address();
        let mut streams = Vec::with_capacity(self.clients);
        for half in 0..2 {
            let mut opening = JoinSet::new();
            for _ in half * self.clients / 2..(half + 1) * self.clients / 2 {
                opening.spawn(LoadClient::open(address, None));
                if opening.len() == 500 {
                    streams.push(opening.join_next().await.ok_or("it was spawned")???);
                }
            }
            while let Some(stream) = opening.join_next().await {
                streams.push(stream??);
            }
            let first = *number;
            tokio::task::spawn_blocking(move || publish(address, first, 5, 200)).await??;
            *number += 5;
        }
        let mut hearing = JoinSet::new();
        let mut silent = Vec::new();
        for (n, mut stream) in streams.into_iter().enumerate() {
            if n % 10 == 9 {
                silent.push(stream);
                continue;
            }
            let last = *number - 1;
            hearing.spawn(async move {
                let heard = stream.read_until(last, Duration::from_secs(60)).await.is_ok();
                (heard, stream)
            });
        }
        let mut streams = silent;
        while let Some(heard) = hearing.join_next().await {
            let (heard, stream) = heard?;
            report.lost += stream.tally.wrong() + u64::from(!heard);
            streams.push(stream);
        }
        Ok(streams)
    }
}
