//! The same four routes on each framework: the page, the feed, and the form.

#[cfg(feature = "actix")]
pub(crate) mod actix;
pub(crate) mod axum;
#[cfg(feature = "http2")]
mod tls;
#[cfg(feature = "warp")]
pub(crate) mod warp;
