//! The model of a hub: a list of all entries, and which of them are missing.

use std::collections::BTreeSet;

/// The names of topics, and each name as a JSON string in a gap event.
pub(crate) const TOPICS: [(&str, &str); 5] =
    [("a", r#""a""#), ("", r#""""#), ("q\"\\", r#""q\"\\""#), ("l\nf", r#""l\u000af""#), ("ü", r#""ü""#)];

#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) topic_bytes: usize,
    pub(crate) topic_events: usize,
    pub(crate) hub_bytes: usize,
    pub(crate) max_topics: usize,
    /// In seconds, a multiple of 64. The hub measures ages in steps of a 64th.
    pub(crate) age: Option<u64>,
}

/// One position of the history.
pub(crate) struct Entry {
    pub(crate) position: u64,
    /// `None` for a reset, and for an entry of the log without a topic.
    pub(crate) topic: Option<usize>,
    /// The sent bytes.
    pub(crate) block: String,
    at: u64,
    pub(crate) lost: bool,
    pub(crate) truncated: bool,
    /// The event has no data, so no client dispatches it.
    pub(crate) silent: bool,
}

pub(crate) struct Truncation {
    pub(crate) kept: u64,
    pub(crate) last: u64,
}

pub(crate) struct History {
    bounds: Bounds,
    /// The entry at position `n` is the one with index `n - 1`.
    pub(crate) entries: Vec<Entry>,
    /// The indices of the stored events.
    pub(crate) held: BTreeSet<usize>,
    /// The trim point of each topic.
    pub(crate) trimmed: Vec<u64>,
    /// The position of the end of each topic.
    pub(crate) ends: Vec<Option<u64>>,
    /// The positions of removals, and the removed topics.
    pub(crate) removals: Vec<(u64, usize)>,
    /// The positions of resets.
    pub(crate) resets: Vec<u64>,
    pub(crate) truncations: Vec<Truncation>,
    /// IDs at which a client can resume, with their positions.
    pub(crate) known: Vec<(String, u64)>,
    /// Every ID so far. An ID to which the log was truncated occurs more than once.
    pub(crate) ids: Vec<(String, u64)>,
    /// The truncated IDs.
    pub(crate) truncated_ids: BTreeSet<String>,
    /// The truncated IDs that the hub still knows, with the positions they had.
    truncated_positions: Vec<(String, u64)>,
    pub(crate) dropped_topics: u64,
}

/// The next entry for a subscriber.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Event(usize),
    Gaps(u64, Vec<usize>),
    Nothing,
}

