//! The follower's hands: a task with a connection of its own, which waits where the follower may not.

use crate::commands::{Failure, Keys, execute};
use crate::connection::connect;
use crate::follower::{Command, Effect, Follower, Reply};
use crate::publisher::Publisher;
use crate::state::Shared;
use crate::trace;
use redis::Client;
use redis::aio::MultiplexedConnection;
use sse_core::hub::{Feed, FeedError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the engine may take for a reply: longer than a read waits, one second.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Driver {
    pub(crate) follower: Follower,
    pub(crate) feed: Feed,
    pub(crate) client: Client,
    pub(crate) keys: Keys,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) shared: Arc<Shared>,
}

impl Driver {
    /// Follows the log for as long as it is polled.
    pub(crate) async fn run(mut self) {
        // Whatever ends this, nobody shall take the hub for one that is followed.
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
                    trace::away(&error);
                    self.shared.set_trouble(&error);
                    connection = None;
                    Reply::Failed
                }
            };
            self.follower.handle(Instant::now(), reply, &mut effects);
            self.carry_out(&mut effects);
        }
    }

    async fn do_one(&self, connection: &mut Option<MultiplexedConnection>, command: Command) -> Result<Reply, Failure> {
        match (command, connection) {
            (Command::Connect, connection) => {
                *connection = None;
                *connection = Some(connect(&self.client, RESPONSE_TIMEOUT, 1).await?);
                Ok(Reply::Connected)
            }
            (command, Some(connection)) => execute(connection, &self.keys, command).await,
            (_, None) => Ok(Reply::Failed),
        }
    }

    fn carry_out(&mut self, effects: &mut Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let rounds = effects.iter().filter(|effect| **effect == Effect::CaughtUp).count() as u64;
        for effect in effects.drain(..) {
            match effect {
                Effect::Following(following) => self.shared.set_following(following),
                Effect::Canary(canary) => {
                    let publisher = self.publisher.clone();
                    // One at a time, and it ends at the deadline of a publish.
                    tokio::spawn(async move { publisher.canary(canary).await });
                }
                Effect::Loaded => {
                    apply(&mut self.feed, effect);
                    self.shared.set_loaded();
                }
                effect => apply(&mut self.feed, effect),
            }
        }
        self.shared.progress.send_modify(|progress| {
            progress.newest = self.feed.newest();
            progress.rounds += rounds;
        });
    }
}

struct Stale(Arc<Shared>);

impl Drop for Stale {
    fn drop(&mut self) {
        self.0.set_following(false);
    }
}

/// Does to the hub what an effect says. Where the hub does not follow, its readers are told a gap.
pub(crate) fn apply(feed: &mut Feed, effect: Effect) {
    let done = match effect {
        Effect::Append(id, record) => match feed.append(id, &record.topic, record.event()) {
            Err(error @ FeedError::OutOfOrder(..)) => Err((id, error)),
            Err(error) => {
                // No hub can send it, so that none has it.
                trace::passed_over(id, &error);
                feed.advance(id).map_err(|error| (id, error))
            }
            Ok(()) => Ok(()),
        },
        Effect::Advance(id) => feed.advance(id).map_err(|error| (id, error)),
        Effect::Truncate(id) => {
            trace::taken_back(id);
            feed.truncate(id).map_err(|error| (id, error))
        }
        Effect::Reset(id, loss) => {
            trace::lost(id, loss.as_str());
            feed.reset(id);
            Ok(())
        }
        Effect::Loaded => {
            feed.admit(true);
            Ok(())
        }
        Effect::CaughtUp => {
            feed.caught_up();
            Ok(())
        }
        Effect::Following(_) | Effect::Canary(_) => Ok(()),
    };
    if let Err((id, error)) = done {
        trace::passed_over(id, &error);
        feed.reset(id);
    }
}
