//! Topics that are compressed once for all clients.

mod bounds;
mod heads;
mod inflate;
mod pair;
mod property;
mod sharing;
