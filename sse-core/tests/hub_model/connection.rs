//! Connections of a client: each opens, is read and breaks as the model predicts.

use crate::history::TOPICS;
use crate::ops::{Connect, Id, MALFORMED};
use crate::world::{World, parse};
use sse_core::hub::EventId;
use sse_core::testing::{Clock, Reader};
use sse_core::{CloseReason, Event, EventStream, LastEventId, Replay, Resumption, Sender};
use std::collections::BTreeSet;

/// The server's end of a connection, and the model's prediction for it.
pub(crate) struct Connection {
    pub(crate) reader: Reader<EventStream<Clock>>,
    pub(crate) beside: Option<Sender>,
    /// The bytes that come before any event of the topics.
    pub(crate) pending: String,
    /// `None` if the client was answered "retry later".
    pub(crate) cursor: Option<ModelCursor>,
    pub(crate) keep_alive: bool,
    pub(crate) last_write: Option<u64>,
    /// Whether the last write was a keep-alive.
    pub(crate) kept_alive: bool,
    /// The reason of the end, once the last chunk was sent.
    pub(crate) ending: Option<CloseReason>,
    pub(crate) ended: bool,
    /// Sent bytes that the client has not read yet.
    pub(crate) wire: Vec<u8>,
}

pub(crate) struct ModelCursor {
    pub(crate) position: u64,
    pub(crate) announced: u64,
    pub(crate) truncations: usize,
    /// The trim point of each topic when the client subscribed.
    pub(crate) trimmed: Vec<u64>,
    /// Topics that were removed since. The stream then ends at once.
    pub(crate) removed: BTreeSet<usize>,
}

impl World {
    pub(crate) fn read(&mut self, client: usize) {
        if let (client, Some(stream)) = &mut self.clients[client] {
            client.read(&std::mem::take(&mut stream.wire), &self.history);
        }
    }

    pub(crate) fn cut(&mut self, client: usize, cut: u16) {
        let (client, stream) = &mut self.clients[client];
        let Some(stream) = stream.take() else { return };
        let upto = usize::from(cut) % (stream.wire.len() + 1);
        // In a third of the cases the client reads all bytes.
        let upto = if cut.is_multiple_of(3) { stream.wire.len() } else { upto };
        client.read(&stream.wire[..upto], &self.history);
        client.leave(stream.ended && upto == stream.wire.len());
        if stream.cursor.is_some() && !stream.ended {
            // A client that leaves after the last byte does not change the reason of the end.
            match stream.ending {
                None => self.counts.client_left += 1,
                Some(CloseReason::Lagged) => self.counts.lagged_streams += 1,
                Some(CloseReason::Finished) => self.counts.finished_streams += 1,
                Some(_) => self.counts.drained_or_closed_streams += 1,
            }
        }
    }

