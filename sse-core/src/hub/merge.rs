//! Taking events from the topics of a cursor: one topic alone, or several topics merged by position.

#[cfg(feature = "gzip")]
use super::compressed::CompressedStep;
use super::cursor::{Cursor, FollowedTopic};
use super::ring::Next;
use super::stats::Counters;
use super::trim_point::TrimPoint;
use crate::event::control::Control;
use crate::stream::CloseReason;
use crate::stream::pending::Pending;
use crate::stream::source::{CHUNK_BYTES, Step};
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A chunk of at least this size is sent at once. A smaller chunk waits for a copy of the next run.
const WHOLE_BYTES: usize = CHUNK_BYTES / 2;

/// The topics with a new entry, by the position of that entry. The least position is the first.
pub(super) type Merge = BinaryHeap<Reverse<(u64, usize)>>;

/// The position before the next entry of another topic, and at most the head.
fn before_next(merge: &Merge, head: u64) -> u64 {
    merge.peek().map_or(head, |Reverse((second, _))| head.min(second - 1))
}

/// The gaps at one position.
enum Gaps {
    /// One block for each topic that has a gap there.
    Blocks(Vec<u8>),
    /// The topics were trimmed further in the meantime. Their gaps are now at a later position.
    Moved,
    /// The cursor lags, and the hub ends streams that lag.
    Lagged,
}

/// Entries of one topic of a cursor: a run of events, or a gap.
pub(super) struct Taken {
    /// The index of the topic.
    pub(super) index: usize,
    /// `None` for a gap.
    pub(super) run: Option<Bytes>,
}

impl Cursor {
    /// The next events of one topic up to the head, or the gaps at the next position.
    pub(super) fn take_one(&mut self, head: u64) -> Vec<Taken> {
        loop {
            let mut merge: Merge = (0..self.topics.len()).filter_map(|index| self.next_in(index, head)).collect();
            let Some(Reverse((position, index))) = merge.pop() else { return Vec::new() };
            let Some(followed) = self.topics.get(index) else { return Vec::new() };
            let after = self.position_in(followed);
            let mut locked = followed.topic.lock();
            match locked.ring.next_after(after).filter(|next| next.position() == position) {
                // The entry was trimmed in the meantime.
                None => {}
                Some(Next::Gap(trimmed)) => {
                    drop(locked);
                    let at_position = |index: &usize| {
                        let followed = self.topics.get(*index);
                        followed.is_some_and(|followed| {
                            let at = followed.topic.lock().ring.trimmed_to().position;
                            at == trimmed.position && at > self.position_in(followed)
                        })
                    };
                    let gaps: Vec<usize> = (0..self.topics.len()).filter(at_position).collect();
                    Counters::add(&self.hub.counters.gaps, gaps.len());
                    self.position = trimmed.position;
                    return gaps.into_iter().map(|index| Taken { index, run: None }).collect();
                }
                Some(Next::Event(_)) => {
                    let upto = before_next(&merge, head);
                    let Some(run) = locked.ring.take(after, upto, CHUNK_BYTES) else { continue };
                    drop(locked);
                    self.position = run.last;
                    return vec![Taken { index, run: Some(run.bytes) }];
                }
            }
        }
    }

    /// The events up to the head as one chunk of at most 64 KiB, or one larger event. `None` if there is no event.
    pub(super) fn take(&mut self, head: u64) -> Option<Step> {
        let Some((followed, newest)) = self.alone_with_news()? else { return self.take_merged(head) };
        let position = self.position_in(followed);
        #[cfg(feature = "gzip")]
        if !self.encoding.is_plain() && self.topics.len() == 1 && !followed.topic.is_state() {
            return match self.take_compressed(position, head) {
                Some(CompressedStep::Step(step)) => Some(step),
                Some(CompressedStep::Gap) => self.take_merged(head),
                None => None,
            };
        }
        let Some(run) = followed.topic.take(position, head, newest) else { return self.take_merged(head) };
        self.hub.counters.delivered.add(run.events);
        (self.position, self.is_announced) = (run.last, true);
        let events = self.control.filter(run.bytes);
        Some(Step::Chunk(self.encode_alone(events)))
    }

