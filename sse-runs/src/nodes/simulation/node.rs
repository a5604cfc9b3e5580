//! A node: its hub, its runs, and a link to the server that delays, pauses and breaks.

use super::random::Dice;
use super::server::{Change, Server};
use crate::nodes::Nodes;
use crate::nodes::ledger::{Ledger, LedgerCall, LedgerError, LedgerFuture, LedgerReply};
use crate::{Runs, RunsBuilder};
use sse_core::Hub;
use sse_core::hub::EventId;
use sse_core::hub::log::{LogFeed, LogFeedError, follow};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// The server, and the number of its entries, which wakes the nodes.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) server: Arc<Mutex<Server>>,
    pub(super) begun: Instant,
    pub(super) entries: watch::Sender<usize>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { server: Arc::default(), begun: Instant::now(), entries: watch::Sender::new(0) }
    }

    /// The clock of the server. It does not start at 0, as no real one does.
    fn now(&self) -> u64 {
        1_000_000 + self.begun.elapsed().as_millis() as u64
    }
}

#[derive(Default, Clone, Copy, PartialEq)]
enum LinkState {
    #[default]
    Open,
    PausedUntil(Instant),
    Dead,
}

/// The link of one node.
pub(super) struct Link {
    number: u64,
    shared: Shared,
    state: watch::Sender<LinkState>,
    /// The newest entry that the hub has read.
    newest: watch::Sender<u64>,
    dice: Mutex<Dice>,
    /// How long the hub reads after the log, in milliseconds.
    lag: AtomicU64,
    /// The last command without a reply.
    troubled: Mutex<Instant>,
}

pub(super) struct SimNode {
    pub(super) hub: Hub,
    pub(super) runs: Runs,
    pub(super) link: Arc<Link>,
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

impl SimNode {
    pub(super) fn start(shared: &Shared, seed: u64, build: impl FnOnce(RunsBuilder) -> RunsBuilder) -> Self {
        let (hub, feed) = follow(Hub::builder());
        let link = Arc::new(Link {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            shared: shared.clone(),
            state: watch::Sender::default(),
            newest: watch::Sender::new(0),
            dice: Mutex::new(Dice::new(seed)),
            lag: AtomicU64::new(0),
            troubled: Mutex::new(Instant::now()),
        });
        tokio::spawn(follow_log(feed, link.clone()));
        let runs = build(Runs::builder(&hub)).build_on(Some(Nodes::new(Arc::new(SimLedger(link.clone())))));
        Self { hub, runs, link }
    }
}

impl Link {
    /// Nothing gets through in this time. Commands on their way arrive afterwards.
    pub(super) fn pause(&self, time: Duration) {
        self.state.send_if_modified(|state| {
            let is_open = *state == LinkState::Open;
            if is_open {
                *state = LinkState::PausedUntil(Instant::now() + time);
            }
            is_open
        });
    }

    /// From now on the hub reads this late.
    pub(super) fn lag(&self, millis: u64) {
        self.lag.store(millis, Ordering::Relaxed);
    }

    /// The process is killed.
    pub(super) fn kill(&self) {
        self.state.send_replace(LinkState::Dead);
    }

    pub(super) async fn dead(&self) {
        let _ = self.state.subscribe().wait_for(|state| *state == LinkState::Dead).await;
    }

    /// Waits while the link is paused. Returns whether the node is alive.
    async fn open(&self) -> bool {
        loop {
            let state = *self.state.borrow();
            match state {
                LinkState::Open => return true,
                LinkState::Dead => return false,
                LinkState::PausedUntil(until) => {
                    sleep_until(until).await;
                    *self.troubled.lock().unwrap() = Instant::now();
                    self.state.send_if_modified(|now| {
                        *now == state && {
                            *now = LinkState::Open;
                            true
                        }
                    });
                }
            }
        }
    }

    fn roll(&self, most: u64) -> u64 {
        self.dice.lock().unwrap().below(most)
    }

    async fn travel(&self) -> bool {
        let slow = self.roll(50) == 0;
        sleep(Duration::from_millis(self.roll(if slow { 60 } else { 3 }))).await;
        self.open().await
    }

    pub(super) fn has_read(&self, position: u64) -> bool {
        *self.newest.borrow() >= position
    }

    /// Whether nothing gets through, or commands failed in the last seconds.
    pub(super) fn is_troubled(&self) -> bool {
        *self.state.borrow() != LinkState::Open || self.troubled.lock().unwrap().elapsed() < Duration::from_secs(5)
    }

    pub(super) async fn wait_for(&self, id: EventId) {
        let _ = self.newest.subscribe().wait_for(|newest| *newest >= id.position().0).await;
    }
}

pub(super) struct SimLedger(Arc<Link>);

impl Ledger for SimLedger {
    fn call(&self, call: LedgerCall) -> LedgerFuture<'_, Result<LedgerReply, LedgerError>> {
        let link = self.0.clone();
        // A command that has left arrives also if the caller does not wait any more.
        let sent = tokio::spawn(async move {
            if !link.travel().await {
                return Err(LedgerError::Stopped);
            }
            let executed = {
                let mut server = link.shared.server.lock().unwrap();
                (!server.is_down).then(|| server.execute(link.number, call, link.shared.now()))
            };
            let entries = link.shared.server.lock().unwrap().log.len();
            link.shared.entries.send_replace(entries);
            if !link.travel().await {
                return Err(LedgerError::Stopped);
            }
            let is_lost = link.roll(100) == 0;
            match executed {
                Some(reply) if !is_lost => Ok(reply),
                _ => {
                    sleep(Duration::from_millis(200)).await;
                    *link.troubled.lock().unwrap() = Instant::now();
                    Err(LedgerError::Retry("no reply".into()))
                }
            }
        });
        Box::pin(async move { sent.await.unwrap_or(Err(LedgerError::Stopped)) })
    }

    fn wait_for(&self, id: EventId) -> LedgerFuture<'_, ()> {
        Box::pin(self.0.wait_for(id))
    }
}

/// Appends the entries of the log to the hub.
async fn follow_log(mut feed: LogFeed, link: Arc<Link>) {
    let mut entries = link.shared.entries.subscribe();
    let mut read = 0;
    loop {
        if !link.travel().await {
            return;
        }
        sleep(Duration::from_millis(link.lag.load(Ordering::Relaxed))).await;
        let new = {
            let server = link.shared.server.lock().unwrap();
            if server.is_down { Vec::new() } else { server.log.get(read..).unwrap_or_default().to_vec() }
        };
        for (id, topic, change) in &new {
            let changed = match change {
                Change::Event(event) => feed.append(*id, topic, event.clone()),
                Change::End(event) => feed.end(*id, topic, event.clone()),
                Change::Remove => feed.remove(*id, topic),
            };
            match changed {
                Err(LogFeedError::Ended) => feed.advance(*id).unwrap(),
                changed => changed.unwrap(),
            }
            link.newest.send_replace(id.position().0);
        }
        read += new.len();
        let _ = tokio::time::timeout(Duration::from_secs(1), entries.wait_for(|entries| *entries > read)).await;
    }
}
