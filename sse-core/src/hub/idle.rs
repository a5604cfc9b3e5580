//! Topics without subscribers and handles, in the order in which they make room for new topics.

use super::topic::SharedTopic;
use crate::runtime::sync::Arc;
use std::collections::BTreeMap;

/// Idle topics by the position of their newest event. No two topics share a position.
#[derive(Default)]
pub(crate) struct IdleTopics {
    /// The topic with the newest event is stored apart from the map, so that repeated publishes to one idle topic cost a
    /// comparison instead of two changes of the map.
    newest: Option<(u64, Arc<SharedTopic>)>,
    others: BTreeMap<u64, Arc<SharedTopic>>,
}

impl IdleTopics {
    pub(crate) fn len(&self) -> usize {
        self.others.len() + usize::from(self.newest.is_some())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_none() && self.others.is_empty()
    }

    fn is_newest(&self, topic: &Arc<SharedTopic>) -> bool {
        self.newest.as_ref().is_some_and(|(_, newest)| Arc::ptr_eq(newest, topic))
    }

    pub(crate) fn contains(&self, topic: &Arc<SharedTopic>, newest: u64) -> bool {
        self.is_newest(topic) || self.others.get(&newest).is_some_and(|found| Arc::ptr_eq(found, topic))
    }

    pub(crate) fn insert(&mut self, topic: &Arc<SharedTopic>, newest: u64) {
        // Without the newest topic, because it got a subscriber, the others may still be newer than this one.
        let last = match &self.newest {
            Some((known, _)) => Some(known),
            None => self.others.last_key_value().map(|(known, _)| known),
        };
        let is_older = last.is_some_and(|known| *known > newest);
        match &mut self.newest {
            Some((known, same)) if Arc::ptr_eq(same, topic) => *known = newest,
            _ if is_older => drop(self.others.insert(newest, topic.clone())),
            known => {
                if let Some((before, other)) = known.replace((newest, topic.clone())) {
                    self.others.insert(before, other);
                }
            }
        }
    }

    /// Moves a topic to the end after a publish. `before` is the position of its newest event until then.
    pub(crate) fn published(&mut self, topic: &Arc<SharedTopic>, before: Option<u64>, newest: u64) {
        if let Some(before) = before.filter(|_| !self.is_newest(topic)) {
            self.others.remove(&before);
        }
        self.insert(topic, newest);
    }

    pub(crate) fn remove(&mut self, topic: &Arc<SharedTopic>, newest: u64) {
        if self.is_newest(topic) {
            self.newest = None;
        } else if self.contains(topic, newest) {
            self.others.remove(&newest);
        }
    }

    /// Removes the topic whose newest event is the oldest.
    pub(crate) fn pop(&mut self) -> Option<Arc<SharedTopic>> {
        let oldest = self.others.pop_first();
        oldest.or_else(|| self.newest.take()).map(|(_, topic)| topic)
    }
}
