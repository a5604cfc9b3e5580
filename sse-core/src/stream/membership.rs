//! The membership of a stream in its owner, from its opening to its end.

use super::close_reason::CloseReason;
use super::owner::StreamOwner;
use super::shared::Shared;
use super::unowned::Unowned;
use super::waiting::OnEnd;
use crate::runtime::sync::Arc;
use crate::runtime::trace::StreamSpan;

/// Ends the stream when the body is dropped. A type of its own, because a body with `Drop` could not change its source.
pub(crate) struct Membership {
    pub(crate) shared: Arc<Shared>,
    /// `None` before the stream opens, and after its end.
    owner: Option<Arc<dyn StreamOwner>>,
    unowned: Option<Unowned>,
    /// Whether the body has returned `None`. A field here and not of the body, because an idle stream is 8 bytes smaller so.
    pub(super) ended: bool,
    /// The stream failed, and the server has not received the error yet.
    pub(super) aborts: bool,
    pub(crate) span: StreamSpan,
}

impl Membership {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, owner: None, unowned: None, ended: false, aborts: false, span: StreamSpan::default() }
    }

    /// Opens the stream. The stream has entered `owner` before.
    pub(crate) fn attach(&mut self, owner: Option<Arc<dyn StreamOwner>>, on_end: Option<OnEnd>) {
        self.unowned = owner.is_none().then(Unowned::new);
        self.owner = owner;
        if let Some(on_end) = on_end {
            self.shared.set_on_end(on_end);
        }
        self.span = StreamSpan::of_stream(self.shared.id);
    }

    /// Removes the stream from its owner, because the stream does not open.
    pub(crate) fn detach(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.leave(&self.shared);
        }
        self.unowned = None;
        drop(self.shared.take_on_end());
    }

    /// Reports the end of the stream and its reason. The application's function comes last, because the function may panic.
    pub(crate) fn leave(&mut self, reason: CloseReason) {
        self.span.ended(self.shared.id, reason.as_str());
        if let Some(owner) = self.owner.take() {
            owner.ended(reason);
            owner.leave(&self.shared);
        }
        self.unowned = None;
        self.shared.wake_all();
        if let Some(on_end) = self.shared.take_on_end() {
            let failure = self.shared.with(|locked| locked.failure());
            (on_end.0)(reason, failure.as_ref());
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(reason) = self.shared.with(|locked| locked.state.drop_body()) {
            self.leave(reason);
        }
    }
}
