//! One stream: its state, its senders and its body. A stream knows no hub.

mod body;
pub(crate) mod close_reason;
mod future_source;
mod item_stream;
mod keep_alive;
mod membership;
pub(crate) mod owner;
mod pace;
pub(crate) mod pending;
mod results;
pub(crate) mod rules;
mod sender;
mod sending;
pub(crate) mod shared;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod unowned;
#[cfg(debug_assertions)]
mod unread;
mod waiting;
mod watch;

pub use body::EventStream;
pub(crate) use body::Timing;
pub use close_reason::CloseReason;
#[doc(hidden)]
pub use future_source::FutureSource;
pub use future_source::RunResult;
pub use item_stream::ItemStream;
pub use results::{Results, StreamFailed};
pub use sender::Sender;
pub use sending::Sending;
#[doc(hidden)]
pub use source::{Source, Step, StreamSource};
pub(crate) use waiting::OnEnd;