    pub(crate) fn connect(&mut self, at: usize, connect: &Connect) {
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
        // A hub that drains rejects a client before it trims expired events.
        if self.drain.is_none() {
            self.history.expire(self.now);
        }
        let subscribed = self.subscribed();
        let has_room = self.drain.is_none() && self.history.subscribe(&self.clients[at].0.topics, &subscribed);
        let (client, stream) = &mut self.clients[at];
        let history = &self.history;
        let names: Vec<&str> = client.topics.iter().chain(client.topics.first()).map(|&at| TOPICS[at].0).collect();

        let mut sse = self.clock.sse_after(brings.clone());
        if !connect.keep_alive {
            sse = sse.keep_alive(None);
        }
        if connect.welcome {
            sse = sse.welcome();
        }
        let subscription = sse.subscribe(&self.hub, names).replay(connect.start);
        let subscription = subscription.prelude((0..connect.prelude).map(|n| Event::data(format!("prelude {n}"))));
        let resumption = subscription.resumption();
        let uuid = subscription.id();
        let (beside, response) = subscription.with_sender();
        let beside = connect.beside.then_some(beside);
        let status = response.status();
        let reader = self.clock.read(response);
        let mut new = Connection {
            reader,
            beside,
            pending: String::new(),
            cursor: None,
            keep_alive: connect.keep_alive,
            last_write: None,
            kept_alive: false,
            ending: None,
            ended: false,
            wire: Vec::new(),
        };
        let known = brings.as_str().and_then(|id| history.find(id));
        let is_over = known.is_some_and(|position| {
            history.complete(&client.topics) <= position && history.are_over(&client.topics, position)
        });
        assert_eq!(uuid.is_some(), has_room && !is_over);
        client.connect(brings.as_str().unwrap_or_default(), history);
        if has_room && is_over {
            assert_eq!((status, resumption), (204, Resumption::Resumed));
            assert!(client.misses_nothing(), "204 for a client that misses events");
            *stream = Some(Connection { ended: true, ..new });
            return;
        }
        let fresh = matches!(brings, LastEventId::Absent | LastEventId::Empty);
        let found = brings.as_str().and_then(|id| history.find(id));
        let truncated = brings.as_str().and_then(|id| history.find_truncated(id));
        client.brought_unknown_id = found.or(truncated).is_none() && !fresh;
        let Some(uuid) = uuid else {
            client.prelude_to_come = 0;
            *stream = Some(new);
            return;
        };
        client.prelude_to_come = connect.prelude;
        let position = found.or(truncated).unwrap_or_else(|| match connect.start {
            Replay::All => history.complete(&client.topics),
            Replay::Last(events) => history.last(&client.topics, events),
            // Nothing can follow, so the client receives what is kept.
            _ if history.are_over(&client.topics, history.head()) => history.complete(&client.topics),
            _ => history.head(),
        });
        let (position, unnamed) = if self.feed.is_some() && position == 0 && found.is_none() && history.head() > 0 {
            // A log has no ID for position 0. The ID just before the first event of these topics resumes at the same event.
            let first = history.of(&client.topics).next().map(|at| history.event(at).position);
            let position = first.map_or(history.head(), |first| first - 1);
            (position, position == 0)
        } else {
            (position, false)
        };
        client.unnamed = unnamed;
        let expected = match found {
            Some(position) if history.complete(&client.topics) > position => Resumption::Gap,
            Some(_) => Resumption::Resumed,
            None if truncated.is_some() => Resumption::Gap,
            None if fresh => Resumption::Fresh,
            None => Resumption::Gap,
        };
        assert_eq!(resumption, expected);
        self.counts.resumed += u64::from(expected == Resumption::Resumed);
        self.counts.gaps += u64::from(client.brought_unknown_id);

        // The position of a follower without entries has an ID at which no client can resume.
        let is_trim_point = position == 0 || client.topics.iter().any(|&topic| history.trimmed[topic] == position);
        let id = history.id_at(position).or(is_trim_point.then(|| history.id_of(position)));
        let id = id.filter(|_| truncated.is_none() && !unnamed);
        let line = id.as_ref().map(|id| format!("id: {id}\n")).unwrap_or_default();
        let open = ":\nevent: sse-open\nretry: 0\n\n";
        let welcome =
            if connect.welcome { format!("event: welcome\ndata: {{\"uuid\":\"{uuid}\"}}\n\n") } else { String::new() };
        let prelude: String = (0..connect.prelude).map(|n| format!("data: prelude {n}\n\n")).collect();
        new.pending = if client.brought_unknown_id {
            format!("{open}{welcome}{prelude}event: gap\ndata: {{\"reason\":\"unknown\"}}\n{line}\n")
        } else if truncated.is_some() {
            let brought = brings.as_str().unwrap();
            format!(":\nevent: sse-open\nretry: 0\nid: {brought}\n\n{welcome}{prelude}")
        } else if line.is_empty() {
            format!("{open}{welcome}{prelude}")
        } else if connect.prelude == 0 {
            format!(":\nevent: sse-position\nretry: 0\n{line}data: {{}}\n\n{welcome}")
        } else {
            // A known ID is repeated, because it resumes at the same position until the prelude is sent.
            let brought = if expected == Resumption::Fresh { "" } else { &*line };
            let open = format!(":\nevent: sse-open\nretry: 0\n{brought}\n");
            format!("{open}{welcome}{prelude}event: sse-position\n{line}data: {{}}\n\n")
        };
        new.cursor = Some(ModelCursor {
            position,
            announced: position,
            truncations: if truncated.is_some() { 0 } else { history.truncations.len() },
            removed: BTreeSet::new(),
            trimmed: client.topics.iter().map(|&topic| history.trimmed[topic]).collect(),
        });
        *stream = Some(new);
    }
}
