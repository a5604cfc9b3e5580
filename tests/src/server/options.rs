//! The command line.

use clap::{Parser, ValueEnum};
use sse_core::{Hub, SocketLimits, hub};
use std::net::SocketAddr;
use std::time::Duration;

/// The options of `conformance-server`, named as in the contract.
#[derive(Debug, Clone, Parser)]
#[command(name = "conformance-server", about = "Serves the conformance routes through one adapter")]
#[non_exhaustive]
pub struct Options {
    /// The adapter that serves the routes.
    #[arg(long)]
    pub adapter: Adapter,
    /// Where to listen; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The interval of keep-alives in milliseconds; 0 turns keep-alives off.
    #[arg(long, default_value_t = 15_000)]
    pub keep_alive_ms: u64,
    /// The longest duration of a stream in milliseconds; 0 means no limit.
    #[arg(long, default_value_t = 0)]
    pub max_lifetime_ms: u64,
    /// The bound of one handle's pending bytes.
    #[arg(long, default_value_t = 64 * 1024)]
    pub buffer_bytes: usize,
    /// How many bytes each topic keeps; 0 means no such bound.
    #[arg(long, default_value_t = 4 * 1024 * 1024)]
    pub topic_bytes: usize,
    /// How many events each topic keeps; 0 means no such bound.
    #[arg(long, default_value_t = 0)]
    pub topic_events: usize,
    /// How long each topic keeps an event, in milliseconds; 0 means no such bound.
    #[arg(long, default_value_t = 0)]
    pub topic_age_ms: u64,
    /// How many bytes all topics keep together.
    #[arg(long, default_value_t = 64 * 1024 * 1024)]
    pub hub_bytes: usize,
    /// The number of topics at once.
    #[arg(long, default_value_t = 100_000)]
    pub max_topics: usize,
    /// The number of topics that one stream may follow.
    #[arg(long, default_value_t = 256)]
    pub max_topics_per_stream: usize,
    /// The treatment of a subscriber that needs trimmed events.
    #[arg(long, default_value = "end")]
    pub lag: Lag,
    /// The number of streams at once; 0 means no limit.
    #[arg(long, default_value_t = 0)]
    pub max_streams: usize,
    /// The window over which SIGTERM ends the streams, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub drain_window_ms: u64,
    /// When the server stops waiting after SIGTERM, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    pub drain_deadline_ms: u64,
    /// Puts the framework's own compression middleware around the routes.
    #[arg(long)]
    pub compress: bool,
    /// Compresses every topic once for all of its clients that accept gzip.
    #[arg(long)]
    pub gzip: bool,
    /// When the socket ends a client that stalls or vanishes, in milliseconds; 0 keeps the system's defaults. Not part
    /// of the contract.
    #[arg(long, default_value_t = 30_000, hide = true)]
    pub user_timeout_ms: u64,
    /// The engine of the log.
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// The name of the log.
    #[arg(long, value_name = "NAME", default_value = "sse")]
    pub log: String,
}

/// The adapter that serves the routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Adapter {
    /// axum, over hyper.
    Axum,
    /// actix-web.
    Actix,
    /// warp, over hyper.
    Warp,
    /// No framework: the core on hyper.
    Core,
    /// axum, over the server `sse-serve`, whose streams leave hyper.
    Serve,
}

/// The treatment of a subscriber that needs trimmed events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Lag {
    /// The stream ends.
    End,
    /// The stream continues after a gap.
    Gap,
}

impl Adapter {
    /// All adapters.
    pub const ALL: [Self; 5] = [Self::Axum, Self::Actix, Self::Warp, Self::Core, Self::Serve];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Actix => "actix",
            Self::Warp => "warp",
            Self::Core => "core",
            Self::Serve => "serve",
        }
    }

    /// Whether the framework has a compression middleware that leaves event streams alone.
    #[must_use]
    pub const fn offers_compression(self) -> bool {
        matches!(self, Self::Axum | Self::Actix | Self::Serve)
    }
}

impl Options {
    pub(crate) const fn is_offered(&self) -> bool {
        !self.compress || self.adapter.offers_compression()
    }

    pub(crate) const fn keep_alive(&self) -> Option<Duration> {
        nonzero(self.keep_alive_ms)
    }

    pub(crate) const fn max_lifetime(&self) -> Option<Duration> {
        nonzero(self.max_lifetime_ms)
    }

    pub(crate) const fn drain_window(&self) -> Duration {
        Duration::from_millis(self.drain_window_ms)
    }

    pub(crate) const fn drain_deadline(&self) -> Duration {
        Duration::from_millis(self.drain_deadline_ms)
    }

    /// A little less than the deadline, so that the drain reports the remaining streams before the deadline.
    fn drain_grace(&self) -> Duration {
        let deadline = self.drain_deadline();
        (deadline - deadline / 20).saturating_sub(self.drain_window())
    }

    pub(crate) fn socket_limits(&self) -> Option<SocketLimits> {
        let timeout = nonzero(self.user_timeout_ms)?;
        let mut limits = SocketLimits::default();
        limits.user_timeout = Some(timeout);
        Some(limits)
    }

    /// The hub's bounds, from the options.
    pub(crate) fn hub(&self) -> hub::HubBuilder {
        let bound = |n: usize| if n == 0 { usize::MAX } else { n };
        let hub = Hub::builder()
            .topic_bytes(bound(self.topic_bytes))
            .topic_events(bound(self.topic_events))
            .hub_bytes(bound(self.hub_bytes))
            .max_topics(self.max_topics)
            .max_topics_per_stream(self.max_topics_per_stream)
            .max_streams(bound(self.max_streams))
            .drain_grace(self.drain_grace());
        let hub = match nonzero(self.topic_age_ms) {
            Some(age) => hub.topic_age(age),
            None => hub,
        };
        let hub = if self.gzip { hub.gzip(|_| true) } else { hub };
        if self.lag == Lag::Gap { hub.gap_on_lag() } else { hub }
    }
}

const fn nonzero(ms: u64) -> Option<Duration> {
    if ms == 0 { None } else { Some(Duration::from_millis(ms)) }
}
