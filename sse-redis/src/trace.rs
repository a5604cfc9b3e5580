//! The `tracing` events, under the names of `docs/observing.md`. Without the feature the functions do nothing.

use crate::follower::Loss;
use sse_core::hub::EventId;
use std::fmt::Display;

/// Defines one function for each event.
macro_rules! events {
    ($(fn $function:ident($($argument:ident: $type:ty),*) = $level:ident $name:literal $fields:tt $text:literal;)*) => {$(
        #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "used only with the feature"))]
        pub(crate) fn $function($($argument: $type),*) {
            #[cfg(feature = "tracing")]
            tracing::event!(name: $name, target: "sse_redis", tracing::Level::$level, $fields, $text);
        }
    )*};
}

events! {
    fn away(error: &dyn Display) = WARN "server.away" { %error } "the node does not follow the log";

    fn publisher_away(error: &dyn Display) = WARN "publisher.away" { %error } "no connection for publishes is open";

    fn publish_refused(error: &dyn Display) = WARN "publish.refused" { %error } "the server refuses publishes";

    fn following(following: bool) = INFO "log.following" { following } "the node follows the log, or no longer follows it";

    fn lost(id: EventId, loss: &str) =
        WARN "log.lost" { %id, loss } "entries of the log were lost; clients receive a gap";

    fn truncated(id: EventId) =
        WARN "log.truncated" { %id } "the log was truncated after this ID; clients that received a truncated event receive a gap";

    fn skipped(id: EventId, error: &dyn Display) =
        WARN "entry.skipped" { %id, %error } "an entry cannot be sent and is skipped";
}

impl Loss {
    /// One lower-case word for a log file.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Trimmed(_) => "trimmed",
            Self::Wiped => "wiped",
            Self::Truncated => "truncated",
            Self::Miscounted => "miscounted",
        }
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;
    use sse_test_support::observing::{Row, documented_events};
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// Collects name, level and fields of each event.
    #[derive(Clone, Default)]
    struct Collector(Arc<Mutex<Vec<Row>>>);

    impl Subscriber for Collector {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "sse_redis"
        }

        fn event(&self, event: &Event<'_>) {
            let is = event.metadata();
            let fields =
                is.fields().iter().map(|field| field.name().to_owned()).filter(|name| name != "message").collect();
            self.0.lock().unwrap().push((is.name().to_owned(), is.level().as_str().to_lowercase(), fields));
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn docs_list_exactly_the_emitted_events() {
        let collector = Collector::default();
        tracing::subscriber::with_default(collector.clone(), || {
            let id = EventId::new((1, 0), 7);
            away(&"x");
            publisher_away(&"x");
            publish_refused(&"x");
            following(true);
            lost(id, "wiped");
            truncated(id);
            skipped(id, &"x");
        });
        let emitted: BTreeSet<Row> = collector.0.lock().unwrap().drain(..).collect();
        assert_eq!(emitted, documented_events("sse_redis"));
    }

    /// A server that accepts connections and closes them.
    #[test]
    fn an_outage_is_one_warning_and_not_one_for_each_attempt() {
        let collector = Collector::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tracing::subscriber::with_default(collector.clone(), || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("redis://{}", listener.local_addr().unwrap());
                let (redis, _hub) = crate::Redis::start(&url).unwrap();
                // Two connections, and four attempts of each.
                for _ in 0..8 {
                    drop(listener.accept().await.unwrap());
                }
                redis.stop();
            });
        });
        let warned: Vec<String> = collector.0.lock().unwrap().iter().map(|(name, ..)| name.clone()).collect();
        let count = |name: &str| warned.iter().filter(|warned| *warned == name).count();
        assert_eq!((count("server.away"), count("publisher.away")), (1, 1), "{warned:?}");
    }

    #[test]
    fn refused_publishes_are_one_warning_for_each_kind_until_one_is_stored() {
        use crate::{problem::Problem, refusal::Refusal};

        let collector = Collector::default();
        tracing::subscriber::with_default(collector.clone(), || {
            let refusal = Refusal::default();
            let full = |text: &str| refusal.set(Some(Problem::Server(text.into())));
            full("OOM");
            full("OOM again");
            refusal.set(Some(Problem::NotLeader));
            refusal.set(None);
            full("OOM");
        });
        assert_eq!(collector.0.lock().unwrap().len(), 3);
    }
}
