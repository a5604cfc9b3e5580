//! The warning about a handler that waits for its own response.

use std::io::Write;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// Prints one warning on standard error for each line of code that sends on a stream before the stream is read, and waits.
/// Only debug builds print it: a spawned task that sends much at once may also wait for a moment before the first poll.
pub(crate) fn warn(caller: &'static Location<'static>) {
    static WARNED: Mutex<Vec<&'static Location<'static>>> = Mutex::new(Vec::new());
    {
        let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.contains(&caller) {
            return;
        }
        warned.push(caller);
    }
    // Not `eprintln!`, which panics when standard error is closed.
    let _ = writeln!(
        std::io::stderr(),
        "warning: sse-core: the send at {caller} waits for room in the buffer of a stream that is not read yet. If the \
         handler awaits this send before it returns the response, the send waits for ever. Send in the future of \
         `Sse::run`, or give the events to `Sse::prelude`, or raise `Sse::buffer`."
    );
}
