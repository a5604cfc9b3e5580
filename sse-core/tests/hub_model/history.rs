//! What a hub should do, in the plainest way: a list of everything that ever was, and what is lost of it.

use std::collections::BTreeSet;

/// Names of topics, and how a gap event writes them.
pub(crate) const TOPICS: [(&str, &str); 5] =
    [("a", r#""a""#), ("", r#""""#), ("q\"\\", r#""q\"\\""#), ("l\nf", r#""l\u000af""#), ("ü", r#""ü""#)];

#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) topic_bytes: usize,
    pub(crate) topic_events: usize,
    pub(crate) hub_bytes: usize,
    /// In seconds, a multiple of 64.
    pub(crate) age: Option<u64>,
}

/// One position of the history.
pub(crate) struct Entry {
    pub(crate) position: u64,
    /// `None`: the log had something for no topic here, or was reset.
    pub(crate) topic: Option<usize>,
    /// As it is on the wire.
    pub(crate) block: String,
    at: u64,
    pub(crate) lost: bool,
    pub(crate) revoked: bool,
    /// It has no data, so that no client dispatches it.
    pub(crate) silent: bool,
}

pub(crate) struct Rewrite {
    pub(crate) kept: u64,
    pub(crate) last: u64,
}

pub(crate) struct History {
    bounds: Bounds,
    /// The entry at position `n` is the one with index `n - 1`.
    pub(crate) entries: Vec<Entry>,
    /// Indices of those that are held.
    pub(crate) held: BTreeSet<usize>,
    /// Of each topic, up to where it is lost.
    pub(crate) forgotten: Vec<u64>,
    /// Where everything was lost.
    pub(crate) resets: Vec<u64>,
    pub(crate) rewrites: Vec<Rewrite>,
    /// Ids that resume, with the positions they stand for.
    pub(crate) known: Vec<(String, u64)>,
    /// Every id that ever was; one that the log went back to more than once.
    pub(crate) ids: Vec<(String, u64)>,
    /// Those that were taken back.
    pub(crate) taken_back: BTreeSet<String>,
    /// Those of them whose clients can still be told so, with the positions they had.
    gone: Vec<(String, u64)>,
}

/// What a reader at a position is told next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Event(usize),
    Gaps(u64, Vec<usize>),
    Nothing,
}

