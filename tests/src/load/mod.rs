//! Many clients at once, some of which do not read, against a server that is a process of its own.
//!
//! - [`Server`]: the process, and what the system says of it.
//! - [`Stream`]: one client of a feed of numbers, which notices what is missing and what comes twice.
//! - [`publish`]: fills the feed.

mod churn;
mod feed;
mod server;
mod soak;
mod stalled;
mod stream;

pub use churn::{Churn, Churned};
pub use feed::publish;
pub use server::{Queues, Server};
pub use soak::{Memory, Soak, Soaked};
pub use stalled::{Report, Stalled};
pub use stream::{Stream, Tally};

/// What went wrong, for a person to read.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
