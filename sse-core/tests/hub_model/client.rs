//! A client that behaves like a browser: it keeps the last event ID and the dispatched events over all its connections.

use crate::history::{History, TOPICS};
use sse_test_support::reader::{Habits, Reader};
use std::collections::BTreeSet;

pub(crate) struct Client {
    /// Indices into `TOPICS`, without duplicates.
    pub(crate) topics: Vec<usize>,
    reader: Reader,
    habits: Habits,
    /// All events of the topics up to this position were dispatched, or a gap was. `None` without a known position.
    pub(crate) at: Option<u64>,
    /// The topics with missing events whose gap is still due. Events of other topics may come before the gap.
    gaps_due: BTreeSet<usize>,
    /// The topics of the gap events on this connection since the position last moved.
    gaps: Vec<usize>,
    unknown_gap: bool,
    /// The client dispatched a truncated event, and the gap for it is still due. The end of the truncated part.
    truncated_to: Option<u64>,
    /// The client received a gap without a position, so the gap may come once more.
    without_position: bool,
    /// The number of prelude events that are still due on this connection.
    pub(crate) prelude_to_come: usize,
    /// Whether the client brought an unknown ID.
    pub(crate) brought_unknown_id: bool,
    /// The client started before the first event of a log, where a gap has no ID.
    pub(crate) unnamed: bool,
}

impl Client {
    pub(crate) fn new(topics: Vec<usize>, habits: Habits) -> Self {
        Self {
            topics,
            reader: Reader::with(habits),
            habits,
            at: None,
            gaps_due: BTreeSet::new(),
            gaps: Vec::new(),
            unknown_gap: false,
            truncated_to: None,
            without_position: false,
            prelude_to_come: 0,
            brought_unknown_id: false,
            unnamed: false,
        }
    }

    pub(crate) fn last_event_id(&self) -> &str {
        self.reader.last_event_id().unwrap_or_default()
    }

    /// Opens a connection with this ID. With another ID than its own it continues as another client.
    pub(crate) fn connect(&mut self, id: &str, history: &History) {
        let own = id == self.last_event_id() && self.at.is_some();
        if id != self.last_event_id() {
            self.reader = Reader::with(self.habits).after(Some(id));
        }
        self.gaps.clear();
        self.unknown_gap = false;
        self.without_position = false;
        let found = history.find(id).or_else(|| history.find_truncated(id));
        self.brought_unknown_id = false;
        if found.is_none() || !own {
            self.at = found;
            self.gaps_due.clear();
            self.truncated_to = None;
        }
        self.note_truncation(history);
    }

    /// The response ended, or the connection broke.
    pub(crate) fn leave(&mut self, ended: bool) {
        if ended { self.reader.end() } else { self.reader.reconnect() }
    }

    /// Reads bytes, which may end anywhere.
    pub(crate) fn read(&mut self, mut bytes: &[u8], history: &History) {
        while !bytes.is_empty() {
            let end = bytes.windows(2).position(|pair| pair == b"\n\n").map_or(bytes.len(), |at| at + 2);
            let (block, rest) = bytes.split_at(end);
            let before = self.last_event_id().to_owned();
            let whole = block.ends_with(format!("\nid: {before}\n\n").as_bytes());
            let (mut event, mut is_gap, mut finished) = (None, false, false);
            for dispatched in self.reader.dispatched(block) {
                is_gap |= dispatched.event_type == "gap";
                finished |= dispatched.event_type == "sse-end";
                event = self.dispatch(&dispatched.event_type, &dispatched.data, &dispatched.id, history).or(event);
                let has_no_id = matches!(&*dispatched.event_type, "sse-open" | "sse-later" | "welcome")
                    || dispatched.data.starts_with("prelude")
                    || dispatched.data.starts_with("beside");
                if has_no_id && (self.brought_unknown_id || before.is_empty()) {
                    // The ID is of half a block of the previous response. ARCHITECTURE.md describes this case.
                    self.reader = std::mem::take(&mut self.reader).after(Some(&before));
                }
            }
            if finished {
                assert_eq!(self.last_event_id(), "end");
                // The stream may have finished before the log lost events that the client reads only now.
                assert!(self.has_every_gap(), "the end before a gap");
                // The browser is answered 204 from now on. Another client of these topics follows.
                self.reader = Reader::with(self.habits);
                (self.at, self.truncated_to) = (None, None);
                (self.gaps, self.gaps_due) = Default::default();
                bytes = rest;
                continue;
            }
            // After a truncation a gap may have the ID that the client has already.
            let again = whole && (self.unknown_gap || !self.gaps.is_empty());
            // A gap without an ID is dispatched with the ID of an earlier block without data. That ID is not the gap's position.
            let borrowed = self.habits.carries_over && is_gap && !block.windows(5).any(|line| line == b"\nid: ");
            if (self.last_event_id() != before && !borrowed) || again {
                self.moved(event, history);
            } else if let Some(at) = event {
                assert!(history.event(at).truncated, "position {} came without an ID", at + 1);
            }
            bytes = rest;
        }
    }

