//! Events of an enum: each variant is an event type with a payload.

use crate::event::error::FrameError;
use crate::event::event::Event;
use crate::event::frame::{CheckedEvent, Frame, IntoFrame};

/// The events of one feed, as an enum: each variant is an event type, and its field is the payload, sent as JSON.
///
/// Derive this trait with the feature `derive`. Every value, and every reference to one, is then an [`IntoFrame`]:
/// `hub.publish`, `Sender::send`, `Sse::stream` and `prelude` accept it.
///
/// | variant | event type | data |
/// |---|---|---|
/// | `HeadlineAdded(Headline)` | `headline_added`, the name in snake case | the payload as JSON, by its `serde::Serialize` |
/// | `#[event("readers")] Readers(u32)` | `readers` | `3` |
/// | `Cleared` | `cleared` | `{}` |
///
/// A name in snake case is an identifier in JavaScript: `{ headline_added(data) { ... } }`.
///
/// ```
/// use serde::Serialize;
/// use sse_core::{Events, IntoFrame};
///
/// #[derive(Serialize)]
/// struct Headline {
///     text: String,
/// }
///
/// #[derive(Events)]
/// enum Feed {
///     HeadlineAdded(Headline),
///     #[event("readers")]
///     Readers(u32),
///     Cleared,
/// }
///
/// assert_eq!(Feed::TYPES, ["headline_added", "readers", "cleared"]);
/// let added = Feed::HeadlineAdded(Headline { text: "Rain".into() });
/// assert_eq!(added.into_frame()?, "event: headline_added\ndata: {\"text\":\"Rain\"}\n\n");
/// assert_eq!(Feed::Readers(3).into_frame()?, "event: readers\ndata: 3\n\n");
/// assert_eq!(Feed::Cleared.into_frame()?, "event: cleared\ndata: {}\n\n");
/// # Ok::<(), sse_core::FrameError>(())
/// ```
///
/// # Compile errors
/// The derive rejects a struct, a variant with several fields or named fields, and an event type that no stream accepts: an
/// empty one, one with a line break, one of [`RESERVED_TYPES`](crate::RESERVED_TYPES), `error`, `open`, the type of gap
/// events, and one that another variant has.
///
/// ```compile_fail
/// #[derive(sse_core::Events)]
/// enum Feed {
///     Error(String), // "... An EventSource fires events of this type for its connection ..."
/// }
/// ```
///
/// # Options
/// - `#[events(crate = path)]` on the enum: the path of the crate, if its name in `Cargo.toml` is another one or if the
///   enum's crate depends on it through a third crate.
/// - `#[events(gap = "type")]` on the enum: the type of gap events, if the hub has another one than `gap`
///   ([`HubBuilder::gap_type`](crate::hub::HubBuilder::gap_type)).
///
/// A generic enum names the bounds of its payloads itself: `enum Feed<T: Serialize> { Item(T) }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum of events",
    note = "write `#[derive(Events)]` on the enum; this needs the feature `derive`"
)]
pub trait Events {
    /// The event types, in the order of the variants.
    const TYPES: &'static [&'static str];

    /// Converts the value into an [`Event`], for example to set another field: `feed.to_event().id("7")`.
    fn to_event(&self) -> Event<'static>;
}

impl<E: Events> Events for &E {
    const TYPES: &'static [&'static str] = E::TYPES;

    fn to_event(&self) -> Event<'static> {
        (**self).to_event()
    }
}

// Without the attribute the compiler would ask for `Events` where anything that can be sent is missing.
#[diagnostic::do_not_recommend]
impl<E: Events> IntoFrame for E {
    fn into_frame(self) -> Result<Frame, FrameError> {
        self.to_event().frame()
    }

    fn with_checked<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        self.to_event().with_checked(visit)
    }
}
