//! The conformance kit: one suite for servers of Server-Sent Events, and the server that puts our own behind it.

mod group;
pub mod server;

pub use group::Group;
