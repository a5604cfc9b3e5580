//! What is told to `tracing`, under the names of `docs/observing.md`; nothing without the feature.

use crate::follower::Loss;
use sse_core::hub::EventId;
use std::fmt::Display;

/// A function for each event, which does nothing without the feature.
macro_rules! events {
    ($(fn $function:ident($($argument:ident: $type:ty),*) = $level:ident $name:literal $fields:tt $words:literal;)*) => {$(
        #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "told to nobody"))]
        pub(crate) fn $function($($argument: $type),*) {
            #[cfg(feature = "tracing")]
            tracing::event!(name: $name, target: "sse_redis", tracing::Level::$level, $fields, $words);
        }
    )*};
}

events! {
    fn away(error: &dyn Display) = WARN "engine.away" { %error } "the engine is away";

    fn following(following: bool) = INFO "log.following" { following } "whether the node follows the log";

    fn lost(id: EventId, loss: &str) =
        WARN "log.lost" { %id, loss } "part of the log was lost; readers are told a gap";

    fn taken_back(id: EventId) =
        WARN "log.taken_back" { %id } "the log took back what came after this; readers who saw it are told a gap";

    fn passed_over(id: EventId, error: &dyn Display) =
        WARN "entry.passed_over" { %id, %error } "an entry cannot be sent and is passed over";
}

impl Loss {
    /// One lower-case word, for a log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Trimmed(_) => "trimmed",
            Self::Wiped => "wiped",
            Self::Rewritten => "rewritten",
            Self::Miscounted => "miscounted",
        }
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// Keeps what an event is: name, level, fields.
    #[derive(Clone, Default)]
    struct Collector(Arc<Mutex<BTreeSet<[String; 3]>>>);

    impl Subscriber for Collector {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "sse_redis"
        }

        fn event(&self, event: &Event<'_>) {
            let is = event.metadata();
            let fields = is.fields().iter().filter(|field| field.name() != "message");
            let fields = fields.map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
            let level = is.level().as_str().to_lowercase();
            self.0.lock().unwrap().insert([format!("`{}`", is.name()), level, fields]);
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
    fn everything_told_is_in_the_document_and_the_document_is_told() {
        let collector = Collector::default();
        tracing::subscriber::with_default(collector.clone(), || {
            let id = EventId::new((1, 0), 7);
            away(&"x");
            following(true);
            lost(id, "wiped");
            taken_back(id);
            passed_over(id, &"x");
        });
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/observing.md")).unwrap();
        let (_, section) = text.split_once("### `sse_redis`").expect("a section");
        let row = |line: &str| {
            let mut cells = line.split('|').skip(1).map(|cell| cell.trim().to_owned());
            let row = [cells.next()?, cells.next()?, cells.next()?];
            row[0].starts_with('`').then_some(row)
        };
        let documented: BTreeSet<_> = section.lines().filter_map(row).collect();
        let told = collector.0.lock().unwrap().clone();
        assert_eq!(told, documented);
    }
}
