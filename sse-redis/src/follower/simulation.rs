//! The follower against a simulated engine that does what engines do at their worst, and model clients behind two hubs.
//!
//! Every entry ever written knows which entry came before it in the history it was written to, so for each event that
//! a client gets the oracle knows what it must have had before. A client that was not told a gap in between and had
//! something else has lost something silently; an event that comes twice is a duplicate; a gap in a run without
//! trimming and loss is a false one. What a client had before it was told a gap may come once more after it, and is
//! counted apart: if a failover took events back, the client was told so by one node, and then goes to another that
//! does not know yet.
//!
//! `SSE_REDIS_SIMULATION=10 cargo test --release -p sse-redis --lib simulation -- --nocapture` runs ten times as many and
//! prints what came of them; `SSE_REDIS_VERBOSE=1` shows the runs that went wrong.

use super::*;
use sse_core::hub::{Builder, Feed};
use sse_core::testing::{Clock, Reader};
use sse_core::{Decoder, EventStream, Hub, LastEventId, Runtime};
use std::collections::HashMap;

const TOPICS: [&str; 3] = ["a", "b", "c"];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// What may go wrong in a run.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    breaks: bool,
    restarts: bool,
    trims: bool,
    failover: bool,
    graceful: bool,
    wipes: bool,
    deletes: bool,
    clock: bool,
    foreign_create: bool,
}

impl Faults {
    const fn may_lose(self) -> bool {
        self.trims || self.failover || self.wipes || self.deletes
    }
}

/// One entry that was ever written.
struct Made {
    entry: Entry,
    before: Option<usize>,
    /// The topic and the publish of an event.
    event: Option<(usize, usize)>,
    /// It was published before, so that readers are not to see it.
    again: bool,
}

impl Made {
    /// Whether a reader of these topics is to see it.
    fn is_for(&self, topics: &[usize]) -> bool {
        !self.again && self.event.is_some_and(|(topic, _)| topics.contains(&topic))
    }
}

#[derive(Clone, Default)]
struct Server {
    uid: Option<Uid>,
    log: Option<Log>,
}

#[derive(Clone, Default)]
struct Log {
    entries: VecDeque<usize>,
    added: u64,
    last: Position,
}

struct World {
    dice: Dice,
    random: Random,
    made: Vec<Made>,
    server: Server,
    replica: Server,
    /// The server's clock.
    ms: u64,
    max_len: usize,
    publishes: usize,
    up: bool,
}

impl World {
    fn append(&mut self, content: Content, event: Option<(usize, usize)>) -> Option<usize> {
        let again = matches!(&content, Content::Event(record) if record.again);
        let log = self.server.log.as_mut()?;
        let position = if self.ms > log.last.0 { (self.ms, 0) } else { (log.last.0, log.last.1 + 1) };
        let publish = match &content {
            Content::Event(record) => record.publish,
            Content::Canary(canary) => Some(*canary),
            Content::Other => None,
        };
        let id = EventId::new(position, publish.unwrap_or_else(|| PublishId::draw(&self.random)).tag());
        let index = self.made.len();
        let before = log.entries.back().copied();
        self.made.push(Made { entry: Entry { id, content, bytes: 10 }, before, event, again });
        log.entries.push_back(index);
        log.added += 1;
        log.last = position;
        // `MAXLEN ~` leaves somewhat more.
        if log.entries.len() > self.max_len + self.max_len / 4 {
            log.entries.drain(..log.entries.len() - self.max_len);
        }
        Some(index)
    }

    /// A publish as our nodes do it, or as a program does it that leaves `NOMKSTREAM` out.
    fn publish(&mut self, creates: bool) {
        if self.server.log.is_none() && creates {
            self.server.log = Some(Log::default());
        }
        let topic = self.dice.roll(TOPICS.len() as u64) as usize;
        let publish = self.publishes;
        self.publishes += 1;
        let record = self.record(topic, publish, false);
        self.append(Content::Event(record), Some((topic, publish)));
    }

