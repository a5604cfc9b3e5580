//! The HTTP clients of the suite: HTTP/1 with every byte in sight, and HTTP/2 through hyper. Every wait is bounded.

mod body;
mod events;
mod frames;
mod gzip;
mod head;
mod http1;
mod http2;
mod request;

pub use events::{Event, Seen, changes};
pub use frames::{Frame, frames};
pub use head::Head;
pub use http1::{Connection, Response};
pub use http2::{Http2, Http2Response};
pub use request::Request;