    /// The index of this event in the history, if it is one of the hub's events.
    fn dispatch(&mut self, event_type: &str, data: &str, id: &str, history: &History) -> Option<usize> {
        match (event_type, data) {
            // After half a block of a previous response, their data is longer than the server sent.
            ("welcome" | "sse-position" | "sse-open" | "sse-end", _) => {}
            ("gap", r#"{"reason":"unknown"}"#) if self.brought_unknown_id => self.unknown_gap = true,
            ("gap", r#"{"reason":"unknown"}"#) => {
                let without_position = self.without_position || !self.gaps.is_empty();
                // The client keeps no ID of a truncated block without data.
                let silent =
                    self.habits.id_needs_data && history.entries.iter().any(|entry| entry.silent && entry.truncated);
                assert!(
                    self.truncated_to.is_some() || without_position || silent,
                    "an unknown gap for a client with a known ID"
                );
                assert_eq!(id, self.last_event_id(), "a gap with a position at which another node would resume");
                self.truncated_to = None;
                self.gaps_due.clear();
                self.without_position = true;
            }
            ("gap", data) => {
                let topic =
                    data.strip_prefix(r#"{"reason":"trimmed","topic":"#).and_then(|data| data.strip_suffix('}'));
                let topic = TOPICS.iter().position(|(_, json)| Some(*json) == topic).unwrap();
                assert!(self.topics.contains(&topic), "a gap of a topic that the client does not follow");
                // After a truncation a gap has no position, so another gap of the same topic may follow.
                let truncated = !history.truncations.is_empty();
                assert!(truncated || !self.gaps.contains(&topic), "a second gap of the same topic");
                self.gaps.push(topic);
            }
            (_, data) if data.starts_with("prelude") => self.prelude_to_come -= 1,
            (_, data) if data.starts_with("beside") => {}
            ("sse-later", _) => {}
            (_, _) => {
                let at = history.position(id) as usize - 1;
                let number: u64 = data.split([' ', '\n']).next().unwrap().parse().unwrap();
                assert_eq!(number, history.event(at).position, "an event with the ID of another event");
                assert!(self.topics.contains(&history.event(at).topic.unwrap()));
                return Some(at);
            }
        }
        None
    }

    /// The client received a position. Every event up to it must have been dispatched, or a gap for it.
    fn moved(&mut self, event: Option<usize>, history: &History) {
        assert_eq!(self.prelude_to_come, 0, "a position before the prelude");
        let gaps = std::mem::take(&mut self.gaps);
        let unknown = std::mem::take(&mut self.unknown_gap);
        let to = history.position(self.last_event_id());
        let truncated = !history.truncations.is_empty();
        if let Some(from) = self.at
            && !unknown
        {
            assert!(to > from || (truncated && to == from), "the position went from {from} to {to}");
            assert!(self.truncated_to.is_none_or(|upto| to <= upto), "a truncation without a gap");
            // A gap without a position came before this position.
            let excused: &[usize] = if truncated { &gaps } else { &[] };
            self.gaps_due.retain(|topic| !excused.contains(topic));
            let mut silent_lost = BTreeSet::new();
            let passed = &history.entries[from as usize..to as usize];
            for entry in passed.iter().filter(|entry| !entry.truncated) {
                if history.resets.contains(&entry.position) {
                    self.gaps_due.extend(self.topics.iter().filter(|topic| !excused.contains(topic)));
                }
                if let Some((_, topic)) = history.removals.iter().find(|(position, _)| *position == entry.position)
                    && self.topics.contains(topic)
                    && !excused.contains(topic)
                {
                    self.gaps_due.insert(*topic);
                }
                let Some(topic) = entry.topic.filter(|topic| self.topics.contains(topic)) else { continue };
                // A client that keeps no ID of a block without data does not notice whether the block came.
                if entry.silent && self.habits.id_needs_data {
                    silent_lost.extend(entry.lost.then_some(topic));
                    continue;
                }
                let unseen = entry.silent && entry.position == to && !gaps.contains(&topic);
                if event == Some(entry.position as usize - 1) || unseen {
                    assert!(!self.gaps_due.contains(&topic), "position {to} came before an earlier gap");
                } else if !excused.contains(&topic) {
                    assert!(entry.lost, "position {} is neither dispatched nor missing", entry.position);
                    self.gaps_due.insert(topic);
                }
            }
            for &topic in &gaps {
                let lost = self.gaps_due.remove(&topic) || silent_lost.contains(&topic);
                assert!(lost || truncated, "a gap without a missing event");
            }
        }
        if unknown {
            assert!(event.is_none() || self.unnamed);
            self.gaps_due.clear();
            self.truncated_to = None;
            self.brought_unknown_id = false;
        }
        self.without_position = false;
        self.at = Some(to);
        self.note_truncation(history);
    }

    /// Every published event was dispatched, or a gap for it.
    pub(crate) fn misses_nothing(&self) -> bool {
        self.has_every_gap() && self.truncated_to.is_none()
    }

    fn has_every_gap(&self) -> bool {
        self.gaps_due.iter().all(|topic| self.gaps.contains(topic))
    }

    /// Notes whether the last event ID was truncated.
    pub(crate) fn note_truncation(&mut self, history: &History) {
        if self.at.is_some() && !self.without_position && history.truncated_ids.contains(self.last_event_id()) {
            let position = history.position(self.last_event_id());
            let first =
                history.truncations.iter().find(|truncation| truncation.kept < position && position <= truncation.last);
            self.truncated_to = self.truncated_to.max(first.map(|truncation| truncation.last));
        }
    }
}
