//! A client as a browser is one, of any engine: it keeps its events and the last event ID over all its connections.

use crate::history::{History, TOPICS};
use sse_test_support::reader::{Habits, Reader};
use std::collections::BTreeSet;

pub(crate) struct Client {
    /// Indices into `TOPICS`, each once.
    pub(crate) topics: Vec<usize>,
    reader: Reader,
    habits: Habits,
    /// All events of its topics up to here were dispatched, or told to be missing; `None` before it knows a position.
    pub(crate) at: Option<u64>,
    /// The topics of which something is missing that is yet to be told: what other topics kept goes before the gap.
    owed: BTreeSet<usize>,
    /// The gap events since the position last moved, on this connection.
    told: Vec<usize>,
    told_unknown: bool,
    /// It has seen something that was taken back, up to here, and was not told yet.
    tainted: Option<u64>,
    /// It was told, and was told no position since: it may be told once more.
    adrift: bool,
    /// Events put first that are yet to come on this connection.
    pub(crate) first_to_come: usize,
    /// Whether it asked with an id that is not known.
    pub(crate) asked_unknown: bool,
    /// It began before the first event of a log: a gap has no position to tell there.
    pub(crate) unnamed: bool,
}

impl Client {
    pub(crate) fn new(topics: Vec<usize>, habits: Habits) -> Self {
        Self {
            topics,
            reader: Reader::with(habits),
            habits,
            at: None,
            owed: BTreeSet::new(),
            told: Vec::new(),
            told_unknown: false,
            tainted: None,
            adrift: false,
            first_to_come: 0,
            asked_unknown: false,
            unnamed: false,
        }
    }

    pub(crate) fn last_event_id(&self) -> &str {
        self.reader.last_event_id().unwrap_or_default()
    }

    /// A new connection, asked for with this id. With another id than its own it is another client from here on.
    pub(crate) fn connect(&mut self, id: &str, history: &History) {
        let own = id == self.last_event_id() && self.at.is_some();
        if id != self.last_event_id() {
            self.reader = Reader::with(self.habits).after(Some(id));
        }
        self.told.clear();
        self.told_unknown = false;
        self.adrift = false;
        let found = history.find(id).or_else(|| history.find_gone(id));
        self.asked_unknown = false;
        if found.is_none() || !own {
            self.at = found;
            self.owed.clear();
            self.tainted = None;
        }
        self.look_back(history);
    }

    /// The connection is over: the response ended, or broke.
    pub(crate) fn leave(&mut self, ended: bool) {
        if ended { self.reader.end() } else { self.reader.reconnect() }
    }

    /// Bytes arrived, cut anywhere.
    pub(crate) fn read(&mut self, mut bytes: &[u8], history: &History) {
        while !bytes.is_empty() {
            let end = bytes.windows(2).position(|pair| pair == b"\n\n").map_or(bytes.len(), |at| at + 2);
            let (block, rest) = bytes.split_at(end);
            let before = self.last_event_id().to_owned();
            let whole = block.ends_with(format!("\nid: {before}\n\n").as_bytes());
            let (mut event, mut is_gap) = (None, false);
            for dispatched in self.reader.dispatched(block) {
                is_gap |= dispatched.event_type == "gap";
                event = self.dispatch(&dispatched.event_type, &dispatched.data, &dispatched.id, history).or(event);
                let has_no_id = matches!(&*dispatched.event_type, "sse-open" | "welcome")
                    || dispatched.data.starts_with("first")
                    || dispatched.data.starts_with("beside");
                if has_no_id && (self.asked_unknown || before.is_empty()) {
                    // Its ID is of half a block of the last response. ARCHITECTURE.md says what becomes of it.
                    self.reader = std::mem::take(&mut self.reader).after(Some(&before));
                }
            }
            // A gap may tell the id that the client has already, if the log went back to it.
            let again = whole && (self.told_unknown || !self.told.is_empty());
            // A gap without an ID takes that of a block without data before it, and tells nothing about that position.
            let borrowed = self.habits.carries_over && is_gap && !block.windows(5).any(|line| line == b"\nid: ");
            if (self.last_event_id() != before && !borrowed) || again {
                self.moved(event, history);
            } else if let Some(at) = event {
                assert!(history.event(at).revoked, "position {} came without its id", at + 1);
            }
            bytes = rest;
        }
    }

