//! The membership of a stream in its owner, from its opening to its end.

use super::owner::StreamOwner;
use super::shared::{OnEnd, Shared};
use super::state::CloseReason;
use super::unowned::Unowned;
use crate::runtime::sync::Arc;
use crate::runtime::trace::StreamSpan;

/// The part of a body that ends the stream when it is dropped. Apart from the body, so that a body can change its source.
pub(crate) struct Membership {
    pub(crate) shared: Arc<Shared>,
    /// Until the stream has ended.
    owner: Option<Arc<dyn StreamOwner>>,
    unowned: Option<Unowned>,
    pub(crate) span: StreamSpan,
}

impl Membership {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, owner: None, unowned: None, span: StreamSpan::default() }
    }

    /// The stream opens, as one that entered this owner.
    pub(crate) fn attach(&mut self, owner: Option<Arc<dyn StreamOwner>>, on_end: Option<OnEnd>) {
        self.unowned = owner.is_none().then(Unowned::new);
        self.owner = owner;
        if let Some(on_end) = on_end {
            self.shared.set_on_end(on_end);
        }
        self.span = StreamSpan::of_stream(self.shared.id);
    }

    /// The stream does not open.
    pub(crate) fn detach(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.leave(&self.shared);
        }
        self.unowned = None;
        drop(self.shared.take_on_end());
    }

    /// Reports the end of the stream and its reason. The application's function is the last, so that it may panic.
    pub(crate) fn leave(&mut self, reason: CloseReason) {
        self.span.ended(self.shared.id, reason.as_str());
        if let Some(owner) = self.owner.take() {
            owner.ended(reason);
            owner.leave(&self.shared);
        }
        self.shared.decided();
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
