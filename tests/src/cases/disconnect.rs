//! Clients that disconnect.

use super::topics::{Follow, SECOND, patience, position, topic};
use crate::{Case, Failure, Group, Target, Verdict};
use std::time::Duration;

/// The sentences of the contract.
pub(super) const WITHIN_A_SECOND: &str = "A client that closes its socket is `gone` within 1 s on HTTP/1, keep-alive on or off, when it sent nothing after its request (on actix: half-close off);";
pub(super) const OTHERWISE: &str = "in every other case within two keep-alive intervals and 1 s.";

/// The tolerance of a promise about time, for a machine that is busy.
pub(super) const SLACK: Duration = SECOND;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(Group::Disconnect, name, promise, WITHIN_A_SECOND, run).timed(SLACK)
    };
    vec![
        case("closed_socket_is_noticed", "a client that closes its socket is `gone` within 1 s", closed),
        case(
            "closed_socket_of_a_topic_stream_is_noticed",
            "a client of topics that closes its socket is `gone` within 1 s",
            |target| {
                let mut stream = Follow::of([&topic("left")]).open(target)?;
                position(&mut stream)?;
                let id = stream.stream_id()?;
                drop(stream);
                target.ended(&id, "gone", SECOND + SLACK)
            },
        )
        .with([Group::Resumption]),
        case(
            "closed_socket_is_noticed_between_events",
            "a client that closes its socket between events is `gone` within 1 s",
            busy,
        ),
        Case::own(
            Group::Disconnect,
            "closed_socket_is_noticed_without_keep_alive",
            "without keep-alives a client that closes its socket is `gone` within 1 s",
            WITHIN_A_SECOND,
            &["--keep-alive-ms", "0"],
            |server| closed(server.target()),
        )
        .timed(SLACK),
    ]
}

/// How long a server may take to notice the client in the other cases.
pub(super) fn otherwise(target: &Target) -> Result<Duration, Failure> {
    Ok(Duration::from_millis(2 * target.about()?.keep_alive_ms) + SECOND + SLACK)
}

fn closed(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    let id = stream.stream_id()?;
    drop(stream);
    target.ended(&id, "gone", SECOND + SLACK)
}

fn busy(target: &Target) -> Verdict {
    let steps: Vec<_> = (0..200).map(|n| format!(r#"{{"send":{{"data":"{n}"}}}},{{"sleep":10}}"#)).collect();
    let mut stream = target.script(&format!("[{}]", steps.join(",")))?;
    stream.read_events(3, patience())?;
    let id = stream.stream_id()?;
    drop(stream);
    target.ended(&id, "gone", SECOND + SLACK)
}
