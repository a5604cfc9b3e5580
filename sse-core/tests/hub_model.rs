//! A hub against the plainest model of one: no client is lied to over any chain of connections, cut at any byte.

#[path = "hub_model/client.rs"]
mod client;
#[path = "hub_model/history.rs"]
mod history;

use client::Client;
use history::{Bounds, History, Next, TOPICS};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use sse_core::hub::{EventId, Feed, FeedError, PublishError};
use sse_core::testing::{Clock, Reader};
use sse_core::{CloseReason, Event, EventStream, Hub, LastEventId, Replay, Resumption, Sender};
use sse_test_support::reader::Habits;
use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Op {
    /// To one topic, or several at once.
    Publish(Vec<Send>),
    PublishInvalid(usize),
    /// So many polls of a client's stream; then the client reads all that it was sent, or nothing yet.
    Poll(usize, usize, bool),
    /// The client's stream ends, and of what it was sent it reads only so much.
    Cut(usize, u16),
    Connect(usize, Connect),
    SendBeside(usize),
    Advance(u64),
    Stats,
    Drain(u64),
    // Of a followed log.
    Pass,
    Truncate(usize),
    Reset,
}

#[derive(Debug, Clone)]
struct Send {
    topic: usize,
    shape: usize,
    size: usize,
}

#[derive(Debug, Clone)]
struct Connect {
    id: Id,
    start: Replay,
    first: usize,
    welcome: bool,
    beside: bool,
    keep_alive: bool,
    /// What it reads of its last connection, if it still has one.
    cut: u16,
}

#[derive(Debug, Clone)]
enum Id {
    Own,
    Of(usize),
    None,
    Empty,
    /// Any position there is or was.
    Forged(usize),
    /// Any position with the tag of another.
    Swapped(usize, usize),
    ForeignTag,
    Future(u64),
    Malformed(usize),
    TooLong,
    NotUtf8,
    Repeated,
}

const MALFORMED: [&str; 10] = [
    "1",
    "-",
    "1-",
    "01-00000000",
    "+1-00000000",
    "1.0-00000000",
    "1-0000000",
    "1-0000000G",
    "x",
    "18446744073709551616-00000000",
];

#[derive(Debug, Clone)]
#[allow(dead_code, reason = "some is only shown")]
struct Case {
    bounds: Bounds,
    topics: usize,
    clients: Vec<BTreeSet<usize>>,
    lag_ends: bool,
    position_updates: bool,
    follows: bool,
    ops: Vec<Op>,
}

fn send(topics: usize) -> impl Strategy<Value = Send> {
    let size = prop_oneof![60 => 0..200_usize, 6 => 2_000..20_000_usize, 1 => 30_000..90_000_usize];
    (0..topics, 0..6_usize, size).prop_map(|(topic, shape, size)| Send { topic, shape, size })
}

fn id(clients: usize) -> impl Strategy<Value = Id> {
    prop_oneof![
        12 => Just(Id::Own),
        2 => (0..clients).prop_map(Id::Of),
        1 => Just(Id::None),
        1 => Just(Id::Empty),
        3 => any::<usize>().prop_map(Id::Forged),
        1 => (0..99_usize, 0..99_usize).prop_map(|(at, tag)| Id::Swapped(at, tag)),
        1 => Just(Id::ForeignTag),
        1 => (1..3_u64).prop_map(Id::Future),
        1 => (0..MALFORMED.len()).prop_map(Id::Malformed),
        1 => prop_oneof![Just(Id::TooLong), Just(Id::NotUtf8), Just(Id::Repeated)],
    ]
}

fn connect(clients: usize) -> impl Strategy<Value = Connect> {
    let start = prop_oneof![Just(Replay::None), Just(Replay::All), (0..6_usize).prop_map(Replay::Last)];
    let first = prop_oneof![4 => Just(0), 1 => 1..3_usize];
    let sometimes = || prop::bool::weighted(0.2);
    (id(clients), start, first, sometimes(), sometimes(), sometimes(), any::<u16>()).prop_map(
        |(id, start, first, welcome, beside, keep_alive, cut)| Connect {
            id,
            start,
            first,
            welcome,
            beside,
            keep_alive,
            cut,
        },
    )
}

