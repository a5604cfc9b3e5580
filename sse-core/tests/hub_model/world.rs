//! The hub and its clients on one side, the model on the other.

use crate::client::Client;
use crate::connection::Connection;
use crate::history::{Bounds, History, TOPICS};
use crate::ops::{Case, Connect, Id, Op, Send, event};
use sse_core::hub::log::{self, LogFeed, LogFeedError};
use sse_core::hub::{EventId, PublishError};
use sse_core::testing::Clock;
use sse_core::{CloseReason, Event, Hub, Replay};
use sse_test_support::reader::Habits;
use std::collections::BTreeSet;
use std::time::Duration;

/// The expected counters of the hub.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) lagged: u64,
    pub(crate) resumed: u64,
    pub(crate) gaps: u64,
    pub(crate) client_left: u64,
    pub(crate) lagged_streams: u64,
    pub(crate) finished_streams: u64,
    /// A stream of a removed topic may be drained first.
    pub(crate) drained_or_closed_streams: u64,
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) hub: Hub,
    pub(crate) feed: Option<LogFeed>,
    pub(crate) twin: Twin,
    pub(crate) history: History,
    pub(crate) counts: Counts,
    pub(crate) clients: Vec<(Client, Option<Connection>)>,
    pub(crate) lag_ends: bool,
    pub(crate) position_updates: bool,
    /// The time since the start, in seconds.
    pub(crate) now: u64,
    /// The start and the window of the drain, in seconds.
    pub(crate) drain: Option<(u64, u64)>,
    pub(crate) serial: u32,
}

/// A hub with the same seed. It publishes first, so that the model knows every ID in advance.
pub(crate) struct Twin {
    pub(crate) hub: Hub,
    pub(crate) ids: Vec<String>,
}

impl Twin {
    pub(crate) fn id(&mut self, position: u64) -> String {
        while self.ids.len() as u64 <= position {
            self.ids.push(self.hub.publish("a", "x").unwrap().to_string());
        }
        self.ids[position as usize].clone()
    }
}

impl World {
    pub(crate) fn new(case: &Case) -> Self {
        let clock = Clock::new();
        let Bounds { topic_bytes, topic_events, hub_bytes, max_topics, age } = case.bounds;
        let mut builder = Hub::builder()
            .retry(Duration::ZERO)
            .topic_bytes(topic_bytes)
            .topic_events(topic_events)
            .hub_bytes(hub_bytes)
            .max_topics(max_topics);
        builder = builder.position_updates(case.position_updates);
        if let Some(age) = age {
            builder = builder.topic_age(Duration::from_secs(age));
        }
        if !case.lag_ends {
            builder = builder.gap_on_lag();
        }
        let (hub, feed) = if case.follows {
            let (hub, feed) = log::follow_on(builder, clock.clone());
            (hub, Some(feed))
        } else {
            (builder.build_on(clock.clone()), None)
        };
        // A stream starts with its position: on an empty hub position 0 and its tag.
        let opening = clock.read(clock.sse().subscribe(&hub, ["probe"]).into_response()).text();
        let zero = opening.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
        let twin = Twin { hub: Hub::builder().build_on(Clock::new()), ids: vec![zero.clone()] };
        let history = History::new(case.bounds.clone(), zero, case.follows);
        // The clients behave like each browser in turn.
        let client = |(set, habits): (&BTreeSet<usize>, _)| (Client::new(set.iter().copied().collect(), habits), None);
        let clients = case.clients.iter().zip(Habits::BROWSERS.into_iter().cycle()).map(client);
        Self {
            clock,
            hub,
            feed,
            twin,
            history,
            counts: Counts { client_left: 1, ..Counts::default() },
            clients: clients.collect(),
            lag_ends: case.lag_ends,
            position_updates: case.position_updates,
            now: 0,
            drain: None,
            serial: 0,
        }
    }

