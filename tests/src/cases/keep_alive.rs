//! Keep-alives, at the interval that the server tells.

use super::opening::OPEN;
use super::topics::{Follow, position, topic};
use crate::failure::{check, same, show};
use crate::target::ANSWER;
use crate::{Case, Failure, Group, Target, Verdict};
use std::time::{Duration, Instant};

pub(super) fn cases() -> Vec<Case> {
    let source = "DESIGN 4.4; WHATWG HTML 9.2.7";
    let case =
        |name: &str, promise, run: fn(&Target) -> Verdict| Case::on(Group::KeepAlive, name, promise, source, run);
    vec![
        case("keep_alive_comes_on_time", "one comment line after each interval without a write", on_time),
        case("on_topics_too", "streams that follow topics have them as well", |target| {
            let mut stream = Follow::of([&topic("quiet")]).open(target)?;
            position(&mut stream)?;
            let opening = stream.body().len();
            stream.read_for(interval(target)? * 3 / 2)?;
            let since = stream.body().get(opening..).unwrap_or_default();
            // Behind a log it is the position, where that has moved on without this topic.
            let is_position = since.starts_with(b"event: sse-position\nid: ") && since.ends_with(b"\ndata: {}\n\n");
            if is_position { Ok(()) } else { same("what follows the opening", ":\n", since) }
        })
        .with([Group::Resumption]),
        case("a_write_resets_it", "the interval begins again with every write", reset),
        Case::own(
            Group::KeepAlive,
            "off_is_silent",
            "with keep-alives off nothing is written",
            "CONFORMANCE, --keep-alive-ms",
            &["--keep-alive-ms", "0"],
            |server| {
                let mut stream = server.target().script("[]")?;
                stream.read_for(Duration::from_millis(1200))?;
                same("the body", OPEN, stream.body())
            },
        ),
    ]
}

fn interval(target: &Target) -> Result<Duration, Failure> {
    let ms = target.about()?.keep_alive_ms;
    check(ms > 0, || "keep-alives are off here".to_owned())?;
    Ok(Duration::from_millis(ms))
}

fn on_time(target: &Target) -> Verdict {
    let interval = interval(target)?;
    let mut stream = target.script("[]")?;
    stream.read_until(OPEN, interval)?;
    for round in 1..=3 {
        let before = Instant::now();
        stream.read_until(format!("{OPEN}{}", ":\n".repeat(round)), interval * 2)?;
        let took = before.elapsed();
        check(took + interval / 5 >= interval, || format!("round {round} came after {took:?}, not {interval:?}"))?;
    }
    same("the body", format!("{OPEN}:\n:\n:\n"), stream.body())
}

fn reset(target: &Target) -> Verdict {
    let interval = interval(target)?;
    let pause = interval.as_millis() * 2 / 3;
    let steps = format!(
        r#"[{{"send":{{"data":"1"}}}},{{"sleep":{pause}}},{{"send":{{"data":"2"}}}},{{"sleep":{pause}}},{{"send":{{"data":"3"}}}},{{"close":true}}]"#
    );
    let mut stream = target.script(&steps)?;
    // As long as it takes, which at the usual interval of 15 s is longer than any other answer may.
    stream.read_to_end(interval * 2 + ANSWER)?;
    let body = stream.body();
    check(!body.windows(3).any(|bytes| bytes == b"\n:\n"), || format!("a keep-alive among {}", show(body)))
}
