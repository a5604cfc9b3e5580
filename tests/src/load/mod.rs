//! Many clients at once, some of which do not read, against a server in another process.
//!
//! - [`LoadServer`]: the process, and the system's counters for the process.
//! - [`LoadClient`]: one client of a topic of numbers, which counts missing and repeated numbers.
//! - [`publish`]: publishes the numbers.

mod churn;
mod feed;
mod server;
mod soak;
mod stalled;
mod stream;

pub use churn::{Churn, Churned};
pub use feed::publish;
pub use server::{LoadServer, Queues};
pub use soak::{Memory, Soak, Soaked};
pub use stalled::{Stalled, StalledReport};
pub use stream::{LoadClient, LoadTally};

/// A result whose error is a text for people.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