    /// The index of the event of the history that this is, if it is one.
    fn dispatch(&mut self, event_type: &str, data: &str, id: &str, history: &History) -> Option<usize> {
        match (event_type, data) {
            // With half a block before it, their data is more than the server sent.
            ("welcome" | "sse-position" | "sse-open", _) => {}
            ("gap", r#"{"reason":"unknown"}"#) if self.asked_unknown => self.told_unknown = true,
            ("gap", r#"{"reason":"unknown"}"#) => {
                let adrift = self.adrift || !self.told.is_empty();
                // A block without data that was taken back: the server sent it, and the client kept no ID of it.
                let silent =
                    self.habits.id_needs_data && history.entries.iter().any(|entry| entry.silent && entry.revoked);
                assert!(self.tainted.is_some() || adrift || silent, "an unknown gap for a client whose id is known");
                assert_eq!(id, self.last_event_id(), "a gap with a position that another node goes on from");
                self.tainted = None;
                self.owed.clear();
                self.adrift = true;
            }
            ("gap", data) => {
                let topic =
                    data.strip_prefix(r#"{"reason":"trimmed","topic":"#).and_then(|data| data.strip_suffix('}'));
                let topic = TOPICS.iter().position(|(_, json)| Some(*json) == topic).unwrap();
                assert!(self.topics.contains(&topic), "a gap of a topic that is not followed");
                // Where something was taken back, a gap tells no position, and may be followed by another such one.
                let truncated = !history.rewrites.is_empty();
                assert!(truncated || !self.told.contains(&topic), "a gap told twice");
                self.told.push(topic);
            }
            (_, data) if data.starts_with("first") => self.first_to_come -= 1,
            (_, data) if data.starts_with("beside") => {}
            ("sse-later", _) => {}
            (_, _) => {
                let at = history.position(id) as usize - 1;
                let number: u64 = data.split([' ', '\n']).next().unwrap().parse().unwrap();
                assert_eq!(number, history.event(at).position, "an event under another's id");
                assert!(self.topics.contains(&history.event(at).topic.unwrap()));
                return Some(at);
            }
        }
        None
    }

    /// The client was told a position: everything up to it must be here, or told to be missing.
    fn moved(&mut self, event: Option<usize>, history: &History) {
        assert_eq!(self.first_to_come, 0, "a position before what goes first");
        let told = std::mem::take(&mut self.told);
        let unknown = std::mem::take(&mut self.told_unknown);
        let to = history.position(self.last_event_id());
        let truncated = !history.rewrites.is_empty();
        if let Some(from) = self.at
            && !unknown
        {
            assert!(to > from || (truncated && to == from), "the position went from {from} to {to}");
            assert!(self.tainted.is_none_or(|upto| to <= upto), "nobody said that something was taken back");
            // A gap that told no position came before what tells this one.
            let excused: &[usize] = if truncated { &told } else { &[] };
            self.owed.retain(|topic| !excused.contains(topic));
            let mut silent_lost = BTreeSet::new();
            let passed = &history.entries[from as usize..to as usize];
            for entry in passed.iter().filter(|entry| !entry.revoked) {
                if history.resets.contains(&entry.position) {
                    self.owed.extend(self.topics.iter().filter(|topic| !excused.contains(topic)));
                }
                let Some(topic) = entry.topic.filter(|topic| self.topics.contains(topic)) else { continue };
                // A client that keeps no ID of a block without data cannot know whether it came.
                if entry.silent && self.habits.id_needs_data {
                    silent_lost.extend(entry.lost.then_some(topic));
                    continue;
                }
                let unseen = entry.silent && entry.position == to && !told.contains(&topic);
                if event == Some(entry.position as usize - 1) || unseen {
                    assert!(!self.owed.contains(&topic), "position {to} came before the gap that is before it");
                } else if !excused.contains(&topic) {
                    assert!(entry.lost, "position {} is neither here nor missing", entry.position);
                    self.owed.insert(topic);
                }
            }
            for &topic in &told {
                let lost = self.owed.remove(&topic) || silent_lost.contains(&topic);
                assert!(lost || truncated, "a gap where nothing was lost");
            }
        }
        if unknown {
            assert!(event.is_none() || self.unnamed);
            self.owed.clear();
            self.tainted = None;
            self.asked_unknown = false;
        }
        self.adrift = false;
        self.at = Some(to);
        self.look_back(history);
    }

    /// All that was published has come, or a gap for it.
    pub(crate) fn is_owed_nothing(&self) -> bool {
        self.owed.iter().all(|topic| self.told.contains(topic)) && self.tainted.is_none()
    }

    /// Notes whether what it has seen was taken back.
    pub(crate) fn look_back(&mut self, history: &History) {
        if self.at.is_some() && !self.adrift && history.taken_back.contains(self.last_event_id()) {
            let position = history.position(self.last_event_id());
            let first = history.rewrites.iter().find(|rewrite| rewrite.kept < position && position <= rewrite.last);
            self.tainted = self.tainted.max(first.map(|rewrite| rewrite.last));
        }
    }
}
