//! The task that follows all logs of one connection: their followers decide, and one read waits for all of them.

use crate::backoff::Backoff;
use crate::commands::execute;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::follower::{Command, QuietTimer, Reply};
use crate::log_queue::LogSource;
use crate::node::{NodeLog, WrongServer};
use crate::problem::Problem;
use crate::publish_connection::PublishConnection;
use crate::round::Round;
use crate::session::{READER_NAME, Session};
use crate::stats::ConnectionCounters;
use crate::waiting::{self, WaitingLog};
use futures_util::future::join_all;
use sse_core::Random;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time limit of a reply. It exceeds the time that a read waits at the server.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time that a read waits at the server, and the longest if no other connection can end the read.
const BLOCK: Duration = Duration::from_millis(3_500);
const BLOCK_WITHOUT_ID: Duration = Duration::from_secs(1);

/// A read waits at least for this time for each log, so that inspections of many logs are not a read each.
const BLOCK_EACH: Duration = Duration::from_millis(5);

/// The time for which one log counts as busy after an event. Many logs share this time.
const BUSY: Duration = Duration::from_secs(10);

/// The time between two looks at the hubs, for clients that wait for an inspection.
const LOOK: Duration = Duration::from_millis(250);

/// The time between two inspections of a log without new events: for one log, and for each of many logs.
const INSPECT: (Duration, Duration) = (Duration::from_secs(8), Duration::from_millis(200));

/// The number of commands that may be on their way at once.
const IN_FLIGHT: usize = 64;

pub(crate) struct LogReader {
    endpoint: Endpoint,
    publishing: Arc<PublishConnection>,
    counters: Arc<ConnectionCounters>,
    random: Random,
    logs: Vec<NodeLog>,
    session: Option<Session>,
    /// No attempt to connect before this time.
    connect_at: Instant,
    backoff: Backoff,
    quiet: QuietTimer,
    /// The log that wrote the last probe.
    probed: usize,
}

impl LogReader {
    pub(crate) fn new(
        endpoint: Endpoint,
        publishing: Arc<PublishConnection>,
        counters: Arc<ConnectionCounters>,
        random: Random,
    ) -> Self {
        let now = Instant::now();
        Self {
            endpoint,
            publishing,
            counters,
            logs: Vec::new(),
            session: None,
            connect_at: now,
            backoff: Backoff::default(),
            quiet: QuietTimer::new(now, &random),
            random,
            probed: 0,
        }
    }

    /// Follows the logs until all of them are stopped.
    pub(crate) async fn run(mut self, mut source: LogSource) {
        self.publishing.set_reader(true);
        loop {
            self.logs.retain(|log| !log.status.is_stopped());
            if !source.take(&mut self.logs) {
                return self.publishing.set_reader(false);
            }
            let now = Instant::now();
            self.prepare(now);
            let until_connect = self.connect_at.saturating_duration_since(now);
            let round = match Round::collect(&mut self.logs, now, until_connect) {
                Ok(round) => round,
                Err(WrongServer(problem)) => {
                    self.give_up(&problem);
                    continue;
                }
            };
            let asleep = round.wakes_after.min(self.quiet.remaining(now));
            if !round.connecting.is_empty() && (self.session.is_some() || now >= self.connect_at) {
                self.connect(&round.connecting).await;
            } else if round.commands.is_empty() && round.waiting.is_empty() {
                tokio::select! {
                    () = tokio::time::sleep(asleep) => {}
                    () = source.woken() => {}
                }
            } else {
                self.exchange(round, asleep, &source).await;
            }
        }
    }

    /// Passes to the followers what they need to know about each other.
    fn prepare(&mut self, now: Instant) {
        let many = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
        let every = INSPECT.0.max(INSPECT.1.saturating_mul(many));
        for log in &mut self.logs {
            log.follower.inspect_quiet_every(every);
            log.urge(now);
            log.note_outage(now);
            log.trim(now, every);
        }
        if self.quiet.is_due(now) {
            self.quiet.restart(now, &self.random);
            self.probed = (self.probed + 1) % self.logs.len().max(1);
            if let Some(log) = self.logs.get_mut(self.probed) {
                log.follower.probe_now(now);
            }
        }
    }

    /// Connects, unless a connection is open: another log has opened it.
    async fn connect(&mut self, logs: &[usize]) {
        if self.session.is_none() {
            match self.endpoint.connect(READER_NAME, RESPONSE_TIMEOUT, IN_FLIGHT).await {
                Ok(connection) => {
                    self.counters.connected();
                    self.session = Some(Session::new(connection, self.counters.clone()).await);
                    self.quiet.restart(Instant::now(), &self.random);
                    self.publishing.connect_now();
                }
                Err(error) => {
                    self.connect_at = Instant::now() + self.backoff.next(&self.random);
                    let problem = error.problem();
                    self.each(logs, |log| log.status.set_problem(problem.clone()));
                    return;
                }
            }
        }
        self.each(logs, |log| drop(log.handle(Reply::Connected)));
    }