impl History {
    /// An empty one, whose beginning has this id; one can come back to it unless the log is another's.
    pub(crate) fn new(bounds: Bounds, origin: String, follows: bool) -> Self {
        let ids = vec![(origin, 0)];
        let known = if follows { Vec::new() } else { ids.clone() };
        Self {
            bounds,
            entries: Vec::new(),
            held: BTreeSet::new(),
            forgotten: vec![0; TOPICS.len()],
            resets: Vec::new(),
            rewrites: Vec::new(),
            ids,
            known,
            taken_back: BTreeSet::new(),
            gone: Vec::new(),
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

    /// The log moved on, with nothing for any topic.
    pub(crate) fn pass(&mut self, id: String, now: u64) {
        self.push(None, id, String::new(), now);
    }

    fn push(&mut self, topic: Option<usize>, id: String, block: String, at: u64) {
        let position = self.head() + 1;
        self.known.push((id.clone(), position));
        self.ids.push((id, position));
        let silent = !block.lines().any(|line| line.starts_with("data:"));
        self.entries.push(Entry { position, topic, block, at, lost: false, revoked: false, silent });
    }

    fn lose(&mut self, index: usize) {
        self.held.remove(&index);
        let entry = &mut self.entries[index];
        entry.lost = true;
        self.forgotten[entry.topic.unwrap()] = entry.position;
    }

    pub(crate) fn expire(&mut self, now: u64) {
        let Some(age) = self.bounds.age else { return };
        let old: Vec<usize> = self.held.iter().copied().filter(|&at| self.entries[at].at + age <= now).collect();
        old.into_iter().for_each(|at| self.lose(at));
    }

    pub(crate) fn reset(&mut self, id: String, now: u64) {
        self.known.clear();
        self.gone.clear();
        self.pass(id, now);
        std::mem::take(&mut self.held).into_iter().for_each(|at| self.entries[at].lost = true);
        let head = self.head();
        self.resets.push(head);
        self.forgotten.fill(head);
    }

    pub(crate) fn truncate(&mut self, id: &str) {
        // An id that the log went back to stands also for the last position that was taken back then.
        let kept = self.known.iter().rfind(|(known, _)| known == id).unwrap().1;
        let last = self.head();
        for entry in self.entries.iter_mut().filter(|entry| entry.position > kept) {
            entry.revoked = true;
        }
        self.held.retain(|&at| at < kept as usize);
        let gone: Vec<_> = self.known.extract_if(.., |(_, position)| *position > kept).collect();
        self.taken_back.extend(gone.iter().map(|(known, _)| known.clone()));
        self.gone.extend(gone);
        self.known.push((id.to_owned(), last));
        self.ids.push((id.to_owned(), last));
        // What was forgotten beyond what remains: who knows how much of it was before.
        for forgotten in self.forgotten.iter_mut().filter(|forgotten| **forgotten > kept) {
            *forgotten = last;
        }
        self.rewrites.push(Rewrite { kept, last });
    }

    /// The position at which this id resumes.
    pub(crate) fn find(&self, id: &str) -> Option<u64> {
        self.known.iter().find(|(known, _)| known == id).map(|(_, position)| *position)
    }

    /// The position that an id had, which was taken back and does not stand for another.
    pub(crate) fn find_gone(&self, id: &str) -> Option<u64> {
        let gone = self.gone.iter().rfind(|(gone, _)| gone == id).map(|(_, position)| *position);
        gone.filter(|_| self.find(id).is_none())
    }

    pub(crate) fn id_at(&self, position: u64) -> Option<&str> {
        self.known.iter().find(|(_, known)| *known == position).map(|(id, _)| &**id)
    }

    /// The id that a position has or had, whether or not it resumes there.
    pub(crate) fn id_of(&self, position: u64) -> &str {
        &self.ids.iter().rfind(|(_, of)| *of == position).unwrap().0
    }

    /// The position that an id was given, whether or not it still resumes, there or at all.
    pub(crate) fn position(&self, id: &str) -> u64 {
        self.ids.iter().find(|(known, _)| known == id).unwrap_or_else(|| panic!("the id {id} is nobody's")).1
    }

    /// What is held of some topics.
    pub(crate) fn of<'h>(&'h self, topics: &'h [usize]) -> impl DoubleEndedIterator<Item = usize> + 'h {
        self.held.iter().copied().filter(|&at| topics.contains(&self.entries[at].topic.unwrap()))
    }

    /// The earliest position from which all of these topics are whole.
    pub(crate) fn whole(&self, topics: &[usize]) -> u64 {
        topics.iter().map(|&topic| self.forgotten[topic]).max().unwrap_or(self.head())
    }

    pub(crate) fn last(&self, topics: &[usize], events: usize) -> u64 {
        let whole = self.whole(topics);
        let of: Vec<u64> = self.of(topics).map(|at| self.entries[at].position).filter(|&at| at > whole).collect();
        match events {
            0 => self.head(),
            n => of.len().checked_sub(n).map_or(whole, |at| of[at] - 1),
        }
    }

    pub(crate) fn next(&self, topics: &[usize], position: u64) -> Next {
        let forgotten = |topic: &usize| self.forgotten[*topic];
        let gap = topics.iter().map(forgotten).filter(|&at| at > position).min();
        let whole: Vec<usize> = topics.iter().copied().filter(|topic| forgotten(topic) <= position).collect();
        let event = self.of(&whole).find(|&at| self.entries[at].position > position);
        match (gap, event) {
            (Some(gap), Some(event)) if self.entries[event].position < gap => Next::Event(event),
            (Some(gap), _) => Next::Gaps(gap, topics.iter().copied().filter(|topic| forgotten(topic) == gap).collect()),
            (None, Some(event)) => Next::Event(event),
            (None, None) => Next::Nothing,
        }
    }
}
