//! Following a log: everything that exists only because a hub can follow one.

pub(crate) mod feed;
pub(crate) mod id_source;
pub(crate) mod truncated;
pub(crate) mod unknown_ids;
