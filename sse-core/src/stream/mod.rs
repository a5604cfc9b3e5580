//! One connection: the machine, its handle, its body.

mod body;
mod item_stream;
mod sender;
pub(crate) mod shared;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod unowned;
#[cfg(debug_assertions)]
mod unread;

pub use body::{EventStream, Results, StreamFailed};
pub use item_stream::ItemStream;
pub use sender::{Sender, Sending};
pub(crate) use shared::OnEnd;
pub use source::{Live, Source, StreamSource};
pub use state::CloseReason;
