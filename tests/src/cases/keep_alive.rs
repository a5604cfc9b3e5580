//! Keep-alives, at the interval that the server announces.

use super::topics::{Follow, patience, position, publish, topic};
use crate::client::Response;
use crate::failure::{alike, check, show};
use crate::{Case, Failure, Group, Target, Verdict};
use std::time::{Duration, Instant};

const GETS_BYTES: &str = "A stream on which nothing was written for the interval gets bytes that dispatch no event.";

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name: &str, promise, run: fn(&Target) -> Verdict| Case::on(Group::KeepAlive, name, promise, GETS_BYTES, run);
    vec![
        case("keep_alive_comes_on_time", "a keep-alive is sent after each interval without a write", on_time)
            .timed(SLACK),
        case("keep_alive_never_cuts_an_event", "a keep-alive is sent between events, never inside an event", whole),
        case("topic_stream_has_keep_alives", "streams of topics have keep-alives too", |target| {
            let name = topic("quiet");
            let mut stream = Follow::of([&name]).open(target)?;
            position(&mut stream)?;
            publish(target, &name, "x")?;
            stream.read_events(1, patience())?;
            after(&mut stream, 1, interval(target)?).map(drop)
        })
        .with([Group::Resumption, Group::Publish]),
        Case::own(
            Group::KeepAlive,
            "no_keep_alive_when_turned_off",
            "with keep-alives off an idle stream receives no bytes",
            "0 turns it off",
            &["--keep-alive-ms", "0"],
            |server| {
                let mut stream = server.target().script(r#"[{"send":{"data":"x"}}]"#)?;
                stream.read_events(1, patience())?;
                let before = stream.body().len();
                stream.read_for(Duration::from_millis(1200))?;
                check(stream.body().len() == before, || format!("after {before} bytes: {}", show(stream.body())))
            },
        ),
    ]
}

/// How late a keep-alive may be, after the interval.
const SLACK: Duration = Duration::from_secs(1);

fn interval(target: &Target) -> Result<Duration, Failure> {
    let ms = target.about()?.keep_alive_ms;
    if ms == 0 {
        return Err(Failure::out_of_scope("keep-alives are off"));
    }
    Ok(Duration::from_millis(ms))
}

/// Counts comments and blocks without data, the possible forms of a keep-alive.
fn ticks(stream: &Response) -> usize {
    stream.reader().comments().len() + stream.reader().without_data() + stream.reader().reserved().len()
}

/// Waits for this many keep-alives from now on, and fails at an event.
fn after(stream: &mut Response, count: usize, interval: Duration) -> Result<Instant, Failure> {
    let (events, already) = (stream.seen().events.len(), ticks(stream));
    for more in 1..=count {
        stream.read_until_seen("keep-alive", interval + patience(), |reader| {
            reader.comments().len() + reader.without_data() + reader.reserved().len() >= already + more
                || reader.events().count() > events
        })?;
        check(stream.seen().events.len() == events, || {
            format!("a keep-alive that is an event: {}", show(stream.body()))
        })?;
    }
    Ok(Instant::now())
}

fn on_time(target: &Target) -> Verdict {
    let interval = interval(target)?;
    let asked = Instant::now();
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    let took = after(&mut stream, 3, interval)? - asked;
    // The contract allows earlier keep-alives.
    check(took < interval * 3 + SLACK, || format!("three keep-alives took {took:?} at an interval of {interval:?}"))
}

fn whole(target: &Target) -> Verdict {
    let pause = interval(target)?.as_millis() * 3 / 2;
    // The data has one line: a server that cannot send two must not be accused of a keep-alive that cuts an event.
    let event = |n: u32| format!(r#"{{"send":{{"id":"{n}","event":"tick","data":"{n}"}}}}"#);
    let steps = format!(r#"[{},{{"sleep":{pause}}},{},{{"close":true}}]"#, event(1), event(2));
    let mut stream = target.script(&steps)?;
    stream.read_to_end(Duration::from_millis(u64::try_from(pause).unwrap_or_default()) + patience())?;
    let block = |n: u32| format!("id: {n}\nevent: tick\ndata: {n}\n\n");
    alike("the stream", block(1) + &block(2), stream.body())
}
