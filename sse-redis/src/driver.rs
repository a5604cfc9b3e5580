//! Runs the follower: a task with a connection of its own.

use crate::commands::{Keys, Session, execute};
use crate::connection::connect;
use crate::failure::Failure;
use crate::follower::{Command, Effect, Follower, Loss, Reply};
use crate::problem::Problem;
use crate::state::NodeStatus;
use crate::trace;
use crate::writer::LogWriter;
use redis::Client;
use sse_core::hub::log::{LogFeed, LogFeedError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time limit of a reply. It exceeds the time that a read waits at the server, which is one second.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Driver {
    pub(crate) follower: Follower,
    pub(crate) feed: LogFeed,
    pub(crate) client: Client,
    pub(crate) keys: Keys,
    pub(crate) writer: Arc<LogWriter>,
    pub(crate) shared: Arc<NodeStatus>,
}

impl Driver {
    /// Follows the log while the future is polled.
    pub(crate) async fn run(mut self) {
        // However this future ends, the node must not appear to follow the log.
        let _stale = Stale(self.shared.clone());
        let mut connection = None;
        let mut effects = Vec::new();
        loop {
            let command = self.follower.command(Instant::now(), &mut effects);
            self.carry_out(&mut effects);
            if let Command::Sleep(until) = command {
                connection = None;
                tokio::time::sleep_until(until.into()).await;
                continue;
            }
            let reply = match self.do_one(&mut connection, command).await {
                Ok(reply) => reply,
                Err(error) => {
                    self.shared.set_problem(error.problem());
                    connection = None;
                    Reply::Failed
                }
            };
            self.follower.handle(Instant::now(), reply, &mut effects);
            self.carry_out(&mut effects);
        }
    }

    async fn do_one(&self, connection: &mut Option<Session>, command: Command) -> Result<Reply, Failure> {
        match (command, connection) {
            (Command::Connect, connection) => {
                *connection = None;
                *connection = Some(Session::new(connect(&self.client, "sse-redis-follow", RESPONSE_TIMEOUT, 1).await?));
                self.writer.counters.connected();
                Ok(Reply::Connected)
            }
            (command, Some(session)) => execute(session, &self.keys, command).await,
            (_, None) => Ok(Reply::Failed),
        }
    }

    fn carry_out(&mut self, effects: &mut Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let rounds = effects.iter().filter(|effect| **effect == Effect::CaughtUp).count() as u64;
        let counters = &self.writer.counters;
        for effect in effects.drain(..) {
            match effect {
                Effect::Following(following) => {
                    self.shared.set_following(following);
                    if following {
                        self.writer.connect_now();
                    }
                }
                Effect::Probe(probe) => {
                    let writer = self.writer.clone();
                    // Only one probe is in flight. It ends at the deadline of a publish.
                    tokio::spawn(async move { writer.probe(probe).await });
                }
                Effect::ProbeLost => self.shared.set_problem(Problem::ProbeLost),
                Effect::NotLeader => self.shared.set_problem(Problem::NotLeader),
                Effect::Newer(id, version) => self.shared.set_problem(Problem::NewerFormat { id, version }),
                Effect::Loaded => {
                    apply(&mut self.feed, effect);
                    self.shared.set_loaded();
                }
                Effect::Lag(entries) => counters.set_lag(entries),
                Effect::Repetition => counters.repetition(),
                effect => {
                    match &effect {
                        Effect::Reset(_, loss) => counters.lost(*loss),
                        Effect::Truncate(_) => counters.lost(Loss::Truncated),
                        Effect::Unknown(_) => counters.skipped(),
                        _ => {}
                    }
                    apply(&mut self.feed, effect);
                }
            }
        }
        self.shared.progress.send_modify(|progress| {
            progress.newest = self.feed.newest();
            progress.rounds += rounds;
        });
    }
}

struct Stale(Arc<NodeStatus>);

impl Drop for Stale {
    fn drop(&mut self) {
        self.0.set_following(false);
    }
}

/// Applies an effect to the hub. If the hub rejects the effect, the hub is reset and its subscribers receive a gap.
pub(crate) fn apply(feed: &mut LogFeed, effect: Effect) {
    let done = match effect {
        Effect::Append(id, record) => match feed.append(id, &record.topic, record.event()) {
            Err(error @ LogFeedError::OutOfOrder(..)) => Err((id, error)),
            Err(error) => {
                // No hub can send this event, so every node skips it.
                trace::skipped(id, &error);
                feed.advance(id).map_err(|error| (id, error))
            }
            Ok(()) => Ok(()),
        },
        Effect::Advance(id) => feed.advance(id).map_err(|error| (id, error)),
        Effect::Truncate(id) => {
            trace::truncated(id);
            feed.truncate(id).map_err(|error| (id, error))
        }
        Effect::Reset(id, loss) => {
            trace::lost(id, loss.as_str());
            feed.reset(id);
            Ok(())
        }
        Effect::Loaded => {
            feed.accept_subscribers(true);
            Ok(())
        }
        Effect::CaughtUp => {
            feed.caught_up();
            Ok(())
        }
        Effect::Unknown(id) => {
            trace::skipped(id, &"the entry has no topic, or an invalid field");
            Ok(())
        }
        Effect::Following(_)
        | Effect::Probe(_)
        | Effect::ProbeLost
        | Effect::NotLeader
        | Effect::Lag(_)
        | Effect::Repetition
        | Effect::Newer(..) => Ok(()),
    };
    if let Err((id, error)) = done {
        trace::skipped(id, &error);
        feed.reset(id);
    }
}