    pub(crate) fn run(&mut self, op: &Op) {
        match op {
            Op::Publish(sends) => self.publish(sends),
            Op::PublishInvalid(topic) => self.publish_invalid(*topic),
            Op::End(send) => self.end(send),
            Op::Remove(topic) => self.remove(*topic),
            Op::Poll(client, times, read) => {
                for _ in 0..*times {
                    self.poll(*client);
                }
                if *read {
                    self.read(*client);
                }
            }
            Op::Cut(client, cut) => self.cut(*client, *cut),
            Op::Connect(client, connect) => self.connect(*client, connect),
            Op::SendBeside(client) => {
                if let Some(stream) = &mut self.clients[*client].1
                    && let Some(sender) = &stream.beside
                {
                    assert!(sender.try_send(Event::data("x").id("7")).is_err());
                    assert!(sender.try_send(("gap", "x")).is_err());
                    if sender.try_send("beside").is_ok() {
                        assert!(stream.ending.is_none());
                        stream.pending.push_str("data: beside\n\n");
                    }
                }
            }
            Op::Wait(by) => {
                self.now += by;
                self.clock.advance(Duration::from_secs(*by));
            }
            Op::Stats => self.stats(),
            Op::Drain(window) => {
                drop(self.hub.drain(Duration::from_secs(*window)));
                self.drain.get_or_insert((self.now, *window));
                assert!(self.hub.is_draining());
            }
            Op::AdvanceLog => {
                let id = self.next_id();
                self.feed.as_mut().unwrap().advance(parse(&id)).unwrap();
                self.history.advance(id, self.now);
            }
            Op::Truncate(back) => self.truncate(*back),
            Op::Reset => {
                self.serial += 1;
                let id = format!("{}.{}-{:08x}", self.serial * 7 % 300, self.serial, self.serial);
                self.feed.as_mut().unwrap().reset(parse(&id));
                self.history.reset(id, self.now);
            }
        }
    }

    /// The next ID of the log.
    pub(crate) fn next_id(&mut self) -> String {
        self.serial += 1;
        let newest = self.feed.as_ref().unwrap().newest();
        assert_eq!(newest.map(|id| id.to_string()).as_deref(), self.history.known.last().map(|(id, _)| &**id));
        let (first, second) = newest.map_or((100, 0), |newest| newest.position());
        let id = if self.serial.is_multiple_of(3) { (first, second + 1) } else { (first + 1, 0) };
        EventId::new(id, self.serial).to_string()
    }

    /// The topics with a subscriber.
    pub(crate) fn subscribed(&self) -> BTreeSet<usize> {
        let open =
            |(_, stream): &&(Client, Option<Connection>)| stream.as_ref().is_some_and(|stream| stream.cursor.is_some());
        let current = |(client, stream): &(Client, Option<Connection>)| {
            let removed = stream.as_ref().and_then(|stream| Some(stream.cursor.as_ref()?.removed.clone()));
            let removed = removed.unwrap_or_default();
            client.topics.iter().copied().filter(|topic| !removed.contains(topic)).collect::<Vec<_>>()
        };
        self.clients.iter().filter(open).flat_map(current).collect()
    }

