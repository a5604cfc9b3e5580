//! One connection: the machine, its handle, its body.

mod body;
mod item_stream;
mod membership;
pub(crate) mod owner;
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
#[doc(hidden)]
pub use source::{Source, Step, StreamSource};
pub use state::CloseReason;
