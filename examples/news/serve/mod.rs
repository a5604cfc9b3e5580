//! The same four routes on each framework: the page, the feed, and the form.

pub(crate) mod actix;
pub(crate) mod axum;
pub(crate) mod warp;
