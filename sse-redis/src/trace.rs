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
    struct Collector(Arc<Mutex<BTreeSet<Row>>>);

    impl Subscriber for Collector {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "sse_redis"
        }

        fn event(&self, event: &Event<'_>) {
            let is = event.metadata();
            let fields =
                is.fields().iter().map(|field| field.name().to_owned()).filter(|name| name != "message").collect();
            self.0.lock().unwrap().insert((is.name().to_owned(), is.level().as_str().to_lowercase(), fields));
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
            following(true);
            lost(id, "wiped");
            truncated(id);
            skipped(id, &"x");
        });
        let emitted = collector.0.lock().unwrap().clone();
        assert_eq!(emitted, documented_events("sse_redis"));
    }
}