    /// A publish whose outcome was not known, once more.
    fn publish_again(&mut self) {
        let Some(log) = &self.server.log else { return };
        let back = self.dice.roll(4) as usize;
        let Some(index) = log.entries.iter().rev().nth(back).copied() else { return };
        let Some((topic, publish)) = self.made[index].event else { return };
        let record = self.record(topic, publish, true);
        self.append(Content::Event(record), Some((topic, publish)));
    }

    fn record(&self, topic: usize, publish: usize, again: bool) -> Box<Record> {
        Box::new(Record {
            topic: TOPICS[topic].to_owned(),
            publish: PublishId::parse(&format!("{:08x}{publish:016x}", Dice(publish as u64).roll(1 << 32))),
            data: Some(publish.to_string()),
            again,
            ..Record::default()
        })
    }

    fn attach(&mut self, uid: Uid) {
        if self.server.log.is_none() || self.server.uid.is_none() {
            self.server.uid = Some(uid);
            self.server.log.get_or_insert_default();
            self.append(Content::Other, None);
        } else if self.server.log.as_ref().is_some_and(|log| log.entries.is_empty()) {
            self.append(Content::Other, None);
        }
    }

    fn find(&self, position: Position) -> Option<EventId> {
        let log = self.server.log.as_ref()?;
        let at = log.entries.partition_point(|&index| self.made[index].entry.position() < position);
        let id = self.made[*log.entries.get(at)?].entry.id;
        (id.position() == position).then_some(id)
    }

    fn tip(&self, at: Option<Position>) -> Tip {
        let id = |index: Option<&usize>| index.map(|&index| self.made[index].entry.id);
        let log = self.server.log.as_ref().map(|log| Account {
            added: log.added,
            length: log.entries.len() as u64,
            first: id(log.entries.front()),
            last: id(log.entries.back()),
        });
        Tip { master: true, uid: self.server.uid.clone(), log, at: at.and_then(|at| self.find(at)) }
    }

    fn after(&self, position: Position, count: usize) -> Vec<Entry> {
        let Some(log) = &self.server.log else { return Vec::new() };
        let from = log.entries.partition_point(|&index| self.made[index].entry.position() <= position);
        log.entries.range(from..).take(count).map(|&index| self.made[index].entry.clone()).collect()
    }

    fn before(&self, position: Position, count: usize) -> Vec<Entry> {
        let Some(log) = &self.server.log else { return Vec::new() };
        let upto = log.entries.partition_point(|&index| self.made[index].entry.position() < position);
        log.entries.range(..upto).rev().take(count).map(|&index| self.made[index].entry.clone()).collect()
    }
}

/// What a node waits for.
enum Pending {
    Nothing,
    /// A read that waits at the server, until then.
    Blocked(Position, usize, Instant),
    /// The first half of a pipeline is done, the uid is yet to be read.
    HalfRead(Vec<Entry>),
    /// The server has answered, and the answer is on its way.
    Answered(Reply),
    Broken,
}

struct Node {
    follower: Follower,
    hub: Hub,
    feed: Feed,
    pending: Pending,
    connected: bool,
}

