//! Clients that leave.

use super::opening;
use super::topics::{Follow, SECOND, position, topic};
use crate::{Case, Group, Target, Verdict};

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(Group::Disconnect, name, promise, "CONFORMANCE, routes", run)
    };
    vec![
        case("a_closed_socket_is_noticed", "a client that closes its socket is gone within 1 s", closed),
        case("a_reader_of_topics_is_noticed", "so is one that follows topics", |target| {
            let mut stream = Follow::of([&topic("left")]).open(target)?;
            position(&mut stream)?;
            let id = stream.stream_id()?;
            drop(stream);
            target.ended(&id, "gone", SECOND)
        })
        .with([Group::Resumption]),
        case("a_busy_stream_notices", "so it is in the middle of events", busy),
        Case::own(
            Group::Disconnect,
            "noticed_without_keep_alive",
            "a client that closes its socket is gone within 1 s, keep-alive off",
            "CONFORMANCE, routes",
            &["--keep-alive-ms", "0"],
            |server| closed(server.target()),
        ),
    ]
}

fn closed(target: &Target) -> Verdict {
    let mut stream = target.script("[]")?;
    opening::read_opening(&mut stream)?;
    let id = stream.stream_id()?;
    drop(stream);
    target.ended(&id, "gone", SECOND)
}

fn busy(target: &Target) -> Verdict {
    let steps: Vec<_> = (0..200).map(|n| format!(r#"{{"send":{{"data":"{n}"}}}},{{"sleep":10}}"#)).collect();
    let mut stream = target.script(&format!("[{}]", steps.join(",")))?;
    stream.read_until("data: 3\n\n", SECOND * 5)?;
    let id = stream.stream_id()?;
    drop(stream);
    target.ended(&id, "gone", SECOND)
}
