//! Bytes that a client sends after the request.

use super::disconnect::{OTHERWISE, SLACK, otherwise};
use super::topics::patience;
use crate::client::Request;
use crate::failure::{alike, check};
use crate::{Case, Group, Target, Verdict};

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, run: fn(&Target) -> Verdict| {
        Case::on(Group::Pipelining, name, promise, source, run)
    };
    vec![
        case(
            "early_request_is_answered_after_the_stream",
            "a request sent during a stream is answered after the end of the stream",
            IN_TURN,
            after,
        ),
        case("early_stream_request_opens_in_turn", "a request for a stream that was sent early is answered in its turn", IN_TURN, before),
        case("bytes_during_a_stream_change_nothing", "bytes that arrive during a stream do not disturb the stream", IN_TURN, within),
        case(
            "client_that_leaves_unread_bytes_is_noticed",
            "a client that sent more than its request and disconnects is `gone` within two keep-alive intervals and 1 s",
            OTHERWISE,
            gone,
        )
        .timed(SLACK),
    ]
}

const IN_TURN: &str = "Requests that a client sends early are answered in their turn, and disturb no open stream.";

const STEPS: &str = r#"[{"send":{"data":"x"}},{"sleep":100},{"send":{"data":"y"}},{"close":true}]"#;
const BODY: &str = "data: x\n\ndata: y\n\n";

fn after(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    connection.send(&[Request::script(STEPS).to_bytes(), Request::get("/about").to_bytes()].concat())?;
    let mut stream = connection.answer(false)?;
    stream.read_to_end(patience())?;
    alike("the stream", BODY, stream.body())?;
    let next = stream.into_rest()?.answer(false)?;
    check(next.head.status == 200, || next.head.to_string())
}

fn before(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    connection.send(&[Request::get("/about").to_bytes(), Request::script(STEPS).to_bytes()].concat())?;
    let mut about = connection.answer(false)?;
    about.read_to_end(patience())?;
    let mut stream = about.into_rest()?.answer(false)?;
    stream.read_to_end(patience())?;
    alike("the stream", BODY, stream.body())
}

fn within(target: &Target) -> Verdict {
    let steps: Vec<_> = (0..10).map(|n| format!(r#"{{"send":{{"data":"{n}"}}}},{{"sleep":30}}"#)).collect();
    let mut stream = target.script(&format!("[{},{{\"close\":true}}]", steps.join(",")))?;
    for at in 0..5 {
        stream.read_events(at + 1, patience())?;
        stream.connection().send(b"GET /about HTTP/1.1\r\nhost: conformance\r\n\r\n")?;
    }
    let seen = stream.read_events(10, patience())?;
    check(seen.data() == ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], || crate::failure::show(stream.body()))
}

fn gone(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    stream.connection().send(b"GET /about HTTP/1.1\r\nhost: conformance\r\n\r\n")?;
    let id = stream.stream_id()?;
    drop(stream);
    target.ended(&id, "gone", otherwise(target)?)
}
