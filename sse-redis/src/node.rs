//! One log of a reader: its follower, and the hub that receives the events.

use crate::commands::Keys;
use crate::entry::{EntryContent, Record};
use crate::follower::{Command, Effect, Follower, Loss, Reply};
use crate::problem::Problem;
use crate::publish_connection::PublishUser;
use crate::state::NodeStatus;
use crate::trace;
use crate::writer::LogWriter;
use sse_core::hub::EventId;
use sse_core::hub::log::{LogChange, LogFeed, LogFeedError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A client that waits for a catch-up round waits at most this long for an inspection.
const ROUND: Duration = Duration::from_secs(1);

/// The time between two trims by age or size.
const TRIM_EVERY: Duration = Duration::from_secs(10);

/// After this time without the log a client with an unknown ID receives a gap and keeps its stream. Before, the ID may be that of
/// another node that has read further, and the client is asked to retry later.
pub(crate) const OUTAGE: Duration = Duration::from_secs(10);

pub(crate) struct NodeLog {
    pub(crate) follower: Follower,
    pub(crate) feed: LogFeed,
    pub(crate) keys: Keys,
    pub(crate) writer: Arc<LogWriter>,
    pub(crate) status: Arc<NodeStatus>,
    /// Keeps the connection open that publishes.
    pub(crate) _user: PublishUser,
    /// The time of the last event.
    pub(crate) last_event: Option<Instant>,
    /// The log is not followed since this time.
    stale_since: Option<Instant>,
    trim_at: Instant,
    /// The follower sent the last command that needs an answer.
    pub(crate) awaits: bool,
    pub(crate) effects: Vec<Effect>,
}

/// The server does not lead the log, or a probe was lost: another connection may reach the right server.
pub(crate) struct WrongServer(pub(crate) Problem);

impl NodeLog {
    pub(crate) fn new(
        follower: Follower,
        feed: LogFeed,
        keys: Keys,
        writer: Arc<LogWriter>,
        status: Arc<NodeStatus>,
        user: PublishUser,
    ) -> Self {
        let effects = Vec::new();
        Self {
            follower,
            feed,
            keys,
            writer,
            status,
            _user: user,
            last_event: None,
            stale_since: None,
            trim_at: Instant::now(),
            awaits: false,
            effects,
        }
    }

    /// Returns the next command. Calling this again without a reply is allowed.
    pub(crate) fn command(&mut self, now: Instant) -> Result<Command, WrongServer> {
        let command = self.follower.command(now, &mut self.effects);
        self.awaits = !matches!(command, Command::Sleep(_));
        self.carry_out().map(|()| command)
    }

    pub(crate) fn handle(&mut self, reply: Reply) -> Result<(), WrongServer> {
        self.awaits = false;
        let now = Instant::now();
        if has_event(&reply) {
            self.last_event = Some(now);
        }
        self.follower.handle(now, reply, &mut self.effects);
        self.carry_out()
    }

    /// Lets the hub answer unknown IDs with a gap after a long outage.
    pub(crate) fn note_outage(&mut self, now: Instant) {
        if self.status.is_following() {
            if self.stale_since.take().is_some() {
                self.feed.set_readable(true);
            }
        } else if now.saturating_duration_since(*self.stale_since.get_or_insert(now)) >= OUTAGE {
            self.feed.set_readable(false);
            // Tasks that wait for an ID ask again.
            self.status.progress.send_modify(|progress| progress.rounds += 1);
        }
    }

    /// Trims the log from time to time, if it has limits of age or size.
    pub(crate) fn trim(&mut self, now: Instant, every: Duration) {
        if self.trim_at <= now && self.writer.has_retention() && self.status.is_following() {
            self.trim_at = now + every.max(TRIM_EVERY);
            let writer = self.writer.clone();
            tokio::spawn(async move { writer.trim().await });
        }
    }

    /// Plans an inspection if a client or a publisher waits for one.
    pub(crate) fn urge(&mut self, now: Instant) {
        if self.writer.found_no_log() {
            self.follower.inspect_by(now);
        }
        if self.feed.is_round_awaited() {
            self.follower.inspect_by(now + ROUND);
        }
    }

    /// Whether a client waits for an inspection that is not planned soon.
    pub(crate) fn is_urgent(&self, now: Instant) -> bool {
        self.follower.next_inspection() > now + ROUND && self.feed.is_round_awaited()
    }

    /// The command of this log failed.
    pub(crate) fn fail(&mut self, problem: &Problem) {
        self.status.set_problem(problem.clone());
        // A follower without a connection names no server.
        let _ = self.handle(Reply::Failed);
    }

    fn carry_out(&mut self) -> Result<(), WrongServer> {
        if self.effects.is_empty() {
            return Ok(());
        }
        let Self { feed, writer, status, .. } = self;
        let (mut rounds, mut is_loaded, mut wrong) = (0, false, None);
        let mut has_entries = false;
        let is_whole = apply(feed, self.effects.drain(..), |effect| match effect {
            Effect::Following(following) => status.set_following(*following),
            Effect::Probe(probe) => {
                let (writer, probe) = (writer.clone(), *probe);
                // Only one probe is in flight. It ends at the deadline of a publish.
                tokio::spawn(async move { writer.probe(probe).await });
            }
            Effect::ProbeLost => {
                wrong = Some(Problem::ProbeLost);
                status.set_problem(Problem::ProbeLost);
            }
            Effect::NotLeader => {
                wrong = Some(Problem::NotLeader);
                status.set_problem(Problem::NotLeader);
            }
            Effect::Newer(id, version) => status.set_problem(Problem::NewerFormat { id: *id, version: *version }),
            Effect::Lag(entries) => writer.counters.set_lag(*entries),
            Effect::Repetition => writer.counters.repetition(),
            Effect::Reset(_, loss) => writer.counters.lost(*loss),
            Effect::Truncate(_) => writer.counters.lost(Loss::Truncated),
            Effect::Unknown(id) => {
                writer.counters.skipped();
                status.set_unknown_entry(*id);
            }
            Effect::CaughtUp => rounds += 1,
            Effect::Loaded => is_loaded = true,
            Effect::Append(..) | Effect::Advance(_) => has_entries = true,
            Effect::LoadState(_) => {}
        });
        if !is_whole {
            self.follower.reset_soon(Instant::now());
        }
        if has_entries {
            status.entry_received();
        }
        if is_loaded {
            status.set_loaded();
        }
        status.progress.send_modify(|progress| {
            progress.newest = feed.newest();
            progress.rounds += rounds;
        });
        wrong.map_or(Ok(()), |problem| Err(WrongServer(problem)))
    }
}

fn has_event(reply: &Reply) -> bool {
    let (Reply::Read(entries, ..) | Reply::CaughtUp(_, entries)) = reply else { return false };
    entries.iter().any(|entry| matches!(entry.content, EntryContent::Event(_)))
}

impl Drop for NodeLog {
    // The node is stopped or its runtime has ended, so it must not appear to follow the log.
    fn drop(&mut self) {
        self.status.set_following(false);
    }
}

/// Applies the effects to the hub in their order, consecutive entries under one lock. `observe` gets each effect first. Returns
/// `false` if the hub was reset without an effect, so that its state topics are empty.
pub(crate) fn apply(
    feed: &mut LogFeed,
    effects: impl IntoIterator<Item = Effect>,
    mut observe: impl FnMut(&Effect),
) -> bool {
    let (mut entries, mut is_whole) = (Vec::new(), true);
    for effect in effects {
        if !matches!(effect, Effect::Append(..) | Effect::Advance(_)) {
            is_whole &= append(feed, &mut entries);
        }
        observe(&effect);
        match effect {
            Effect::Append(id, record) => entries.push((id, Some(record))),
            Effect::Advance(id) => entries.push((id, None)),
            Effect::Truncate(id) => {
                trace::truncated(id);
                if let Err(error) = feed.truncate(id) {
                    trace::skipped(id, &error);
                    feed.reset(id);
                    is_whole = false;
                }
            }
            Effect::LoadState(keys) => {
                let keys = keys.iter().map(|(id, record)| (*id, &*record.topic, record.key(), record.event()));
                feed.load_state(keys).iter().for_each(|(id, error)| trace::skipped(*id, error));
            }
            Effect::Reset(id, loss) => {
                trace::lost(id, loss.as_str());
                feed.reset(id);
            }
            Effect::Loaded => feed.accept_subscribers(true),
            Effect::CaughtUp => feed.caught_up(),
            Effect::Unknown(id) => trace::skipped(id, &"the entry has no topic, or an invalid field"),
            Effect::Following(_)
            | Effect::Probe(_)
            | Effect::ProbeLost
            | Effect::NotLeader
            | Effect::Lag(_)
            | Effect::Repetition
            | Effect::Newer(..) => {}
        }
    }
    append(feed, &mut entries) && is_whole
}

/// Appends the entries to the hub, which skips those that no hub can send. At an entry out of order the hub is reset, and its
/// subscribers receive a gap. Returns `false` then.
fn append(feed: &mut LogFeed, entries: &mut Vec<(EventId, Option<Box<Record>>)>) -> bool {
    let (mut rest, mut is_whole) = (entries.as_slice(), true);
    while !rest.is_empty() {
        let batch =
            rest.iter().map(|(id, record)| (*id, record.as_ref().map_or(LogChange::Nothing, |record| record.change())));
        match feed.append_all(batch) {
            Ok(skipped) => {
                skipped.iter().for_each(|(id, error)| trace::skipped(*id, error));
                break;
            }
            Err(error) => {
                let LogFeedError::OutOfOrder(id, _) = error else { break };
                trace::skipped(id, &error);
                feed.reset(id);
                is_whole = false;
                let failed = rest.iter().position(|(other, _)| *other == id);
                rest = failed.and_then(|failed| rest.get(failed + 1..)).unwrap_or_default();
            }
        }
    }
    entries.clear();
    is_whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::Stream;
    use sse_core::testing::Clock;
    use sse_core::{EventStream, Hub};
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Wake, Waker};

    /// A client that reads as soon as it is woken.
    struct Greedy {
        stream: Mutex<Pin<Box<EventStream<Clock>>>>,
        /// The number of events of each read.
        reads: Mutex<Vec<usize>>,
    }

    impl Greedy {
        /// Reads everything, and notes the number of events.
        fn read(self: &Arc<Self>) {
            let waker = Waker::from(self.clone());
            let mut stream = self.stream.lock().unwrap();
            let mut text = Vec::new();
            while let Poll::Ready(Some(chunk)) = stream.as_mut().poll_next(&mut Context::from_waker(&waker)) {
                text.extend_from_slice(&chunk);
            }
            self.reads.lock().unwrap().push(String::from_utf8_lossy(&text).matches("data: x").count());
        }
    }

    impl Wake for Greedy {
        fn wake(self: Arc<Self>) {
            self.read();
        }
    }

    #[test]
    fn a_batch_of_the_log_wakes_a_client_once() {
        let clock = Clock::new();
        let (hub, mut feed) = sse_core::hub::log::follow_on(Hub::builder(), clock.clone());
        let body = clock.sse().subscribe(&hub, ["news"]).into_response().into_body();
        let client = Arc::new(Greedy { stream: Mutex::new(Box::pin(body)), reads: Mutex::default() });
        client.read();
        let event = || Box::new(Record { topic: "news".into(), data: Some("x".into()), ..Record::default() });
        let entries = (1..=100).map(|ms| Effect::Append(EventId::new((ms, 0), 7), event()));
        apply(&mut feed, entries, |_| {});
        assert_eq!(*client.reads.lock().unwrap(), [0, 100]);
    }
}