impl Node {
    fn new(clock: &Clock, world: &mut World, bounds: Bounds, rules: Rules) -> Self {
        let (hub, mut feed) = Builder::default().follower_on(clock.clone());
        feed.admit(false);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&world.dice.roll(u64::MAX).to_le_bytes());
        let follower = Follower::new(clock.now(), Random::from_seed(seed), bounds, rules);
        Self { follower, hub, feed, pending: Pending::Nothing, connected: false }
    }

    fn step(&mut self, clock: &Clock, world: &mut World) {
        let now = clock.now();
        let mut effects = Vec::new();
        self.pending = match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => match self.follower.command(now, &mut effects) {
                Command::Sleep(_) => Pending::Nothing,
                Command::Connect => {
                    self.connected = world.up;
                    Pending::Answered(if world.up { Reply::Connected } else { Reply::Failed })
                }
                _ if !self.connected => Pending::Broken,
                Command::Attach(uid) => {
                    world.attach(uid);
                    Pending::Answered(Reply::Attached)
                }
                Command::Look(at) => Pending::Answered(Reply::Looked(world.tip(at))),
                Command::Load(count) => {
                    Pending::Answered(Reply::Loaded(world.tip(None), world.before((u64::MAX, 0), count)))
                }
                Command::LoadBefore(position, count) => {
                    Pending::Answered(Reply::LoadedBefore(world.before(position, count)))
                }
                Command::Probe(position) => Pending::Answered(Reply::Probed(world.find(position))),
                Command::Wait(position, count, block) => Pending::Blocked(position, count, now + block),
                Command::CatchUp(position, count) => {
                    Pending::Answered(Reply::CaughtUp(world.tip(None), world.after(position, count)))
                }
            },
            Pending::Blocked(position, count, until) => {
                let entries = world.after(position, count);
                if entries.is_empty() && now < until {
                    Pending::Blocked(position, count, until)
                } else {
                    Pending::HalfRead(entries)
                }
            }
            Pending::HalfRead(entries) => Pending::Answered(Reply::Read(entries, world.server.uid.clone())),
            Pending::Answered(reply) => {
                self.follower.handle(now, reply, &mut effects);
                Pending::Nothing
            }
            Pending::Broken => {
                self.connected = false;
                self.follower.handle(now, Reply::Failed, &mut effects);
                Pending::Nothing
            }
        };
        for effect in effects {
            if let Effect::Canary(canary) = effect {
                world.append(Content::Canary(canary), None);
            } else {
                crate::driver::apply(&mut self.feed, effect);
            }
        }
    }
}

struct Client {
    topics: Vec<usize>,
    node: usize,
    stream: Option<Reader<EventStream<Clock>>>,
    decoder: Decoder,
    /// The entry that the client was last at, if the oracle knows it: the next event must follow it.
    at: Option<usize>,
    /// Every publish it had, and how many gaps it had been told by then.
    had: HashMap<usize, usize>,
    gaps: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    lost: usize,
    repeated: usize,
    /// Had before a gap, and once more after it.
    retold: usize,
    gaps: usize,
    received: usize,
    stuck: usize,
    steps: usize,
}

impl Client {
    fn names(&self) -> Vec<&'static str> {
        self.topics.iter().map(|&topic| TOPICS[topic]).collect()
    }

    fn connect(&mut self, clock: &Clock, nodes: &[Node], node: usize) {
        self.node = node;
        let id = self.decoder.last_event_id().to_owned();
        let last = if id.is_empty() { LastEventId::Absent } else { LastEventId::Text(id.as_str().into()) };
        let subscription = clock.sse_after(last).subscribe(&nodes[node].hub, self.names());
        self.decoder = Decoder::with_last_event_id(&id);
        self.stream = Some(clock.read(subscription.into_response()));
    }

    /// Reads what there is; with `cut` the connection breaks somewhere in it.
    fn read(&mut self, world: &World, by_id: &dyn Fn(&str) -> Option<usize>, cut: Option<u64>, verdict: &mut Verdict) {
        let Some(stream) = &mut self.stream else { return };
        let bytes = stream.bytes();
        let ended = stream.has_ended();
        let upto = cut.map_or(bytes.len(), |cut| (cut % (bytes.len() as u64 + 1)) as usize);
        let mut input = &bytes[..upto];
        let fresh = self.decoder.last_event_id().is_empty();
        loop {
            let event = match self.decoder.decode(&mut input) {
                Some(Ok(event)) => event.into_owned(),
                Some(Err(error)) => panic!("{error}"),
                None => break,
            };
            if event.event_type == "gap" {
                self.gaps += 1;
                verdict.gaps += 1;
                self.at = by_id(&event.last_event_id);
                continue;
            }
            let Some(index) = by_id(&event.last_event_id) else { panic!("an event without an entry: {event:?}") };
            if fresh && self.at.is_none() && self.had.is_empty() {
                self.at = world.made[index].before;
                // Where a first connection begins is nobody's promise: take it as it is.
                let mut before = self.at;
                while let Some(at) = before {
                    if world.made[at].is_for(&self.topics) {
                        break;
                    }
                    before = world.made[at].before;
                }
                self.at = before;
            }
            let publish = world.made[index].event.map(|(_, publish)| publish).unwrap_or(usize::MAX);
            verdict.received += 1;
            match self.had.insert(publish, self.gaps) {
                Some(told) if told == self.gaps => verdict.repeated += 1,
                Some(_) => verdict.retold += 1,
                None => {}
            }
            if let Some(at) = self.at
                && self.previous(world, index, at) != Some(at)
            {
                verdict.lost += 1;
            }
            self.at = Some(index);
        }
        if self.at.is_none() && self.had.is_empty() {
            // Told a position before any event.
            self.at = by_id(self.decoder.last_event_id());
        }
        if ended || cut.is_some() {
            self.stream = None;
        }
    }

    /// What comes before an entry for this client: an event of its topics, or the entry that it was at.
    fn previous(&self, world: &World, index: usize, at: usize) -> Option<usize> {
        let mut before = world.made[index].before;
        while let Some(index) = before {
            if index == at || world.made[index].is_for(&self.topics) {
                return Some(index);
            }
            before = world.made[index].before;
        }
        None
    }
}

