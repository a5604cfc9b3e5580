//! Opening a subscription: its topics, its place in the registry, and its position in the history.

use super::deferred::Deferred;
use super::history::MAX_TOPIC_BYTES;
use super::opening::Opening;
use super::registry::owner;
use super::resume::{Entered, Resumption};
use super::stats::Counters;
use super::topic_names::IntoTopics;
use super::topic_source::TopicSource;
use super::{Hub, Subscription};
#[cfg(feature = "gzip")]
use crate::request::head::{GZIP, VARIES};
use crate::response::assembly::{finished, invalid, retry_later};
use crate::response::options::Sse;
use crate::runtime::runtime::Runtime;
use crate::stream::owner::DrainEnd;
use std::collections::HashSet;

/// The reason why a subscription opens no stream, from [`Subscription::error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The name of a topic has this many bytes, more than [`MAX_TOPIC_BYTES`]. Answered 400.
    #[error("a topic name has {0} bytes, and the limit is {MAX_TOPIC_BYTES}")]
    TopicName(usize),
    /// The subscription names more different topics than this limit, which
    /// [`HubBuilder::max_topics_per_stream`](super::HubBuilder::max_topics_per_stream) changes. Answered 400.
    #[error("a stream follows at most {0} topics; `HubBuilder::max_topics_per_stream` changes the limit")]
    TooManyTopics(usize),
    /// The stream was [attached](crate::Sse::attach) to another hub than the one it subscribes to. Answered 500.
    #[error("the stream is attached to another hub than it subscribes to; a subscription needs no `Sse::attach`")]
    OtherHub,
}

impl SubscribeError {
    /// The status of the answer. The client chose the topic names, and the handler chose the hub.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::OtherHub => 500,
            Self::TopicName(_) | Self::TooManyTopics(_) => 400,
        }
    }
}

/// The topic names of a subscription, without duplicates.
pub(super) fn unique(topics: impl IntoIterator<Item: AsRef<str>>, limit: usize) -> Result<Vec<String>, SubscribeError> {
    let (mut names, mut known) = (Vec::new(), HashSet::new());
    for topic in topics {
        let name = topic.as_ref();
        if name.len() > MAX_TOPIC_BYTES {
            return Err(SubscribeError::TopicName(name.len()));
        }
        if known.contains(name) {
            continue;
        }
        if names.len() == limit {
            return Err(SubscribeError::TooManyTopics(limit));
        }
        known.insert(name.to_owned());
        names.push(name.to_owned());
    }
    Ok(names)
}

/// Opens a stream that follows topics, for [`Sse::subscribe`](crate::Sse::subscribe).
pub(crate) fn open_subscription<R: Runtime, K>(
    mut sse: Sse<R>,
    hub: &Hub,
    topics: impl IntoTopics<K>,
) -> Subscription<R> {
    let inner = &hub.inner;
    let (last_event_id, prelude) = (sse.last_event_id().clone(), sse.take_prelude());
    let (is_get, control, headers) = (sse.is_get(), sse.control(), sse.headers());
    #[cfg(feature = "gzip")]
    let accepts_gzip = is_get && sse.accepts_gzip();
    let names = match unique(topics.into_topics(), inner.limits.max_topics_per_stream) {
        _ if sse.is_attached_elsewhere(hub) => Err(SubscribeError::OtherHub),
        names => names,
    };
    let rules = inner.rules.clone().with_max_event_bytes(sse.own_max_event_bytes());
    // A stream with an error is never open, so the hub must not count it.
    let owner = names.is_ok().then(|| owner(inner));
    let is_rejected = sse.rejection().is_some();
    let mut opened = sse.open(owner, DrainEnd::Spread, rules, TopicSource::default());
    let retry = inner.runtime.random().duration(inner.limits.retry());
    let (names, error) = match names {
        Ok(names) => (names, None),
        Err(error) => {
            if !is_rejected {
                let body = opened.response.into_body();
                opened.response = invalid(error.status(), &error, headers.clone(), body);
            }
            (Vec::new(), Some(error))
        }
    };
    let mut subscription = Subscription {
        hub: hub.clone(),
        opened,
        opening: Opening { retry, resumption: Resumption::Fresh, is_unknown: false, start: None },
        prelude,
        error,
        is_new: true,
        not_before: 0,
    };
    let opened = &mut subscription.opened;
    if opened.response.id().is_none() {
        // Rejected: no stream, and no subscriber of a topic.
        return subscription;
    }
    #[cfg(feature = "gzip")]
    let is_compressed = inner.limits.gzip.choose_all(&names);
    // The client's position, and whether events are missing, are found under one lock.
    let now = inner.now_if_aging();
    let mut deferred = Deferred::default();
    let entered = {
        let mut history = inner.history.lock();
        history.expire(inner, now, &mut deferred);
        history.enter(inner, &names, (&last_event_id, control), now, &mut deferred)
    };
    deferred.run(inner);
    #[cfg_attr(not(feature = "gzip"), expect(unused_mut, reason = "only a compressed stream changes it"))]
    let Entered { mut cursor, resumption, is_unknown, start, .. } = match entered {
        Ok(Entered { is_over: true, resumption, .. }) => {
            // The cursor is dropped here, and leaves the topics.
            subscription.opened.response = finished(headers, subscription.opened.response.into_body());
            subscription.opening.resumption = resumption;
            return subscription;
        }
        Ok(entered) => entered,
        Err(reason) => {
            let brought = opened.brought.take();
            let body = subscription.opened.response.into_body();
            subscription.opened.response =
                retry_later(&**inner, reason.as_str(), is_get, brought.as_deref(), headers, body);
            return subscription;
        }
    };
    match resumption {
        Resumption::Resumed => Counters::add(&inner.counters.resumed, 1),
        _ if is_unknown => Counters::add(&inner.counters.gaps, 1),
        _ => {}
    }
    opened.trace_opened(Some(resumption.as_str()));
    if is_unknown {
        let _entered = opened.response.body().span().enter();
        crate::runtime::trace::gap("unknown", None, false);
    }
    #[cfg(feature = "gzip")]
    if is_compressed {
        opened.response.add_header(VARIES);
        if accepts_gzip {
            opened.response.add_header(GZIP);
            cursor.compress();
        }
    }
    opened.response.body_mut().source_mut().cursor = Some(cursor);
    subscription.opening = Opening { retry, resumption, is_unknown, start };
    subscription.is_new = is_unknown || resumption == Resumption::Fresh;
    subscription.prepare();
    subscription
}
