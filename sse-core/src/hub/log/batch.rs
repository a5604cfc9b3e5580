//! Many entries of the log at once, and clients that wait for entries.

use super::change::{EncodedChange, LogChange};
use super::feed::check_order;
use super::{LogFeed, LogFeedError};
use crate::event::frame::IntoFrame;
use crate::hub::deferred::Deferred;
use crate::hub::id::EventId;
use crate::hub::stats::Counters;

impl LogFeed {
    /// Appends the next entries of the log under one lock, so that a subscriber wakes once for all of them. An entry is an
    /// ID with a topic and an event, with `None` as for [`advance`](Self::advance), or with a [`LogChange`].
    ///
    /// The hub skips an entry that cannot be sent, and one of a topic that has ended. The returned list has the IDs of these entries and the errors of
    /// [`append`](Self::append).
    ///
    /// # Errors
    /// [`LogFeedError::OutOfOrder`] for the first ID that is not after the ID before it. The hub has the entries before this
    /// one, and no other.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, hub::{EventId, log}};
    /// let (hub, mut feed) = log::follow(Hub::builder());
    /// let id = |ms| EventId::new((ms, 0), 7);
    /// let invalid = Event::data("rain").event("a\nb");
    /// let entries = [(id(1), Some(("news", Event::data("sun")))), (id(2), None), (id(3), Some(("news", invalid)))];
    /// let skipped = feed.append_all(entries)?;
    /// assert_eq!((hub.stats().published, skipped.len(), feed.newest()), (1, 1, Some(id(3))));
    /// assert_eq!(feed.append_all([(id(3), Some(("news", Event::data("snow"))))]), Err(log::LogFeedError::OutOfOrder(id(3), id(3))));
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn append_all<'a, E: IntoFrame, C: Into<LogChange<'a, E>>>(
        &mut self,
        entries: impl IntoIterator<Item = (EventId, C)>,
    ) -> Result<Vec<(EventId, LogFeedError)>, LogFeedError> {
        let inner = &*self.hub.inner;
        let mut skipped = Vec::new();
        let mut encode = |(id, change): (EventId, C)| {
            let encoded = EncodedChange::new(inner, change.into()).unwrap_or_else(|error| {
                skipped.push((id, error));
                EncodedChange::Nothing
            });
            (id, encoded)
        };
        // Outside of the lock, because an event may run code of the application.
        let entries: Vec<_> = entries.into_iter().map(&mut encode).collect();
        let now = inner.now_if_aging();
        let mut deferred = Deferred::default();
        let mut published = 0;
        let appended = {
            let mut history = inner.history.lock();
            history.expire(inner, now, &mut deferred);
            entries.into_iter().try_for_each(|(id, change)| {
                check_order(&history.ids, id)?;
                match history.apply(inner, now, (id, change), &mut deferred) {
                    Ok(is_event) => published += usize::from(is_event),
                    Err(error) => {
                        history.advance(inner, id);
                        skipped.push((id, error));
                    }
                }
                Ok(())
            })
        };
        Counters::add(&inner.counters.published, published);
        deferred.run(inner);
        appended.map(|()| skipped)
    }

    /// Sets whether the log can be read: `true` by default. While it cannot, a client with an unknown ID receives a gap at once,
    /// and its stream stays open. Otherwise the client would be asked to retry later for as long as the outage lasts.
    ///
    /// If the ID is from a node that has read further, the client receives the events up to this ID again after the gap. So
    /// call this only some seconds after the log became unreadable.
    ///
    /// ```
    /// # use sse_core::{Hub, LastEventId, hub::{EventId, log}, testing::Clock};
    /// # let clock = Clock::new();
    /// let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
    /// feed.append(EventId::new((1, 0), 7), "news", "rain")?;
    /// feed.caught_up();
    /// let client = || clock.sse_after(LastEventId::Text("2-00000007".into())).subscribe(&hub, ["news"]);
    /// feed.set_readable(false);
    /// assert!(client().resumption().is_gap());
    /// feed.set_readable(true);
    /// client().into_response();
    /// assert_eq!(hub.stats().retry_later, 1);
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn set_readable(&mut self, readable: bool) {
        self.hub.inner.history.lock().is_readable = readable;
    }

    /// Whether a client waits for the next call of [`caught_up`](Self::caught_up), because it brought an ID from a node that
    /// has read further. A feed that marks rounds rarely should then mark two rounds soon.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (_hub, mut feed) = log::follow(Hub::builder());
    /// feed.caught_up();
    /// assert!(!feed.is_round_awaited());
    /// assert!(feed.handle().may_still_arrive(EventId::new((2, 0), 7)));
    /// assert!(feed.is_round_awaited());
    /// feed.caught_up();
    /// feed.caught_up();
    /// assert!(!feed.is_round_awaited());
    /// ```
    #[must_use]
    pub fn is_round_awaited(&self) -> bool {
        self.hub.inner.history.lock().unknown_ids.as_ref().is_some_and(|ids| ids.is_round_awaited())
    }
}