fn run(seed: u64, steps: usize, faults: Faults, rules: Rules) -> Verdict {
    let mut dice = Dice(seed);
    let batch = [4, 16, 64][dice.roll(3) as usize];
    let bounds = Bounds { window: (10_000, usize::MAX), batch, remembered: [8, 64, 65_536][dice.roll(3) as usize] };
    let max_len = if faults.trims { 2 * batch + dice.roll(200) as usize } else { usize::MAX / 4 };
    let clock = Clock::seeded([seed as u8; 32]);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut world = World {
        dice,
        random: Random::from_seed(bytes),
        made: Vec::new(),
        server: Server::default(),
        replica: Server::default(),
        ms: 1_000_000,
        max_len,
        publishes: 0,
        up: true,
    };
    let mut nodes: Vec<Node> = (0..2).map(|_| Node::new(&clock, &mut world, bounds, rules)).collect();
    let mut clients: Vec<Client> = (0..4)
        .map(|n| Client {
            topics: (0..TOPICS.len()).filter(|topic| n == 0 || (n + topic) % 2 == 0).collect(),
            node: n % 2,
            stream: None,
            decoder: Decoder::new(),
            at: None,
            had: HashMap::new(),
            gaps: 0,
        })
        .collect();
    let mut verdict = Verdict::default();
    let mut index = HashMap::new();
    for step in 0..steps + 2_000 {
        // At the end everything heals, time goes on, and all must come to one state.
        let healing = step >= steps;
        let faults = if healing { Faults::default() } else { faults };
        if step == steps {
            world.up = true;
        }
        verdict.steps += 1;
        match world.dice.roll(20) {
            0..=8 => {
                let node = world.dice.roll(2) as usize;
                nodes[node].step(&clock, &mut world);
            }
            9..=11 if !healing || step < steps + 10 => {
                let burst = if world.dice.one_in(40) { world.dice.roll(300) } else { world.dice.roll(4) };
                for _ in 0..=burst {
                    world.publish(faults.foreign_create);
                }
                if world.dice.one_in(10) {
                    world.publish_again();
                }
            }
            12 | 13 => {
                let ms = [1, 20, 200, 1_100, 3_000][world.dice.roll(5) as usize];
                clock.advance(Duration::from_millis(ms));
                world.ms += ms;
            }
            14..=17 => {
                for made in index.len()..world.made.len() {
                    index.insert(world.made[made].entry.id.to_string(), made);
                }
                let client = world.dice.roll(clients.len() as u64) as usize;
                let client = &mut clients[client];
                if client.stream.is_none() {
                    let node = world.dice.roll(2) as usize;
                    client.connect(&clock, &nodes, node);
                }
                let cut = if !healing && world.dice.one_in(6) { Some(world.dice.roll(u64::MAX)) } else { None };
                let dead = cut.is_some() && world.dice.one_in(3);
                if dead {
                    client.stream = None;
                } else {
                    client.read(&world, &|id| index.get(id).copied(), cut, &mut verdict);
                }
            }
            _ => fault(&mut world, &mut nodes, &mut clients, faults, &clock, (bounds, rules)),
        }
    }
    for made in index.len()..world.made.len() {
        index.insert(world.made[made].entry.id.to_string(), made);
    }
    // The end: who has not come to the end of the log?
    let newest = world.server.log.as_ref().and_then(|log| log.entries.back().copied());
    let mut newest = newest;
    for step in 0.. {
        newest = world.server.log.as_ref().and_then(|log| log.entries.back().copied()).or(newest);
        let newest = newest.map(|index| world.made[index].entry.id);
        if nodes.iter().all(|node| node.feed.newest() == newest) {
            break;
        }
        if step == 20_000 {
            if std::env::var_os("SSE_REDIS_VERBOSE").is_some() {
                nodes.iter().for_each(|node| println!("stuck: {:?} {newest:?}", node.follower));
            }
            verdict.stuck += 1;
            break;
        }
        clock.advance(Duration::from_millis(10));
        nodes.iter_mut().for_each(|node| node.step(&clock, &mut world));
    }
    for made in index.len()..world.made.len() {
        index.insert(world.made[made].entry.id.to_string(), made);
    }
    for client in &mut clients {
        for _ in 0..200 {
            // Whoever is asked to come back waits for two rounds.
            clock.advance(Duration::from_millis(100));
            nodes.iter_mut().for_each(|node| node.step(&clock, &mut world));
            for made in index.len()..world.made.len() {
                index.insert(world.made[made].entry.id.to_string(), made);
            }
            if client.stream.is_none() {
                client.connect(&clock, &nodes, client.node);
            }
            client.read(&world, &|id| index.get(id).copied(), None, &mut verdict);
        }
        let newest = world.server.log.as_ref().and_then(|log| log.entries.back().copied()).or(newest);
        // The last event of its topics must be what it is at, or lie before the gap it was told.
        let (Some(at), Some(newest)) = (client.at, newest) else { continue };
        let wanted = |index: usize| world.made[index].is_for(&client.topics);
        let mut tail = Some(newest);
        while let Some(index) = tail {
            if index == at || wanted(index) {
                break;
            }
            tail = world.made[index].before;
        }
        if tail != Some(at) {
            verdict.lost += 1;
        }
    }
    verdict
}

