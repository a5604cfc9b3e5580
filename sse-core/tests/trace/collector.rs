//! A `tracing` subscriber that stores events and spans.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A recorded span or event.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) level: Level,
    /// All field names except the message.
    pub(crate) fields: Vec<&'static str>,
    /// The fields with values, as text.
    pub(crate) values: BTreeMap<&'static str, String>,
    /// The number of the enclosing span; for a span, its own number.
    pub(crate) span: Option<u64>,
}

impl Told {
    fn of(metadata: &'static Metadata<'static>, span: Option<u64>) -> Self {
        let fields = metadata.fields().iter().map(|field| field.name()).filter(|name| *name != "message").collect();
        let (name, target, level) = (metadata.name(), metadata.target(), *metadata.level());
        Self { name, target, level, fields, values: BTreeMap::new(), span }
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.values.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.values.insert(field.name(), value.to_owned());
    }
}

/// Records all spans and events of one thread, down to a level.
#[derive(Clone)]
pub(crate) struct Collector {
    down_to: Level,
    told: Arc<Mutex<Vec<Told>>>,
    entered: Arc<Mutex<Vec<u64>>>,
    closed: Arc<Mutex<Vec<u64>>>,
    references: Arc<Mutex<BTreeMap<u64, usize>>>,
    next: Arc<AtomicU64>,
    asks: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Collector {
    pub(crate) fn down_to(down_to: Level) -> Self {
        let (told, entered, closed) = Default::default();
        Self {
            down_to,
            told,
            entered,
            closed,
            references: Arc::default(),
            next: Arc::new(AtomicU64::new(1)),
            asks: None,
        }
    }

    /// Called for each recorded span and event.
    pub(crate) fn asking(self, asks: impl Fn() + Send + Sync + 'static) -> Self {
        Self { asks: Some(Arc::new(asks)), ..self }
    }

    fn ask(&self) {
        if let Some(asks) = &self.asks {
            asks();
        }
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn named(&self, name: &str) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.name == name).collect()
    }

    /// Whether the span with this number is closed.
    pub(crate) fn is_closed(&self, span: u64) -> bool {
        self.closed.lock().unwrap().contains(&span)
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.down_to
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.ask();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut told = Told::of(attributes.metadata(), Some(number));
        attributes.record(&mut told);
        self.told.lock().unwrap().push(told);
        self.references.lock().unwrap().insert(number, 1);
        Id::from_u64(number)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut told = self.told.lock().unwrap();
        let is_span = |told: &&mut Told| told.name == "stream" && told.span == Some(span.into_u64());
        values.record(told.iter_mut().find(is_span).expect("a span that was told"));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.ask();
        let span = self.entered.lock().unwrap().last().copied();
        let mut told = Told::of(event.metadata(), span);
        event.record(&mut told);
        self.told.lock().unwrap().push(told);
    }

    fn enter(&self, span: &Id) {
        self.ask();
        self.entered.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.entered.lock().unwrap().pop(), Some(span.into_u64()));
    }

    fn clone_span(&self, span: &Id) -> Id {
        *self.references.lock().unwrap().get_mut(&span.into_u64()).expect("an open span") += 1;
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        self.ask();
        let mut references = self.references.lock().unwrap();
        let left = references.get_mut(&span.into_u64()).expect("an open span");
        *left -= 1;
        if *left == 0 {
            self.closed.lock().unwrap().push(span.into_u64());
        }
        *left == 0
    }
}