impl History {
    /// An empty history. A client can resume at `origin`, unless the hub follows a log.
    pub(crate) fn new(bounds: Bounds, origin: String, follows: bool) -> Self {
        let ids = vec![(origin, 0)];
        let known = if follows { Vec::new() } else { ids.clone() };
        Self {
            bounds,
            entries: Vec::new(),
            held: BTreeSet::new(),
            trimmed: vec![0; TOPICS.len()],
            ends: vec![None; TOPICS.len()],
            removals: Vec::new(),
            resets: Vec::new(),
            truncations: Vec::new(),
            ids,
            known,
            truncated_ids: BTreeSet::new(),
            truncated_positions: Vec::new(),
            dropped_topics: 0,
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn event(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held.iter().map(|&at| self.entries[at].block.len()).sum()
    }

    pub(crate) fn append(&mut self, topic: usize, id: String, fields: &str, now: u64) {
        let block = format!("{fields}id: {id}\n\n");
        self.push(Some(topic), id, block, now);
        self.held.insert(self.entries.len() - 1);
        loop {
            let of_topic: Vec<usize> = self.of(&[topic]).collect();
            let bytes: usize = of_topic.iter().map(|&at| self.entries[at].block.len()).sum();
            if of_topic.len() < 2 || (of_topic.len() <= self.bounds.topic_events && bytes <= self.bounds.topic_bytes) {
                break;
            }
            self.lose(of_topic[0]);
        }
        while self.held.len() > 1 && self.held_bytes() > self.bounds.hub_bytes {
            self.lose(*self.held.first().unwrap());
        }
    }

    /// The topics that hold events.
    fn with_events(&self) -> BTreeSet<usize> {
        self.held.iter().filter_map(|&at| self.entries[at].topic).collect()
    }

    /// The topics that exist, with these subscribed ones.
    pub(crate) fn topics(&self, subscribed: &BTreeSet<usize>) -> BTreeSet<usize> {
        &self.with_events() | subscribed
    }

    /// Makes room for a new topic. At the bound the topic without subscribers whose newest event is the oldest is dropped.
    /// Returns whether there is room.
    pub(crate) fn make_room(&mut self, topic: usize, subscribed: &BTreeSet<usize>) -> bool {
        let topics = self.topics(subscribed);
        if topics.contains(&topic) || topics.len() < self.bounds.max_topics {
            return true;
        }
        let idle = &self.with_events() - subscribed;
        let Some(oldest) = idle.into_iter().min_by_key(|&topic| self.of(&[topic]).next_back()) else { return false };
        let events: Vec<usize> = self.of(&[oldest]).collect();
        events.into_iter().for_each(|at| self.lose(at));
        self.dropped_topics += 1;
        true
    }

    /// Whether a publish of these topics has room.
    pub(crate) fn has_room_to_publish(&self, topics: &[usize], subscribed: &BTreeSet<usize>) -> bool {
        let known = self.topics(subscribed);
        let has_idle = !(&self.with_events() - subscribed).is_empty();
        known.len() < self.bounds.max_topics || has_idle || topics.iter().all(|topic| known.contains(topic))
    }

    /// Adds a subscriber of these topics, with the ones that have subscribers already. Returns whether there is room.
    pub(crate) fn subscribe(&mut self, topics: &[usize], subscribed: &BTreeSet<usize>) -> bool {
        let known = self.topics(subscribed);
        let idle = &self.with_events() - subscribed;
        let replaceable = idle.iter().filter(|topic| !topics.contains(topic)).count();
        let new: Vec<usize> = topics.iter().copied().filter(|topic| !known.contains(topic)).collect();
        if !new.is_empty() && known.len() + new.len() > self.bounds.max_topics.saturating_add(replaceable) {
            return false;
        }
        let mut subscribed: BTreeSet<usize> =
            subscribed.iter().chain(topics.iter().filter(|topic| known.contains(topic))).copied().collect();
        for topic in new {
            assert!(self.make_room(topic, &subscribed));
            subscribed.insert(topic);
        }
        true
    }

    /// Appends an event of a topic for which a follower has no room.
    pub(crate) fn append_trimmed(&mut self, topic: usize, id: String, fields: &str, now: u64) {
        let block = format!("{fields}id: {id}\n\n");
        self.push(Some(topic), id, block, now);
        self.lose(self.entries.len() - 1);
    }

    /// An entry of the log without a topic.
    pub(crate) fn advance(&mut self, id: String, now: u64) {
        self.push(None, id, String::new(), now);
    }

    /// Makes the newest event the last one of its topic.
    pub(crate) fn end(&mut self, topic: usize) {
        self.ends[topic] = Some(self.head());
    }

    /// Whether these topics have all ended at this position or before.
    pub(crate) fn are_over(&self, topics: &[usize], position: u64) -> bool {
        topics.iter().all(|&topic| self.ends[topic].is_some_and(|end| end <= position))
    }

    /// Removes a topic. The removal has a position.
    pub(crate) fn remove(&mut self, topic: usize, id: String, now: u64) {
        self.advance(id, now);
        let events: Vec<usize> = self.of(&[topic]).collect();
        events.into_iter().for_each(|at| self.lose(at));
        (self.trimmed[topic], self.ends[topic]) = (self.head(), None);
        self.removals.push((self.head(), topic));
    }

    fn push(&mut self, topic: Option<usize>, id: String, block: String, at: u64) {
        let position = self.head() + 1;
        self.known.push((id.clone(), position));
        self.ids.push((id, position));
        let silent = !block.lines().any(|line| line.starts_with("data:"));
        self.entries.push(Entry { position, topic, block, at, lost: false, truncated: false, silent });
    }

    fn lose(&mut self, index: usize) {
        self.held.remove(&index);
        let entry = &mut self.entries[index];
        entry.lost = true;
        self.trimmed[entry.topic.unwrap()] = entry.position;
    }

    pub(crate) fn expire(&mut self, now: u64) {
        let Some(age) = self.bounds.age else { return };
        let old: Vec<usize> = self.held.iter().copied().filter(|&at| self.entries[at].at + age <= now).collect();
        old.into_iter().for_each(|at| self.lose(at));
    }

    pub(crate) fn reset(&mut self, id: String, now: u64) {
        self.known.clear();
        self.truncated_positions.clear();
        self.advance(id, now);
        std::mem::take(&mut self.held).into_iter().for_each(|at| self.entries[at].lost = true);
        let head = self.head();
        self.resets.push(head);
        self.trimmed.fill(head);
        self.ends.fill(None);
    }

    pub(crate) fn truncate(&mut self, id: &str) {
        // After an earlier truncation to this ID, the ID also has the last position of the truncated part.
        let kept = self.known.iter().rfind(|(known, _)| known == id).unwrap().1;
        let last = self.head();
        for entry in self.entries.iter_mut().filter(|entry| entry.position > kept) {
            entry.truncated = true;
        }
        self.held.retain(|&at| at < kept as usize);
        let truncated_positions: Vec<_> = self.known.extract_if(.., |(_, position)| *position > kept).collect();
        self.truncated_ids.extend(truncated_positions.iter().map(|(known, _)| known.clone()));
        self.truncated_positions.extend(truncated_positions);
        self.known.push((id.to_owned(), last));
        self.ids.push((id.to_owned(), last));
        // The trim point before the truncated part is no longer known.
        for trimmed in self.trimmed.iter_mut().filter(|trimmed| **trimmed > kept) {
            *trimmed = last;
        }
        for end in &mut self.ends {
            *end = end.filter(|end| *end <= kept);
        }
        self.truncations.push(Truncation { kept, last });
    }

    /// The position at which a client with this ID resumes.
    pub(crate) fn find(&self, id: &str) -> Option<u64> {
        self.known.iter().find(|(known, _)| known == id).map(|(_, position)| *position)
    }

    /// The position that a truncated ID had, unless the ID has a new position.
    pub(crate) fn find_truncated(&self, id: &str) -> Option<u64> {
        let truncated_positions = self
            .truncated_positions
            .iter()
            .rfind(|(truncated_positions, _)| truncated_positions == id)
            .map(|(_, position)| *position);
        truncated_positions.filter(|_| self.find(id).is_none())
    }

    pub(crate) fn id_at(&self, position: u64) -> Option<&str> {
        self.known.iter().find(|(_, known)| *known == position).map(|(id, _)| &**id)
    }

    /// The ID that a position has or had.
    pub(crate) fn id_of(&self, position: u64) -> &str {
        &self.ids.iter().rfind(|(_, of)| *of == position).unwrap().0
    }

    /// The first position that an ID had.
    pub(crate) fn position(&self, id: &str) -> u64 {
        self.ids.iter().find(|(known, _)| known == id).unwrap_or_else(|| panic!("the ID {id} was never given")).1
    }

    /// The stored events of some topics.
    pub(crate) fn of<'h>(&'h self, topics: &'h [usize]) -> impl DoubleEndedIterator<Item = usize> + 'h {
        self.held.iter().copied().filter(|&at| topics.contains(&self.entries[at].topic.unwrap()))
    }

    /// The earliest position after which all of these topics are complete.
    pub(crate) fn complete(&self, topics: &[usize]) -> u64 {
        topics.iter().map(|&topic| self.trimmed[topic]).max().unwrap_or(self.head())
    }

    pub(crate) fn last(&self, topics: &[usize], events: usize) -> u64 {
        let complete = self.complete(topics);
        let of: Vec<u64> = self.of(topics).map(|at| self.entries[at].position).filter(|&at| at > complete).collect();
        match events {
            0 => self.head(),
            n => of.len().checked_sub(n).map_or(complete, |at| of[at] - 1),
        }
    }

    pub(crate) fn next(&self, topics: &[usize], position: u64) -> Next {
        let trimmed = |topic: &usize| self.trimmed[*topic];
        let gap = topics.iter().map(trimmed).filter(|&at| at > position).min();
        let complete: Vec<usize> = topics.iter().copied().filter(|topic| trimmed(topic) <= position).collect();
        let event = self.of(&complete).find(|&at| self.entries[at].position > position);
        match (gap, event) {
            (Some(gap), Some(event)) if self.entries[event].position < gap => Next::Event(event),
            (Some(gap), _) => Next::Gaps(gap, topics.iter().copied().filter(|topic| trimmed(topic) == gap).collect()),
            (None, Some(event)) => Next::Event(event),
            (None, None) => Next::Nothing,
        }
    }
}
