//! How streams open and end whose request names the type.

use super::topics::SECOND;
use crate::client::{Response, Seen};
use crate::failure::{check, show};
use crate::{Failure, Verdict};

/// How a stream opens that follows no topics.
pub(super) const OPEN: &str = ":\nevent: sse-open\n\n";

/// How a stream ends whose client is to stay away.
pub(super) const END: &str = "event: sse-end\nid: end\ndata: {}\n\n";

/// How a stream of topics opens at a position, with the reconnection time that stands in this body.
pub(super) fn at(position: &str, body: &[u8]) -> Result<String, Failure> {
    Ok(format!(":\nevent: sse-position\nretry: {}\nid: {position}\ndata: {{}}\n\n", retry(body)?))
}

/// How a stream of topics opens that may send no position yet.
pub(super) fn without_position(body: &[u8]) -> Result<String, Failure> {
    Ok(format!(":\nevent: sse-open\nretry: {}\n\n", retry(body)?))
}

/// The reconnection time of an opening, which is between 2 and 4 s.
fn retry(body: &[u8]) -> Result<u64, Failure> {
    let text = String::from_utf8_lossy(body);
    let time = text.split("\n\n").next().and_then(|block| block.lines().find_map(|line| line.strip_prefix("retry: ")));
    let time = time.and_then(|time| time.parse().ok()).filter(|time| (2000..=4000).contains(time));
    time.ok_or_else(|| Failure::new(format_args!("no retry from 2000 to 4000 in the opening of {}", show(body))))
}

/// Checks that a request was answered with a moment to come again, and nothing else.
pub(super) fn retry_later(answer: &Response) -> Verdict {
    let body = answer.body();
    let waits = Seen::of(body, None);
    let soft = answer.head.status == 200 && !answer.head.has("x-stream-id") && waits.events.is_empty();
    let shown = || format!("{}, {}", answer.head, show(body));
    check(soft && waits.retry.is_some_and(|time| (1000..=5000).contains(&time)), shown)
}

/// Reads until the stream of a script is open.
pub(super) fn read_opening(stream: &mut Response) -> Verdict {
    stream.read_until(OPEN, SECOND)
}