fn op(topics: usize, clients: usize, follows: bool) -> impl Strategy<Value = Op> {
    let of_any_hub = prop_oneof![
        20 => prop::collection::vec(send(topics), 1..2).prop_map(Op::Publish),
        5 => prop::collection::vec(send(topics), 0..8).prop_map(Op::Publish),
        1 => (0..topics).prop_map(Op::PublishInvalid),
        30 => (0..clients, 1..4_usize, any::<bool>()).prop_map(|(client, times, read)| Op::Poll(client, times, read)),
        10 => (0..clients, any::<u16>()).prop_map(|(client, cut)| Op::Cut(client, cut)),
        20 => (0..clients, connect(clients)).prop_map(|(client, connect)| Op::Connect(client, connect)),
        2 => (0..clients).prop_map(Op::SendBeside),
        5 => (0..40_u64).prop_map(Op::Advance),
        4 => Just(Op::Stats),
    ];
    let of_log = prop_oneof![2 => Just(Op::Pass), 2 => (0..12_usize).prop_map(Op::Truncate), 1 => Just(Op::Reset)];
    prop_oneof![9 => of_any_hub.clone(), 1 => if follows { of_log.boxed() } else { of_any_hub.boxed() }]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let bytes = || prop_oneof![Just(usize::MAX), Just(4 * 1024 * 1024), 100..40_000_usize];
    let events = prop_oneof![Just(usize::MAX), 0..12_usize];
    let age = prop_oneof![2 => Just(None), 1 => Just(Some(64))];
    (bytes(), events, bytes(), age).prop_map(|(topic_bytes, topic_events, hub_bytes, age)| Bounds {
        topic_bytes,
        topic_events,
        hub_bytes,
        age,
    })
}

fn case(follows: bool) -> impl Strategy<Value = Case> {
    (1..=TOPICS.len(), 1..5_usize).prop_flat_map(move |(topics, clients)| {
        let sets = prop::collection::vec(prop::collection::btree_set(0..topics, 1..=topics), clients);
        let ops = prop::collection::vec(op(topics, clients, follows), 0..=256);
        let drain = prop::option::weighted(0.15, (0..256_usize, 0..60_u64));
        (bounds(), sets, any::<bool>(), any::<bool>(), ops, drain).prop_map(
            move |(bounds, clients, lag_ends, position_updates, mut ops, drain)| {
                if let Some((at, window)) = drain {
                    ops.insert(at.min(ops.len()), Op::Drain(window));
                }
                Case { bounds, topics, clients, lag_ends, position_updates, follows, ops }
            },
        )
    })
}

/// What the hub's counters should say.
#[derive(Debug, Default)]
struct Counts {
    published: u64,
    delivered: u64,
    lagged: u64,
    resumed: u64,
    gaps: u64,
    gone: u64,
    ended_by_lag: u64,
    drained: u64,
}

struct World {
    clock: Clock,
    hub: Hub,
    feed: Option<Feed>,
    twin: Twin,
    history: History,
    counts: Counts,
    clients: Vec<(Client, Option<Stream>)>,
    lag_ends: bool,
    position_updates: bool,
    /// In seconds.
    now: u64,
    /// When it began, and the window.
    drain: Option<(u64, u64)>,
    serial: u32,
}

/// A hub of the same seed, which gives its ids beforehand.
struct Twin {
    hub: Hub,
    ids: Vec<String>,
}

impl Twin {
    fn id(&mut self, position: u64) -> String {
        while self.ids.len() as u64 <= position {
            self.ids.push(self.hub.publish("a", "x").unwrap().to_string());
        }
        self.ids[position as usize].clone()
    }
}

