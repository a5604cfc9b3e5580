//! The events for `tracing`. Their names and fields are stable: `docs/observing.md` lists them, and a test compares that table
//! with this file. Without the feature `tracing` every function here is empty.

use std::error::Error;

/// Declares one function for each event.
macro_rules! events {
    ($($(#[$doc:meta])* fn $function:ident($($argument:ident: $type:ty),*) = $level:ident $name:literal $fields:tt $text:literal;)*) => {$(
        $(#[$doc])*
        #[cfg_attr(not(feature = "tracing"), allow(unused_variables, reason = "the arguments of events"))]
        pub(crate) fn $function($($argument: $type),*) {
            #[cfg(feature = "tracing")]
            tracing::event!(name: $name, target: "sse_serve", tracing::Level::$level, $fields, $text);
        }
    )*};
}

events! {
    /// The listener returned an error, and the server pauses.
    fn accept_failed(error: &(dyn Error + 'static)) =
        WARN "accept.failed" { %error } "the server could not accept a connection and pauses";

    /// The number of connections is at its limit.
    fn connections_full() =
        WARN "connections.full" {} "the server is at its limit of connections and accepts none until one ends";

    /// hyper ended a connection with an error, which is often a client that left.
    fn connection_failed(error: &(dyn Error + 'static)) =
        DEBUG "connection.failed" { %error } "a connection ended with an error";

    /// A stream left hyper.
    fn stream_left_hyper() =
        DEBUG "stream.detached" {} "a stream left hyper";

    /// The body of a stream failed.
    fn stream_cut(error: &(dyn Error + 'static)) =
        DEBUG "stream.cut" { %error } "the body of a stream failed; its client receives no last chunk";
}