/// Something goes wrong, if it may.
fn fault(
    world: &mut World,
    nodes: &mut [Node],
    clients: &mut [Client],
    faults: Faults,
    clock: &Clock,
    (bounds, rules): (Bounds, Rules),
) {
    let kind = world.dice.roll(40);
    match kind {
        0..=5 if faults.breaks => {
            let node = world.dice.roll(2) as usize;
            nodes[node].pending = Pending::Broken;
        }
        6 if faults.breaks => {
            world.up = false;
            nodes.iter_mut().for_each(|node| node.pending = Pending::Broken);
        }
        7..=12 => world.up = true,
        13..=16 => world.replica = world.server.clone(),
        17 if faults.failover || faults.graceful => {
            if faults.graceful {
                world.replica = world.server.clone();
            }
            world.server = world.replica.clone();
            nodes.iter_mut().for_each(|node| node.pending = Pending::Broken);
            if faults.clock && world.dice.one_in(2) {
                world.ms = world.ms.saturating_sub(world.dice.roll(20_000));
            }
        }
        18 if faults.wipes => {
            // The replica is wiped with it. If it were not, and came back: clients that were told a gap might then get
            // some of what they had before it once more.
            (world.server, world.replica) = (Server::default(), Server::default());
            // The next life may have lower ids.
            if faults.clock && world.dice.one_in(2) {
                world.ms = world.ms.saturating_sub(world.dice.roll(20_000));
            }
            if world.dice.one_in(2) {
                nodes.iter_mut().for_each(|node| node.pending = Pending::Broken);
            }
        }
        19 if faults.deletes => world.server.log = None,
        20 if faults.trims => {
            // An operator who leaves as little as may be left.
            let keep = 2 * bounds.batch;
            if let Some(log) = &mut world.server.log {
                log.entries.drain(..log.entries.len().saturating_sub(keep));
            }
        }
        21 if faults.clock => world.ms = world.ms.saturating_sub(world.dice.roll(20_000)),
        22 if faults.restarts => {
            let which = world.dice.roll(2) as usize;
            nodes[which] = Node::new(clock, world, bounds, rules);
            clients.iter_mut().filter(|client| client.node == which).for_each(|client| client.stream = None);
        }
        _ => {}
    }
}