    pub(crate) fn publish(&mut self, sends: &[Send]) {
        let subscribed = self.subscribed();
        if self.feed.is_some() {
            assert_eq!(self.hub.publish("a", "x"), Err(PublishError::Followed));
            for send in sends {
                let id = self.next_id();
                self.history.expire(self.now);
                let (event, fields) = event(self.history.head() + 1, send);
                let feed = self.feed.as_mut().unwrap();
                let appended = feed.append(parse(&id), TOPICS[send.topic].0, event);
                if self.history.ends[send.topic].is_some() {
                    assert_eq!(appended, Err(LogFeedError::Ended));
                    feed.advance(parse(&id)).unwrap();
                    self.history.advance(id, self.now);
                    continue;
                }
                assert_eq!(appended, Ok(()));
                let newest = feed.newest().unwrap();
                assert_eq!(feed.append(newest, "a", "x"), Err(LogFeedError::OutOfOrder(newest, newest)));
                if self.history.make_room(send.topic, &subscribed) {
                    self.history.append(send.topic, id, &fields, self.now);
                } else {
                    self.history.append_trimmed(send.topic, id, &fields, self.now);
                }
                self.counts.published += 1;
            }
            return;
        }
        self.history.expire(self.now);
        let topics: Vec<usize> = sends.iter().map(|send| send.topic).collect();
        if topics.iter().any(|&topic| self.history.ends[topic].is_some()) {
            let events = sends.iter().map(|send| (TOPICS[send.topic].0, "x"));
            assert_eq!(self.hub.publish_all(events), Err(PublishError::Ended));
            return;
        }
        if !self.history.has_room_to_publish(&topics, &subscribed) {
            let events = sends.iter().map(|send| (TOPICS[send.topic].0, "x"));
            assert_eq!(self.hub.publish_all(events), Err(PublishError::TooManyTopics));
            return;
        }
        let mut events = Vec::new();
        for send in sends {
            let position = self.history.head() + 1;
            let (event, fields) = event(position, send);
            events.push((TOPICS[send.topic].0, event));
            assert!(self.history.make_room(send.topic, &subscribed));
            self.history.append(send.topic, self.twin.id(position), &fields, self.now);
        }
        self.counts.published += sends.len() as u64;
        let ids = match &events[..] {
            [(topic, event)] if sends[0].shape.is_multiple_of(2) => {
                vec![self.hub.publish(topic, event.clone()).unwrap()]
            }
            [(topic, event)] => {
                // Unlike a publish, the call for a handle does not trim expired events, and this call does.
                let _ = self.hub.stats();
                vec![self.hub.topic(topic).unwrap().publish(event.clone()).unwrap()]
            }
            _ => self.hub.publish_all(events).unwrap(),
        };
        let ids: Vec<_> = ids.iter().map(EventId::to_string).collect();
        let known = &self.history.known[self.history.known.len() - sends.len()..];
        assert!(known.iter().map(|(id, _)| id).eq(&ids));
    }

    pub(crate) fn end(&mut self, send: &Send) {
        let (topic, subscribed) = (TOPICS[send.topic].0, self.subscribed());
        self.history.expire(self.now);
        let position = self.history.head() + 1;
        let (event, fields) = event(position, send);
        let has_ended = self.history.ends[send.topic].is_some();
        let id = if self.feed.is_some() { self.next_id() } else { self.twin.id(position) };
        if let Some(feed) = &mut self.feed {
            let ended = feed.end(parse(&id), topic, event);
            assert_eq!(ended, if has_ended { Err(LogFeedError::Ended) } else { Ok(()) });
            if has_ended {
                return;
            }
            if self.history.make_room(send.topic, &subscribed) {
                self.history.append(send.topic, id, &fields, self.now);
            } else {
                self.history.append_trimmed(send.topic, id, &fields, self.now);
            }
        } else if has_ended {
            assert_eq!(self.hub.end(topic, event), Err(PublishError::Ended));
            return;
        } else if !self.history.has_room_to_publish(&[send.topic], &subscribed) {
            assert_eq!(self.hub.end(topic, event), Err(PublishError::TooManyTopics));
            return;
        } else {
            assert!(self.history.make_room(send.topic, &subscribed));
            self.history.append(send.topic, id.clone(), &fields, self.now);
            assert_eq!(self.hub.end(topic, event).unwrap(), parse(&id));
        }
        self.history.end(send.topic);
        self.counts.published += 1;
        assert!(self.hub.ended(topic).is_some());
    }

    pub(crate) fn remove(&mut self, topic: usize) {
        self.history.expire(self.now);
        let name = TOPICS[topic].0;
        let exists = self.history.topics(&self.subscribed()).contains(&topic) || self.history.ends[topic].is_some();
        if self.feed.is_some() {
            let id = self.next_id();
            self.feed.as_mut().unwrap().remove(parse(&id), name).unwrap();
            self.history.remove(topic, id, self.now);
        } else {
            assert_eq!(self.hub.remove(name), Ok(exists));
            if exists {
                let id = self.twin.id(self.history.head() + 1);
                self.history.remove(topic, id, self.now);
            }
        }
        for (client, stream) in &mut self.clients {
            if let Some(cursor) = stream.as_mut().and_then(|stream| stream.cursor.as_mut())
                && client.topics.contains(&topic)
            {
                cursor.removed.insert(topic);
            }
        }
    }