/// The server's end of a connection, beside what it should do.
struct Stream {
    reader: Reader<EventStream<Clock>>,
    beside: Option<Sender>,
    /// Comes before anything of the topics.
    pending: String,
    /// `None`: it was refused.
    place: Option<Place>,
    keep_alive: bool,
    last_write: Option<u64>,
    /// Whether that was a keep-alive.
    kept_alive: bool,
    /// Its last chunk has come, then its end.
    ending: Option<CloseReason>,
    ended: bool,
    /// What the client has not read yet.
    wire: Vec<u8>,
}

struct Place {
    position: u64,
    told: u64,
    rewrites: usize,
    /// What each topic had forgotten when the client asked.
    forgotten: Vec<u64>,
}

impl World {
    fn new(case: &Case) -> Self {
        let clock = Clock::new();
        let Bounds { topic_bytes, topic_events, hub_bytes, age } = case.bounds;
        let mut builder = Hub::builder()
            .retry(Duration::ZERO)
            .topic_bytes(topic_bytes)
            .topic_events(topic_events)
            .hub_bytes(hub_bytes);
        builder = builder.position_updates(case.position_updates);
        if let Some(age) = age {
            builder = builder.topic_age(Duration::from_secs(age));
        }
        if !case.lag_ends {
            builder = builder.gap_on_lag();
        }
        let (hub, feed) = if case.follows {
            let (hub, feed) = builder.follower_on(clock.clone());
            (hub, Some(feed))
        } else {
            (builder.build_on(clock.clone()), None)
        };
        // A stream opens with its position. On an empty hub that is 0, with the tag.
        let opening = clock.read(clock.sse().subscribe(&hub, ["probe"]).into_response()).text();
        let zero = opening.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
        let twin = Twin { hub: Hub::builder().build_on(Clock::new()), ids: vec![zero.clone()] };
        let history = History::new(case.bounds.clone(), zero, case.follows);
        // The habits of each browser, in turns.
        let client = |(set, habits): (&BTreeSet<usize>, _)| (Client::new(set.iter().copied().collect(), habits), None);
        let clients = case.clients.iter().zip(Habits::BROWSERS.into_iter().cycle()).map(client);
        Self {
            clock,
            hub,
            feed,
            twin,
            history,
            counts: Counts { gone: 1, ..Counts::default() },
            clients: clients.collect(),
            lag_ends: case.lag_ends,
            position_updates: case.position_updates,
            now: 0,
            drain: None,
            serial: 0,
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Publish(sends) => self.publish(sends),
            Op::PublishInvalid(topic) => self.publish_invalid(*topic),
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
            Op::Advance(by) => {
                self.now += by;
                self.clock.advance(Duration::from_secs(*by));
            }
            Op::Stats => self.stats(),
            Op::Drain(window) => {
                drop(self.hub.drain(Duration::from_secs(*window)));
                self.drain.get_or_insert((self.now, *window));
                assert!(self.hub.is_draining());
            }
            Op::Pass => {
                let id = self.next_id();
                self.feed.as_mut().unwrap().advance(parse(&id)).unwrap();
                self.history.pass(id, self.now);
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

    /// The id that a log gives next.
    fn next_id(&mut self) -> String {
        self.serial += 1;
        let newest = self.feed.as_ref().unwrap().newest();
        assert_eq!(newest.map(|id| id.to_string()).as_deref(), self.history.known.last().map(|(id, _)| &**id));
        let (first, second) = newest.map_or((100, 0), |newest| newest.position());
        let id = if self.serial.is_multiple_of(3) { (first, second + 1) } else { (first + 1, 0) };
        EventId::new(id, self.serial).to_string()
    }

    fn publish(&mut self, sends: &[Send]) {
        if self.feed.is_some() {
            assert_eq!(self.hub.publish("a", "x"), Err(PublishError::Followed));
            for send in sends {
                let id = self.next_id();
                self.history.expire(self.now);
                let (event, fields) = event(self.history.head() + 1, send);
                let feed = self.feed.as_mut().unwrap();
                feed.append(parse(&id), TOPICS[send.topic].0, event).unwrap();
                let newest = feed.newest().unwrap();
                assert_eq!(feed.append(newest, "a", "x"), Err(FeedError::OutOfOrder(newest, newest)));
                self.history.append(send.topic, id, &fields, self.now);
                self.counts.published += 1;
            }
            return;
        }
        self.history.expire(self.now);
        let mut events = Vec::new();
        for send in sends {
            let position = self.history.head() + 1;
            let (event, fields) = event(position, send);
            events.push((TOPICS[send.topic].0, event));
            self.history.append(send.topic, self.twin.id(position), &fields, self.now);
        }
        self.counts.published += sends.len() as u64;
        let ids = match &events[..] {
            [(topic, event)] if sends[0].shape.is_multiple_of(2) => {
                vec![self.hub.publish(topic, event.clone()).unwrap()]
            }
            [(topic, event)] => vec![self.hub.topic(topic).unwrap().publish(event.clone()).unwrap()],
            _ => self.hub.publish_all(events).unwrap(),
        };
        let ids: Vec<_> = ids.iter().map(EventId::to_string).collect();
        let known = &self.history.known[self.history.known.len() - sends.len()..];
        assert!(known.iter().map(|(id, _)| id).eq(&ids));
    }

    fn publish_invalid(&mut self, topic: usize) {
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

    fn truncate(&mut self, back: usize) {
        let feed = self.feed.as_mut().unwrap();
        let unknown = EventId::new((5_000_000, 0), 1);
        assert_eq!(feed.truncate(unknown), Err(FeedError::Unknown(unknown)));
        let known = &self.history.known;
        let Some((id, _)) = known.len().checked_sub(1 + back).map(|at| known[at].clone()) else { return };
        feed.truncate(parse(&id)).unwrap();
        self.history.truncate(&id);
        for (client, _) in &mut self.clients {
            client.look_back(&self.history);
        }
    }

    fn read(&mut self, client: usize) {
        if let (client, Some(stream)) = &mut self.clients[client] {
            client.read(&std::mem::take(&mut stream.wire), &self.history);
        }
    }

    fn cut(&mut self, client: usize, cut: u16) {
        let (client, stream) = &mut self.clients[client];
        let Some(stream) = stream.take() else { return };
        let upto = usize::from(cut) % (stream.wire.len() + 1);
        // As often all of it.
        let upto = if cut.is_multiple_of(3) { stream.wire.len() } else { upto };
        client.read(&stream.wire[..upto], &self.history);
        client.leave(stream.ended && upto == stream.wire.len());
        if stream.place.is_some() && !stream.ended {
            // Who leaves after the last byte, and before the end, was not the one who decided it.
            match stream.ending {
                None => self.counts.gone += 1,
                Some(CloseReason::Lagged) => self.counts.ended_by_lag += 1,
                Some(_) => self.counts.drained += 1,
            }
        }
    }

    fn connect(&mut self, at: usize, connect: &Connect) {
        self.cut(at, connect.cut);
        let of_other = |other: usize| self.clients[other % self.clients.len()].0.last_event_id().to_owned();
        let text = |id: String| if id.is_empty() { LastEventId::Absent } else { LastEventId::Text(id.into()) };
        let brings = match &connect.id {
            Id::Own => text(of_other(at)),
            Id::Of(other) => text(of_other(*other)),
            Id::None => LastEventId::Absent,
            Id::Empty => LastEventId::Empty,
            Id::Forged(any) => {
                let ids = &self.history.ids;
                text(ids.get(any % (ids.len() + 1)).map_or("0-00000000".to_owned(), |(id, _)| id.clone()))
            }
            Id::ForeignTag => text(format!("{}-{:08x}", self.history.head(), 0xffff_ffff_u32)),
            Id::Future(by) => text(self.twin.id(self.history.head() + by)),
            Id::Swapped(at, tag) => {
                let ids = &self.history.ids;
                let of = |at: &usize| parse(&ids[at % ids.len()].0);
                text(EventId::new(of(at).position(), of(tag).tag()).to_string())
            }
            Id::Malformed(which) => text(MALFORMED[*which].to_owned()),
            Id::TooLong => LastEventId::TooLong,
            Id::NotUtf8 => LastEventId::NotUtf8,
            Id::Repeated => LastEventId::Repeated,
        };
        let (client, stream) = &mut self.clients[at];
        // A hub that drains rejects a client before it looks at its history.
        if self.drain.is_none() {
            self.history.expire(self.now);
        }
        let history = &self.history;
        let names: Vec<&str> = client.topics.iter().chain(client.topics.first()).map(|&at| TOPICS[at].0).collect();

        let mut sse = self.clock.sse_after(brings.clone());
        if !connect.keep_alive {
            sse = sse.keep_alive(None);
        }
        if connect.welcome {
            sse = sse.welcome();
        }
        let feed = sse.subscribe(&self.hub, names).replay(connect.start);
        let feed = feed.prelude((0..connect.first).map(|n| Event::data(format!("first {n}"))));
        let resumption = feed.resumption();
        let uuid = feed.id();
        let (beside, response) = feed.with_sender();
        let beside = connect.beside.then_some(beside);
        let reader = self.clock.read(response);
        let mut new = Stream {
            reader,
            beside,
            pending: String::new(),
            place: None,
            keep_alive: connect.keep_alive,
            last_write: None,
            kept_alive: false,
            ending: None,
            ended: false,
            wire: Vec::new(),
        };
        assert_eq!(uuid.is_none(), self.drain.is_some());
        client.connect(brings.as_str().unwrap_or_default(), history);
        let fresh = matches!(brings, LastEventId::Absent | LastEventId::Empty);
        let found = brings.as_str().and_then(|id| history.find(id));
        let gone = brings.as_str().and_then(|id| history.find_gone(id));
        client.asked_unknown = found.or(gone).is_none() && !fresh;
        let Some(uuid) = uuid else {
            client.first_to_come = 0;
            *stream = Some(new);
            return;
        };
        client.first_to_come = connect.first;
        let position = found.or(gone).unwrap_or_else(|| match connect.start {
            Replay::All => history.whole(&client.topics),
            Replay::Last(events) => history.last(&client.topics, events),
            _ => history.head(),
        });
        let (position, unnamed) = if self.feed.is_some() && position == 0 && found.is_none() && history.head() > 0 {
            // No id of a log says where it begins; that of what is just before the first event of these topics does.
            let first = history.of(&client.topics).next().map(|at| history.event(at).position);
            let position = first.map_or(history.head(), |first| first - 1);
            (position, position == 0)
        } else {
            (position, false)
        };
        client.unnamed = unnamed;
        let expected = match found {
            Some(position) if history.whole(&client.topics) > position => Resumption::Gap,
            Some(_) => Resumption::Resumed,
            None if gone.is_some() => Resumption::Gap,
            None if fresh => Resumption::Fresh,
            None => Resumption::Gap,
        };
        assert_eq!(resumption, expected);
        self.counts.resumed += u64::from(expected == Resumption::Resumed);
        self.counts.gaps += u64::from(client.asked_unknown);

        // A follower that was fed nothing stands at a position without a name, which resumes nowhere.
        let marked = position == 0 || client.topics.iter().any(|&topic| history.forgotten[topic] == position);
        let id = history.id_at(position).or(marked.then(|| history.id_of(position)));
        let id = id.filter(|_| gone.is_none() && !unnamed);
        let line = id.as_ref().map(|id| format!("id: {id}\n")).unwrap_or_default();
        let open = ":\nevent: sse-open\nretry: 0\n\n";
        let welcome =
            if connect.welcome { format!("event: welcome\ndata: {{\"uuid\":\"{uuid}\"}}\n\n") } else { String::new() };
        let first: String = (0..connect.first).map(|n| format!("data: first {n}\n\n")).collect();
        new.pending = if client.asked_unknown {
            format!("{open}{welcome}{first}event: gap\ndata: {{\"reason\":\"unknown\"}}\n{line}\n")
        } else if gone.is_some() {
            let brought = brings.as_str().unwrap();
            format!(":\nevent: sse-open\nretry: 0\nid: {brought}\n\n{welcome}{first}")
        } else if line.is_empty() {
            format!("{open}{welcome}{first}")
        } else if connect.first == 0 {
            format!(":\nevent: sse-position\nretry: 0\n{line}data: {{}}\n\n{welcome}")
        } else {
            // An ID that is known is repeated, because it resumes at the same place until the first events are sent.
            let brought = if expected == Resumption::Fresh { "" } else { &*line };
            let open = format!(":\nevent: sse-open\nretry: 0\n{brought}\n");
            format!("{open}{welcome}{first}event: sse-position\n{line}data: {{}}\n\n")
        };
        new.place = Some(Place {
            position,
            told: position,
            rewrites: if gone.is_some() { 0 } else { history.rewrites.len() },
            forgotten: client.topics.iter().map(|&topic| history.forgotten[topic]).collect(),
        });
        *stream = Some(new);
    }

    /// One poll, which must do exactly what the model says.
    fn poll(&mut self, at: usize) {
        let (client, Some(stream)) = &mut self.clients[at] else { return };
        let polled = stream.reader.poll();
        if stream.ended {
            assert_eq!(polled, Poll::Ready(None));
            return;
        }
        let Some(place) = &mut stream.place else {
            // Refused: a moment to come back, and the end.
            match polled {
                Poll::Ready(Some(chunk)) => {
                    assert!(is_retry_later(std::str::from_utf8(&chunk).unwrap()));
                    assert_eq!(stream.ending.replace(CloseReason::Drained), None);
                    stream.wire.extend_from_slice(&chunk);
                }
                polled => {
                    assert_eq!((polled, stream.ending), (Poll::Ready(None), Some(CloseReason::Drained)));
                    stream.ended = true;
                }
            }
            return;
        };
        if let Some(reason) = stream.ending {
            assert_eq!(polled, Poll::Ready(None));
            stream.ended = true;
            match reason {
                CloseReason::Lagged => self.counts.ended_by_lag += 1,
                _ => self.counts.drained += 1,
            }
            return;
        }
        let chunk = match &polled {
            Poll::Ready(Some(chunk)) => std::str::from_utf8(chunk).unwrap(),
            _ => "",
        };
        stream.wire.extend_from_slice(chunk.as_bytes());
        // After data a keep-alive may come from half an interval on, and after a keep-alive at one interval.
        let since = stream.last_write.map(|at| self.now - at);
        let keep_alive_due = stream.keep_alive && since.is_some_and(|since| since >= 15);
        let keep_alive_may_come = stream.keep_alive && since.is_some_and(|since| 2 * since >= 15 && !stream.kept_alive);
        if !chunk.is_empty() {
            stream.last_write = Some(self.now);
            stream.kept_alive = false;
        }
        let pending = std::mem::take(&mut stream.pending);
        let history = &self.history;
        if let Some((began, _)) = self.drain
            && let Some(rest) = chunk.strip_prefix(&*pending)
            && is_drains_retry(rest)
        {
            assert!(self.now >= began);
            // It may have fallen behind before its moment came; then it is spread like the others.
            let lagged = self.hub.stats().lagged > self.counts.lagged;
            if lagged {
                let next = history.next(&client.topics, place.position);
                assert!(self.lag_ends && matches!(next, Next::Gaps(..)));
                self.counts.lagged += 1;
            }
            stream.ending = Some(if lagged { CloseReason::Lagged } else { CloseReason::Drained });
            return;
        }
        if let Some((began, window)) = self.drain {
            assert!(self.now < began + window, "a stream that outlived the drain");
        }
        if !pending.is_empty() {
            assert_eq!(chunk, pending);
            return;
        }
        // What it has delivered may have been taken back.
        let mut moved = false;
        for rewrite in &history.rewrites[std::mem::replace(&mut place.rewrites, history.rewrites.len())..] {
            if rewrite.kept < place.position && place.position <= rewrite.last {
                place.position = rewrite.last;
                moved = true;
            }
        }
        if moved {
            assert_eq!(chunk, "event: gap\ndata: {\"reason\":\"unknown\"}\n\n");
            place.told = place.position;
            self.counts.gaps += 1;
            return;
        }
        let mut rest = chunk;
        let mut blocks = 0;
        let lag_ends = self.lag_ends;
        let mut behind = false;
        loop {
            let next = history.next(&client.topics, place.position);
            let block = match &next {
                Next::Nothing => break,
                Next::Event(at) => history.event(*at).block.clone(),
                Next::Gaps(position, topics) => {
                    let asked_late = |topic: &usize| {
                        let at = client.topics.iter().position(|known| known == topic).unwrap();
                        place.position < place.forgotten[at].max(*history.resets.last().unwrap_or(&0))
                    };
                    behind = !topics.iter().all(asked_late);
                    if behind && lag_ends {
                        break;
                    }
                    let mut rewrites = history.rewrites.iter();
                    let taken_back = rewrites.any(|rewrite| rewrite.kept < *position && rewrite.last == *position);
                    let id = if taken_back { String::new() } else { format!("id: {}\n", history.id_of(*position)) };
                    let gap = |(at, topic): (usize, &usize)| {
                        let id = if at + 1 == topics.len() { &*id } else { "" };
                        format!("event: gap\ndata: {{\"reason\":\"trimmed\",\"topic\":{}}}\n{id}\n", TOPICS[*topic].1)
                    };
                    topics.iter().enumerate().map(gap).collect()
                }
            };
            if rest.is_empty() {
                break;
            }
            let Some(after) = rest.strip_prefix(&*block) else {
                panic!("{next:?} should come after {} and not:\n{rest:.300}", place.position)
            };
            rest = after;
            blocks += 1;
            match next {
                Next::Event(at) => {
                    place.position = history.event(at).position;
                    self.counts.delivered += 1;
                }
                Next::Gaps(position, topics) => {
                    place.position = position;
                    self.counts.gaps += topics.len() as u64;
                    self.counts.lagged += u64::from(std::mem::take(&mut behind));
                }
                Next::Nothing => {}
            }
            place.told = place.position;
        }
        if blocks > 0 {
            assert_eq!(rest, "", "more than there is");
            assert!(chunk.len() <= 64 * 1024 + 4096 || blocks == 1, "a chunk of {} bytes", chunk.len());
            return;
        }
        match history.next(&client.topics, place.position) {
            Next::Gaps(..) if behind && lag_ends => {
                assert_eq!(polled, Poll::Ready(None), "a reader that fell behind ends");
                stream.ended = true;
                self.counts.lagged += 1;
                self.counts.ended_by_lag += 1;
            }
            Next::Nothing if keep_alive_due || keep_alive_may_come && polled.is_ready() => {
                stream.kept_alive = true;
                let mut block = ":\n".to_owned();
                if self.position_updates {
                    place.position = place.position.max(history.head());
                    if place.position != place.told {
                        place.told = place.position;
                        let id = history.id_at(place.position).unwrap();
                        block = format!("event: sse-position\nid: {id}\ndata: {{}}\n\n");
                    }
                }
                assert_eq!(chunk, block);
            }
            Next::Nothing => assert_eq!(polled, Poll::Pending),
            next => panic!("{next:?} did not come: {polled:?}"),
        }
    }

    fn stats(&mut self) {
        self.history.expire(self.now);
        let stats = self.hub.stats();
        let streams: Vec<&Stream> = self
            .clients
            .iter()
            .filter_map(|(_, stream)| stream.as_ref())
            .filter(|stream| stream.place.is_some())
            .collect();
        let readers =
            self.clients.iter().filter(|(_, stream)| stream.as_ref().is_some_and(|stream| stream.place.is_some()));
        let mut topics: BTreeSet<usize> = readers.flat_map(|(client, _)| client.topics.iter().copied()).collect();
        topics.extend(self.history.held.iter().map(|&at| self.history.event(at).topic.unwrap()));
        assert_eq!(stats.streams, streams.iter().filter(|stream| !stream.ended).count());
        assert_eq!(stats.topics, topics.len());
        assert_eq!(stats.held_events, self.history.held.len());
        assert_eq!(stats.held_bytes, self.history.held_bytes());
        let counts = &self.counts;
        assert_eq!(stats.published, counts.published);
        assert_eq!(stats.delivered, counts.delivered);
        assert_eq!(stats.lagged, counts.lagged);
        assert_eq!(stats.resumed, counts.resumed);
        assert_eq!(stats.gaps, counts.gaps);
        assert_eq!(stats.ended(CloseReason::Lagged), counts.ended_by_lag);
        assert_eq!(stats.ended(CloseReason::ClientLeft), counts.gone);
        assert_eq!(stats.ended(CloseReason::Drained), counts.drained);
    }

    /// Every client comes back with its own id and reads to the end, so that it has all or knows what is missing.
    fn finish(&mut self) {
        for at in 0..self.clients.len() {
            for _ in 0..2 {
                let own = Connect {
                    id: Id::Own,
                    start: Replay::None,
                    first: 0,
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
            let all = stream.as_ref().is_some_and(|stream| stream.place.is_some());
            assert!(!all || client.is_owed_nothing(), "something is missing and nobody says so");
        }
        self.stats();
        self.clients.clear();
        assert_eq!(self.hub.stats().streams, 0);
    }
}

/// Whether this is the whole answer to a client that comes while the hub drains: with the ID that the client brought.
fn is_retry_later(text: &str) -> bool {
    let text: String = text.split_inclusive('\n').filter(|line| !line.starts_with("id: ")).collect();
    let blocks = text.strip_prefix(":\nevent: sse-open\n").and_then(|blocks| blocks.split_once("event: sse-later\n"));
    blocks.is_some_and(|(retry, reason)| is_drains_retry(retry) && reason.starts_with("data: {\"reason\":\""))
}

/// Whether this asks a client to come back in 1,000 to 5,000 ms, and nothing else.
fn is_drains_retry(text: &str) -> bool {
    let time = text.strip_prefix("retry: ").and_then(|text| text.strip_suffix("\n\n"));
    time.and_then(|time| time.parse().ok()).is_some_and(|time: u64| (1_000..=5_000).contains(&time))
}

fn parse(id: &str) -> EventId {
    EventId::parse(id).unwrap()
}

/// An event, and its fields as they are on the wire.
fn event(position: u64, send: &Send) -> (Event<'static>, String) {
    let filler = "x".repeat(send.size);
    match send.shape {
        0 => (Event::data(format!("{position} two\nlines")), format!("data: {position} two\ndata: lines\n")),
        1 => (
            Event::data(format!("{position} {filler}")).event("note"),
            format!("event: note\ndata: {position} {filler}\n"),
        ),
        2 if send.size.is_multiple_of(4) => (Event::new().retry(Duration::from_secs(3)), "retry: 3000\n".to_owned()),
        3 if send.size.is_multiple_of(4) => (Event::new().comment("quiet"), ": quiet\n".to_owned()),
        _ => (Event::data(format!("{position} {filler}")), format!("data: {position} {filler}\n")),
    }
}

/// Runs so many cases, of 128 steps each in the mean.
fn check(cases: u32, follows: bool) -> usize {
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() });
    let steps = std::cell::Cell::new(0);
    let result = runner.run(&case(follows), |case| {
        let mut world = World::new(&case);
        for op in &case.ops {
            world.run(op);
        }
        world.finish();
        steps.set(steps.get() + case.ops.len());
        Ok(())
    });
    if let Err(TestError::Fail(reason, case)) = result {
        panic!("{reason}\n{case:?}");
    }
    steps.get()
}

#[test]
fn no_chain_of_connections_loses_or_repeats_anything_unsaid() {
    assert!(check(1_000, false) > 100_000);
}

#[test]
fn a_follower_says_what_its_log_lost_or_took_back() {
    assert!(check(500, true) > 50_000);
}
