//! The assembly of a stream: the one place where options, machine, body and response are put together.

use crate::event::control::{Control, NO_ID, retry_block};
use crate::event::error::FrameError;
use crate::response::options::Sse;
use crate::response::response::Response;
use crate::runtime::runtime::Runtime;
use crate::runtime::sync::Arc;
use crate::runtime::trace;
use crate::stream::owner::{DrainEnd, StreamOwner};
use crate::stream::rules::Rules;
use crate::stream::shared::Shared;
use crate::stream::state::State;
use crate::stream::{CloseReason, EventStream, Timing};
use bytes::Bytes;
use std::fmt;

impl<R: Runtime> Sse<R> {
    /// Assembles a stream and enters it with its owner. The caller sets the opening bytes.
    pub(crate) fn open<S>(
        self,
        owner: Option<Arc<dyn StreamOwner>>,
        ends: DrainEnd,
        rules: Rules,
        source: S,
    ) -> Opened<R, S> {
        let id = self.id;
        let (is_get, control, brought) = (self.accepted.is_get, self.control(), self.brought());
        let expires_at = self.max_lifetime.and_then(|lifetime| {
            let lifetime = self.runtime.random().duration(lifetime.mul_f64(0.8)..=lifetime);
            self.runtime.now().checked_add(lifetime)
        });
        let expires_at = expires_at.into_iter().chain(self.expires_at).min();
        let timing = Timing { keep_alive: self.keep_alive, pace: self.pace };
        let shared = Shared::new(id, control, rules, State::new(self.buffer, expires_at));
        let mut body = EventStream::new(shared.clone(), self.runtime, timing, source);
        let response = if let Some(rejection) = self.rejection {
            end_unopened(&mut body, rejection.body().into(), CloseReason::Closed);
            Response::rejected(rejection, body)
        } else {
            match owner {
                Some(owner) if !owner.enter(&shared, ends, self.key) => {
                    retry_later(&*owner, "full", is_get, brought.as_deref(), self.headers, body)
                }
                owner => {
                    body.attach(owner, self.on_end);
                    Response::stream(id, self.headers, body)
                }
            }
        };
        Opened { response, welcome: self.welcome, brought }
    }
}

/// An assembled stream before its opening bytes are set.
#[derive(Debug)]
pub(crate) struct Opened<R: Runtime, S> {
    pub(crate) response: Response<EventStream<R, S>>,
    welcome: bool,
    /// The last event ID of the client, if it can stand in a block.
    pub(crate) brought: Option<Box<str>>,
}

impl<R: Runtime, S> Opened<R, S> {
    /// Sets the opening bytes, which `place` makes from the welcome event.
    pub(crate) fn opening(&mut self, place: impl FnOnce(&[u8]) -> Vec<u8>) {
        let Some(id) = self.response.id() else { return };
        let welcome =
            if self.welcome { format!("event: welcome\ndata: {{\"uuid\":\"{id}\"}}\n\n") } else { String::new() };
        let opening = place(welcome.as_bytes()).into();
        self.response.body().shared().with(|locked| locked.state.set_opening(opening));
    }

    /// Reports to `tracing` that the stream opened, with the outcome of its last event ID if it subscribed.
    pub(crate) fn trace_opened(&self, resumption: Option<&str>) {
        let Some(id) = self.response.id() else { return };
        let _entered = self.response.body().span().enter();
        trace::stream_opened(id, resumption);
    }

    /// Ends the stream as failed before anything is sent.
    pub(crate) fn fail(&mut self, error: FrameError) {
        let opening = self.response.body().shared().control.opening(None, NO_ID);
        self.opening(|_| opening);
        let body = self.response.body();
        let _entered = body.span().enter();
        body.shared().fail(error);
    }
}

/// Turns a body into the answer that asks the client to retry later. For a GET the answer is a stream that sends the delay
/// and the reason, and ends.
pub(crate) fn retry_later<R: Runtime, S>(
    owner: &dyn StreamOwner,
    why: &str,
    is_get: bool,
    brought: Option<&str>,
    headers: Vec<(String, String)>,
    mut body: EventStream<R, S>,
) -> Response<EventStream<R, S>> {
    let is_draining = owner.is_draining();
    trace::stream_refused(if is_draining { "draining" } else { why });
    let retry = owner.retry_later();
    let opening = match body.shared().control {
        Control::Events => {
            let mut opening = Control::Events.opening_after(Some(retry), brought);
            let reason = if is_draining { "draining" } else { "full" };
            opening.extend_from_slice(format!("event: sse-later\ndata: {{\"reason\":\"{reason}\"}}\n\n").as_bytes());
            opening.into()
        }
        Control::Blocks => retry_block(retry),
        Control::Omitted => Bytes::new(),
    };
    end_unopened(&mut body, opening, CloseReason::Drained);
    Response::retry_later(is_get, retry, headers, body)
}

/// Turns a body into the answer to a handler whose call cannot succeed.
pub(crate) fn invalid<R: Runtime, S>(
    status: u16,
    error: &dyn fmt::Display,
    headers: Vec<(String, String)>,
    mut body: EventStream<R, S>,
) -> Response<EventStream<R, S>> {
    trace::subscription_rejected(error);
    end_unopened(&mut body, Bytes::new(), CloseReason::Failed);
    Response::invalid(status, headers, body)
}

/// The answer 204 to a client that has received everything of topics that have ended. The headers of the handler stay, because
/// a page of another origin needs those of CORS to see the 204.
pub(crate) fn finished<R: Runtime, S>(
    headers: Vec<(String, String)>,
    mut body: EventStream<R, S>,
) -> Response<EventStream<R, S>> {
    end_unopened(&mut body, Bytes::new(), CloseReason::Finished);
    Response::invalid(204, headers, body)
}

/// Ends a stream that does not open. Its body sends these bytes.
fn end_unopened<R: Runtime, S>(body: &mut EventStream<R, S>, bytes: Bytes, reason: CloseReason) {
    body.detach();
    if !bytes.is_empty() {
        body.shared().with(|locked| locked.state.set_opening(bytes));
    }
    body.shared().end(reason, None);
}