    pub(crate) fn publish_invalid(&mut self, topic: usize) {
        let name = TOPICS[topic].0;
        let (head, held) = (self.history.head(), self.hub.stats().held_events);
        self.history.expire(self.now);
        let invalid = [Event::data("x").id("7"), Event::data("x").event("gap"), Event::data("x").event("a\nb")];
        for event in invalid {
            let refused = self.hub.publish_all([(name, Event::data("x")), (name, event.clone())]);
            assert!(matches!(refused, Err(PublishError::Invalid(_))));
            assert!(self.hub.publish(name, event.clone()).is_err());
            if let Some(feed) = &mut self.feed {
                let newest = feed.newest().map_or((0, 0), |id| id.position());
                assert!(feed.append(EventId::new((newest.0 + 9, 0), 0), name, event).is_err());
            }
        }
        assert_eq!((self.history.head(), self.hub.stats().held_events), (head, held));
    }

    pub(crate) fn truncate(&mut self, back: usize) {
        let feed = self.feed.as_mut().unwrap();
        let unknown = EventId::new((5_000_000, 0), 1);
        assert_eq!(feed.truncate(unknown), Err(LogFeedError::Unknown(unknown)));
        let known = &self.history.known;
        let Some((id, _)) = known.len().checked_sub(1 + back).map(|at| known[at].clone()) else { return };
        feed.truncate(parse(&id)).unwrap();
        self.history.truncate(&id);
        for (client, _) in &mut self.clients {
            client.note_truncation(&self.history);
        }
    }

    pub(crate) fn stats(&mut self) {
        self.history.expire(self.now);
        let stats = self.hub.stats();
        let streams: Vec<&Connection> = self
            .clients
            .iter()
            .filter_map(|(_, stream)| stream.as_ref())
            .filter(|stream| stream.cursor.is_some())
            .collect();
        let topics = self.history.topics(&self.subscribed());
        assert_eq!(stats.streams, streams.iter().filter(|stream| !stream.ended).count());
        assert_eq!((stats.topics, stats.dropped_topics), (topics.len(), self.history.dropped_topics));
        assert_eq!(stats.held_events, self.history.held.len());
        assert_eq!(stats.held_bytes, self.history.held_bytes());
        let counts = &self.counts;
        assert_eq!(stats.published, counts.published);
        assert_eq!(stats.delivered, counts.delivered);
        assert_eq!(stats.lagged, counts.lagged);
        assert_eq!(stats.resumed, counts.resumed);
        assert_eq!(stats.gaps, counts.gaps);
        assert_eq!(stats.ended(CloseReason::Lagged), counts.lagged_streams);
        assert_eq!(stats.ended(CloseReason::ClientLeft), counts.client_left);
        let ended = |topic: &&usize| self.history.ends[**topic].is_some();
        assert_eq!(stats.ended_topics, topics.iter().filter(ended).count());
        assert_eq!(stats.ended(CloseReason::Finished), counts.finished_streams);
        let drained_or_closed = stats.ended(CloseReason::Drained) + stats.ended(CloseReason::Closed);
        assert_eq!(drained_or_closed, counts.drained_or_closed_streams);
    }

    /// Every client resumes with its own ID and reads to the end. It then has every event, or a gap for the missing ones.
    pub(crate) fn finish(&mut self) {
        for at in 0..self.clients.len() {
            for _ in 0..2 {
                let own = Connect {
                    id: Id::Own,
                    start: Replay::None,
                    prelude: 0,
                    welcome: false,
                    beside: false,
                    keep_alive: false,
                    cut: 0,
                };
                self.connect(at, &own);
                while self.drain.is_none() && !self.clients[at].1.as_ref().unwrap().ended {
                    self.poll(at);
                    if self.clients[at].1.as_ref().unwrap().wire.is_empty() {
                        break;
                    }
                    self.read(at);
                }
            }
        }
        for (client, stream) in &self.clients {
            let all = stream.as_ref().is_some_and(|stream| stream.cursor.is_some());
            assert!(!all || client.misses_nothing(), "events are missing without a gap");
        }
        self.stats();
        self.clients.clear();
        assert_eq!(self.hub.stats().streams, 0);
    }
}

pub(crate) fn parse(id: &str) -> EventId {
    EventId::parse(id).unwrap()
}
