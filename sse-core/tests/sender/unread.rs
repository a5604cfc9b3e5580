//! The warning on standard error about a send that waits before the first poll of the body.

use super::*;
use std::process::Command;

/// The environment variable of the child process whose standard error the test reads.
const CHILD: &str = "SSE_TEST_SENDS_BEFORE_THE_RESPONSE_IS_READ";

#[test]
fn send_that_waits_before_the_stream_is_read_warns_once_with_its_line() {
    if std::env::var_os(CHILD).is_some() {
        return sends();
    }
    let this = "unread::send_that_waits_before_the_stream_is_read_warns_once_with_its_line";
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", this, "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stderr).unwrap();
    let warnings: Vec<_> = printed.lines().filter(|line| line.starts_with("warning: sse-core: the send at ")).collect();
    if !cfg!(debug_assertions) {
        assert!(warnings.is_empty(), "{printed}");
        return;
    }
    let [warning] = warnings[..] else { panic!("not one warning: {printed}") };
    assert!(warning.contains(&format!("{}:{}:", file!(), LINE)), "{warning}");
    assert!(warning.contains("in the future of `Sse::run`"), "{warning}");
}

/// The line of the call of `send`.
const LINE: u32 = line!() + 6;

fn sends() {
    let (events, response) = Clock::new().sse().buffer(2 * SMALL).channel();
    for _ in 0..4 {
        // Two of the four sends find room, and two wait.
        let mut send = task::spawn(events.send("x"));
        let _ = send.poll();
        std::mem::forget(send);
    }
    drop(response);

    // A send that waits while the stream is polled is not a mistake.
    let (events, mut reader) = open_with_buffer(SMALL);
    assert_ready_eq!(task::spawn(events.send("x")).poll(), Ok(()));
    assert_pending!(task::spawn(events.send("x")).poll());
    reader.text();
}