    /// The only topic with a new entry, which needs no merge unless the entry is a gap, and its newest position. `None` if
    /// no topic has a new entry, and `Some(None)` if several have.
    fn alone_with_news(&self) -> Option<Option<(&FollowedTopic, u64)>> {
        let with_news = |followed: &'_ FollowedTopic| {
            let newest = followed.topic.newest();
            (newest > self.position_in(followed)).then_some(newest)
        };
        // Most cursors follow one topic.
        if let [followed] = &*self.topics {
            return with_news(followed).map(|newest| Some((followed, newest)));
        }
        let mut topics = self.topics.iter().filter_map(|followed| Some((followed, with_news(followed)?)));
        let first = topics.next()?;
        Some(if topics.next().is_none() { Some(first) } else { None })
    }

    fn take_merged(&mut self, head: u64) -> Option<Step> {
        let mut chunk = Pending::default();
        let (mut events, mut lagged) = (0, false);
        let mut merge: Merge = (0..self.topics.len()).filter_map(|index| self.next_in(index, head)).collect();
        while chunk.len() < CHUNK_BYTES
            && let Some(Reverse((position, index))) = merge.pop()
            && let Some(followed) = self.topics.get(index)
        {
            let after = self.position_in(followed);
            let mut locked = followed.topic.lock();
            match locked.ring.next_after(after).filter(|next| next.position() == position) {
                // The entry was trimmed in the meantime.
                None => drop(locked),
                Some(Next::Gap(trimmed)) => {
                    drop(locked);
                    let mut same_position = vec![index];
                    while let Some(&Reverse((next, index))) = merge.peek()
                        && next == position
                    {
                        same_position.push(index);
                        merge.pop();
                    }
                    match self.pass_gaps(trimmed, &same_position) {
                        Gaps::Blocks(blocks) => chunk.push(self.encode_own(blocks.into())),
                        Gaps::Moved => {}
                        Gaps::Lagged => {
                            lagged = true;
                            break;
                        }
                    }
                    merge.extend(same_position.into_iter().skip(1).filter_map(|index| self.next_in(index, head)));
                }
                Some(Next::Event(_)) => {
                    let upto = before_next(&merge, head);
                    let room = CHUNK_BYTES - chunk.len();
                    let Some(run) = locked.ring.take(after, upto, room) else { continue };
                    drop(locked);
                    if run.bytes.len() > room && !chunk.is_empty() {
                        break;
                    }
                    self.position = run.last;
                    events += run.events;
                    chunk.push(self.encode_alone(run.bytes));
                    // A run of the only topic with news, or a large chunk, is sent without a copy.
                    if upto == head || chunk.len() >= WHOLE_BYTES {
                        break;
                    }
                }
            }
            merge.extend(self.next_in(index, head));
        }
        self.hub.counters.delivered.add(events);
        if let Some(chunk) = chunk.take() {
            self.is_announced = true;
            return Some(Step::Chunk(self.control.filter(chunk)));
        }
        lagged.then(|| {
            Counters::add(&self.hub.counters.lagged, 1);
            Step::End(CloseReason::Lagged)
        })
    }

    /// The position of the next entry of a topic, if the entry is not beyond the head.
    pub(super) fn next_in(&self, index: usize, head: u64) -> Option<Reverse<(u64, usize)>> {
        let followed = self.topics.get(index)?;
        let after = self.position_in(followed);
        if followed.topic.newest() <= after {
            return None;
        }
        let next = followed.topic.lock().ring.next_after(after)?.position();
        (next <= head).then_some(Reverse((next, index)))
    }

    /// Moves past the gaps of these topics at one position. Only the last block has an ID, so that a client that
    /// disconnects between the blocks receives all of them again.
    fn pass_gaps(&mut self, trimmed: TrimPoint, topics: &[usize]) -> Gaps {
        let mut gaps = Vec::new();
        let mut lagged = false;
        for followed in topics.iter().filter_map(|index| self.topics.get(*index)) {
            let locked = followed.topic.lock();
            let position = self.position_in(followed);
            if locked.ring.trimmed_to().position == trimmed.position && trimmed.position > position {
                gaps.push(followed);
                // Events trimmed before the client subscribed, or reset by the log, produce a gap. Events trimmed while
                // the client was reading count as lag.
                lagged |= position >= followed.start.max(locked.ring.reset_position());
            }
        }
        if gaps.is_empty() {
            return Gaps::Moved;
        }
        // A client without control events does not reconnect by itself, so the end of its stream would lose the later
        // events too.
        // A client that may have missed removals must receive the whole state, and does so when it reconnects.
        let ends = self.hub.limits.lag_ends || gaps.iter().any(|followed| followed.topic.is_state());
        if lagged && ends && self.control != Control::Omitted {
            return Gaps::Lagged;
        }
        if lagged {
            Counters::add(&self.hub.counters.lagged, 1);
        }
        Counters::add(&self.hub.counters.gaps, gaps.len());
        let last_id = self.hub.history.lock().ids.of_trim_point(trimmed);
        let mut blocks = Vec::new();
        for (left, followed) in (0..gaps.len()).rev().zip(&gaps) {
            let id = last_id.filter(|_| left == 0);
            followed.topic.write_gap(&mut blocks, &self.hub.limits.gap_type, id);
            crate::runtime::trace::gap("trimmed", Some(&followed.topic.name), lagged);
        }
        self.position = trimmed.position;
        Gaps::Blocks(blocks)
    }
}