    fn each(&mut self, logs: &[usize], mut action: impl FnMut(&mut NodeLog)) {
        for at in logs {
            if let Some(log) = self.logs.get_mut(*at) {
                action(log);
            }
        }
    }

    /// Executes the commands of all logs, and reads for those that wait. Only a read without other commands waits at the
    /// server.
    async fn exchange(&mut self, round: Round, asleep: Duration, source: &LogSource) {
        let Round { commands, waiting, count, .. } = round;
        let Some(session) = &self.session else { return };
        let many = u32::try_from(self.logs.len()).unwrap_or(u32::MAX).max(1);
        let busy = BUSY / many;
        let logs = waiting.iter().filter_map(|(at, after)| {
            let log = self.logs.get(*at)?;
            Some(WaitingLog {
                keys: &log.keys,
                after: *after,
                is_busy: log.last_event.is_some_and(|at| at.elapsed() < busy),
            })
        });
        let logs: Vec<_> = logs.collect();
        let longest = if session.id.is_some() { BLOCK } else { BLOCK_WITHOUT_ID };
        let least = BLOCK_EACH.saturating_mul(many);
        let block = commands.is_empty().then(|| asleep.max(least).min(longest));
        let read = async {
            if logs.is_empty() {
                return Ok(Vec::new());
            }
            waiting::read(session, &logs, count.unwrap_or(1), block).await
        };
        let execute = async {
            if commands.is_empty() {
                return Ok(Vec::new());
            }
            let leader = session.is_leader().await?;
            let of_log = |(at, command): &(usize, Command)| Some((self.logs.get(*at)?, command.clone()));
            let executed =
                commands.iter().filter_map(of_log).map(|(log, command)| execute(session, &log.keys, command, leader));
            Ok(join_all(executed).await)
        };
        let (read, executed) = {
            let mut both = pin!(async { tokio::join!(read, execute) });
            let mut is_interrupted = false;
            loop {
                tokio::select! {
                    both = &mut both => break both,
                    () = self.interrupted(source, is_interrupted), if block.is_some() => {
                        is_interrupted = true;
                        if let Some(id) = session.id {
                            let publishing = self.publishing.clone();
                            tokio::spawn(async move { publishing.unblock(id).await });
                        }
                    }
                }
            }
        };
        let of_waiting: Vec<_> = waiting.iter().map(|(at, _)| *at).collect();
        let of_commands: Vec<_> = commands.iter().map(|(at, _)| *at).collect();
        self.answer(&of_waiting, read.map(|read| read.into_iter().map(Ok).collect()));
        self.answer(&of_commands, executed);
    }

    /// Returns when a read should end early: a log was added, or a client waits for an inspection. An interruption can reach
    /// the server before the read, so it is repeated.
    async fn interrupted(&self, source: &LogSource, again: bool) {
        if again {
            return tokio::time::sleep(LOOK).await;
        }
        loop {
            tokio::select! {
                () = source.woken() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = Instant::now();
            if self.logs.iter().any(|log| log.is_urgent(now)) {
                return;
            }
        }
    }

    /// Passes the replies to these logs.
    fn answer(&mut self, logs: &[usize], replies: Result<Vec<Result<Reply, Failure>>, Failure>) {
        let replies = replies.unwrap_or_else(|failure| vec![Err(failure)]);
        // One failure of all commands is the failure of each.
        let failed = match replies.as_slice() {
            [Err(failure)] => Some((failure.problem(), failure.closes_connection())),
            _ => None,
        };
        if let Some((problem, closes)) = failed {
            if closes {
                return self.give_up(&problem);
            }
            return self.each(logs, |log| log.fail(&problem));
        }
        for (at, reply) in logs.iter().zip(replies) {
            let Some(log) = self.logs.get_mut(*at).filter(|log| log.awaits) else { continue };
            let result = match reply {
                Ok(reply) => {
                    if has_entries(&reply) {
                        self.quiet.restart(Instant::now(), &self.random);
                    }
                    log.handle(reply)
                }
                Err(failure) if failure.closes_connection() => Err(WrongServer(failure.problem())),
                Err(failure) => {
                    log.fail(&failure.problem());
                    continue;
                }
            };
            match result {
                Ok(()) => self.backoff.reset(),
                Err(WrongServer(problem)) => return self.give_up(&problem),
            }
        }
    }

    /// Closes the connection. All followers start again.
    fn give_up(&mut self, problem: &Problem) {
        self.session = None;
        self.connect_at = Instant::now() + self.backoff.next(&self.random);
        self.publishing.check();
        self.logs.iter_mut().filter(|log| log.awaits).for_each(|log| log.fail(problem));
    }
}

fn has_entries(reply: &Reply) -> bool {
    matches!(reply, Reply::Read(entries, ..) | Reply::CaughtUp(_, entries) if !entries.is_empty())
}
