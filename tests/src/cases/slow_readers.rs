//! Readers that do not read.

use crate::client::Request;
use crate::failure::{check, same};
use crate::target::ANSWER;
use crate::{Case, Group, Target, Verdict};
use std::time::{Duration, Instant};

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(Group::SlowReaders, name, promise, "DESIGN 5, slow readers", run)
    };
    vec![
        case("it_loses_nothing", "a reader that pauses gets every byte once it reads", pause),
        case("it_holds_up_nobody", "other streams go on while one reader does not read", others),
    ]
}

/// More than a kernel takes from a sender whose reader sleeps.
fn much() -> (String, Vec<u8>) {
    let text = "s".repeat(20_000);
    let steps: Vec<_> = (0..380).map(|n| format!(r#"{{"send":{{"data":"{n} {text}"}}}}"#)).collect();
    let body: String = (0..380).map(|n| format!("data: {n} {text}\n\n")).collect();
    (format!("[{},{{\"close\":true}}]", steps.join(",")), format!(":\n{body}").into_bytes())
}

/// The body without keep-alives, which stand between blocks.
fn without_keep_alives(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let (opening, rest) = text.split_at(2.min(text.len()));
    format!("{opening}{}", rest.replace("\n:\n", "\n")).into_bytes()
}

fn pause(target: &Target) -> Verdict {
    let (steps, expected) = much();
    let mut stream = target.ask(&Request::fetch(steps))?;
    std::thread::sleep(Duration::from_secs(1));
    let id = stream.stream_id()?;
    let state = target.state(&id)?;
    check(state.active, || format!("all was taken without a reader: {state:?}"))?;
    stream.read_to_end(ANSWER)?;
    same("the body", expected, without_keep_alives(stream.body()))?;
    target.ended(&id, "closed", Duration::from_secs(1))
}

fn others(target: &Target) -> Verdict {
    let stalled = target.ask(&Request::fetch(much().0))?;
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..20 {
        let asked = Instant::now();
        target.script(r#"[{"send":{"data":"x"}}]"#)?.read_until("data: x\n\n", Duration::from_secs(2))?;
        check(asked.elapsed() < Duration::from_secs(1), || format!("it took {:?}", asked.elapsed()))?;
    }
    let id = stalled.stream_id()?;
    drop(stalled);
    target.ended(&id, "gone", Duration::from_secs(1))
}