fn many(runs: u64, faults: Faults, rules: Rules) -> (Verdict, u64) {
    let mut total = Verdict::default();
    let mut bad = 0;
    let scale = std::env::var("SSE_REDIS_SIMULATION").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    for seed in 0..runs * scale {
        let verdict = run(seed, 4_000, faults, rules);
        let wrong = verdict.lost + verdict.repeated + verdict.stuck > 0 || (!faults.may_lose() && verdict.gaps > 0);
        if wrong {
            bad += 1;
            if std::env::var_os("SSE_REDIS_VERBOSE").is_some() {
                println!("seed {seed}: {verdict:?}");
            }
        }
        total.lost += verdict.lost;
        total.repeated += verdict.repeated;
        total.retold += verdict.retold;
        total.gaps += verdict.gaps;
        total.received += verdict.received;
        total.stuck += verdict.stuck;
        total.steps += verdict.steps;
    }
    println!("{faults:?}: {bad} of {} runs wrong: {total:?}", runs * scale);
    (total, bad)
}

fn sound(runs: u64, faults: Faults) {
    let (total, bad) = many(runs, faults, Rules::ALL);
    assert_eq!((total.lost, total.repeated, total.stuck, bad), (0, 0, 0, 0), "{faults:?}");
    assert!(total.received > 0);
    if !faults.may_lose() {
        assert_eq!(total.gaps, 0, "a gap where nothing was lost: {faults:?}");
    }
}

const NONE: Faults = Faults {
    breaks: false,
    restarts: false,
    trims: false,
    failover: false,
    graceful: false,
    wipes: false,
    deletes: false,
    clock: false,
    foreign_create: false,
};

/// Every fault at once, and each rule taken away: that it is needed shows in runs that go wrong without it.
#[test]
fn each_rule_is_needed() {
    let all = Faults { breaks: true, failover: true, wipes: true, deletes: true, clock: true, ..NONE };
    sound(30, all);
    let without = [
        ("tags", Rules { tag: false, ..Rules::ALL }, all),
        ("the look on connect", Rules { look_on_connect: false, ..Rules::ALL }, all),
        ("the uid", Rules { uid: false, ..Rules::ALL }, all),
        ("NOMKSTREAM", Rules::ALL, Faults { foreign_create: true, ..all }),
        ("numbers", Rules { numbers: false, ..Rules::ALL }, Faults { breaks: true, trims: true, ..NONE }),
    ];
    for (what, rules, faults) in without {
        let (_, bad) = many(60, faults, rules);
        println!("without {what}: {bad} runs wrong");
        assert!(bad > 0, "{what} made no difference");
    }
}

#[test]
fn without_faults_nothing_is_lost_repeated_or_told_as_lost() {
    sound(20, NONE);
}

#[test]
fn broken_connections_restarts_and_clocks_are_no_gap() {
    sound(40, Faults { breaks: true, restarts: true, clock: true, graceful: true, ..NONE });
}

#[test]
fn trimming_past_the_reader_is_told() {
    sound(40, Faults { breaks: true, trims: true, ..NONE });
}

#[test]
fn a_failover_to_an_older_state_is_told() {
    sound(40, Faults { breaks: true, failover: true, clock: true, ..NONE });
}

#[test]
fn a_wiped_or_deleted_log_is_told() {
    sound(40, Faults { breaks: true, wipes: true, deletes: true, clock: true, ..NONE });
}
