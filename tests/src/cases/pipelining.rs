//! Bytes that a client sends after its request.

use crate::client::Request;
use crate::failure::same;
use crate::target::ANSWER;
use crate::{Case, Group, Target, Verdict};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, run: fn(&Target) -> Verdict| {
        Case::on(Group::Pipelining, name, promise, source, run)
    };
    vec![
        case(
            "a_pipelined_request_waits_for_the_stream",
            "a request sent behind a stream's is answered when the stream has ended",
            "RFC 9112 9.3.2",
            pipelined,
        ),
        case(
            "noticed_behind_a_pipelined_byte",
            "a client that sent more and closed is gone within two keep-alives and 1 s",
            "CONFORMANCE, routes",
            noticed,
        ),
    ]
}

fn pipelined(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    let first = Request::script(r#"[{"sleep":100},{"send":{"data":"1"}},{"close":true}]"#).to_bytes();
    let second = Request::script(r#"[{"send":{"data":"2"}},{"close":true}]"#).to_bytes();
    connection.send(&[first, second].concat())?;
    let mut response = connection.answer(false)?;
    response.read_to_end(ANSWER)?;
    same("the first body", ":\ndata: 1\n\n", response.body())?;
    let mut response = response.into_rest()?.answer(false)?;
    response.read_to_end(ANSWER)?;
    same("the second body", ":\ndata: 2\n\n", response.body())
}

fn noticed(target: &Target) -> Verdict {
    let mut stream = target.script("[]")?;
    stream.read_until(":\n", ANSWER)?;
    let id = stream.stream_id()?;
    stream.connection().send(b"G")?;
    std::thread::sleep(Duration::from_millis(100));
    drop(stream);
    let keep_alive = Duration::from_millis(target.about()?.keep_alive_ms);
    target.ended(&id, "gone", keep_alive * 2 + Duration::from_secs(1))
}
