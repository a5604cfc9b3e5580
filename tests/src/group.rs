//! The groups that a server can be judged on.

/// A group of cases. A server lists in `/about` the groups that apply to it. The other groups are out of scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Group {
    /// The promises that every server must keep, in whatever spelling.
    Basics,
    /// The head of a stream.
    Head,
    /// Which requests open a stream.
    Eligibility,
    /// The meaning of each kind of event.
    Framing,
    /// Application text must never become a field or an event.
    Injection,
    /// The decoder behind `/decode`.
    Decoding,
    /// Open, close, finish.
    Lifecycle,
    /// Keep-alives.
    KeepAlive,
    /// Clients that disconnect.
    Disconnect,
    /// Resuming after a last event ID.
    Resumption,
    /// Publishing to a topic.
    Publish,
    /// Topics that end and topics that are removed.
    EndedTopics,
    /// The events that a topic keeps.
    Retention,
    /// Subscribers that fall behind.
    Lag,
    /// At most one write per window.
    Pace,
    /// Topics that hold the current state.
    State,
    /// Draining the hub.
    Drain,
    /// Limits on requests.
    Limits,
    /// Compression around a stream.
    Compression,
    /// Topics that are compressed once for all clients.
    CompressedOnce,
    /// HTTP/1.0 clients.
    Http10,
    /// HTTP/1.1 framing.
    Http11,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// Bytes sent after a request.
    Pipelining,
    /// Clients that do not read.
    SlowReaders,
    /// The method HEAD.
    HeadMethod,
    /// The counters.
    Stats,
    /// Several servers of one history.
    Nodes,
}

impl Group {
    /// All groups, in the order of a report.
    pub const ALL: [Self; 28] = [
        Self::Basics,
        Self::Head,
        Self::Eligibility,
        Self::Framing,
        Self::Injection,
        Self::Decoding,
        Self::Lifecycle,
        Self::KeepAlive,
        Self::Disconnect,
        Self::Resumption,
        Self::Publish,
        Self::EndedTopics,
        Self::Retention,
        Self::Lag,
        Self::Pace,
        Self::State,
        Self::Drain,
        Self::Limits,
        Self::Compression,
        Self::CompressedOnce,
        Self::Http10,
        Self::Http11,
        Self::Http2,
        Self::Pipelining,
        Self::SlowReaders,
        Self::HeadMethod,
        Self::Stats,
        Self::Nodes,
    ];

    /// The name in `/about`, in reports and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basics => "basics",
            Self::Head => "head",
            Self::Eligibility => "eligibility",
            Self::Framing => "framing",
            Self::Injection => "injection",
            Self::Decoding => "decoding",
            Self::Lifecycle => "lifecycle",
            Self::KeepAlive => "keep-alive",
            Self::Disconnect => "disconnect",
            Self::Resumption => "resumption",
            Self::Publish => "publish",
            Self::EndedTopics => "ended-topics",
            Self::Retention => "retention",
            Self::Lag => "lag",
            Self::Pace => "pace",
            Self::State => "state",
            Self::Drain => "drain",
            Self::Limits => "limits",
            Self::Compression => "compression",
            Self::CompressedOnce => "compressed-once",
            Self::Http10 => "http-1.0",
            Self::Http11 => "http-1.1",
            Self::Http2 => "http-2",
            Self::Pipelining => "pipelining",
            Self::SlowReaders => "slow-readers",
            Self::HeadMethod => "head-method",
            Self::Stats => "stats",
            Self::Nodes => "nodes",
        }
    }
}
