//! Drains, each on a server of its own because a drain is final.

use super::limits::{LATER, retry_later};
use super::topics::{Follow, SECOND, patience, position, publish, topic};
use crate::client::{Http2, Request, Response, Seen};
use crate::failure::{check, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use sse_test_support::reader::Change;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const SIGTERM: &str = "SIGTERM and SIGINT drain the hub and exit 0, at the latest when the drain deadline is over.";
const DRAINED: &str = "A drain ends each stream as `drained` with a `retry` from 1000 to 5000 as its last block.";
const WINDOW: &str = "Scripts end when the window of the drain is over; streams of topics end at a moment of their own within the window.";
/// The reconnection time after a drain, in milliseconds.
const AFTER: std::ops::RangeInclusive<u64> = 1000..=5000;
/// A drain deadline for the cases that exit before the deadline, so they need no tolerance.
const DEADLINE: &[&str] = &["--drain-deadline-ms", "3000"];
const BOUND: Duration = Duration::from_secs(3);
/// The tolerance of the case that waits for the deadline itself.
const SLACK: Duration = SECOND;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, options, run: fn(Server) -> Verdict| {
        Case::own(Group::Drain, name, promise, source, options, run)
    };
    let mut cases = vec![
        case(
            "sigterm_with_open_streams",
            "SIGTERM ends open streams and the process by the drain deadline, with exit code 0",
            SIGTERM, DEADLINE, sigterm,
        )
        .timed(Duration::ZERO),
        case("sigterm_without_streams", "SIGTERM ends a process with idle connections by the drain deadline, with exit code 0", SIGTERM, DEADLINE, sigterm_idle)
            .timed(Duration::ZERO),
        case("sigint_acts_as_sigterm", "SIGINT ends open streams and the process by the drain deadline, with exit code 0", SIGTERM, DEADLINE, sigint).timed(Duration::ZERO),
        case(
            "sigterm_waits_for_the_window",
            "after SIGTERM a channel ends at the end of the window, and then the process exits",
            WINDOW,
            &["--drain-window-ms", "700"],
            sigterm_window,
        ),
        case(
            "stalled_client_delays_exit_only_to_the_deadline",
            "a client that does not read delays the exit at most until the deadline",
            SIGTERM,
            &["--drain-deadline-ms", "1500"],
            stalled,
        )
        .timed(SLACK),
        case(
            "drain_ends_every_stream",
            "a drain sends each stream a `retry` from 1 to 5 s and ends the stream as `drained`",
            DRAINED,
            &[],
            every,
        ),
        case(
            "new_clients_are_asked_to_retry_later",
            "while a hub drains, a GET receives a `retry` and the end, and a POST receives 503",
            LATER,
            &[],
            newcomers,
        ),
        case(
            "drain_ends_topic_streams",
            "a drain ends subscriptions too, with a `retry` after the last event",
            DRAINED,
            &[],
            topics,
        ),
        case(
            "drain_is_final",
            "a second drain changes nothing, and every new client is asked to retry later: for topics and over HTTP/2 too",
            "202, no body; the drain begins and is final: the server only refuses softly from then on",
            &[],
            is_final,
        )
        .with([Group::Resumption]),
        case("channels_end_after_the_window", "channels end at the end of the window, and not before", WINDOW, &[], window),
        case(
            "subscriptions_end_spread_over_the_window",
            "each subscription ends at a moment of its own in the window, so that not all clients reconnect at once",
            WINDOW,
            &[],
            spread,
        )
        .timed(Duration::from_millis(600)),
    ];
    // Without signals the process cannot be asked to stop.
    cases.retain(|case| cfg!(unix) || !SIGNALS.contains(&&*case.name));
    cases
}

/// The cases that need SIGTERM.
const SIGNALS: [&str; 5] = [
    "sigterm_with_open_streams",
    "sigterm_without_streams",
    "sigint_acts_as_sigterm",
    "sigterm_waits_for_the_window",
    "stalled_client_delays_exit_only_to_the_deadline",
];

fn open(target: &Target) -> Result<Response, Failure> {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    Ok(stream)
}

fn exits(server: &mut Server, within: Duration) -> Verdict {
    server.terminate()?;
    has_exited(server, within)
}

fn has_exited(server: &mut Server, within: Duration) -> Verdict {
    let asked = Instant::now();
    let status = server.wait(within)?;
    check(status.success(), || format!("after {:?}: {status}", asked.elapsed()))
}

fn sigterm(mut server: Server) -> Verdict {
    let mut streams = (0..20).map(|_| open(server.target())).collect::<Result<Vec<_>, _>>()?;
    exits(&mut server, BOUND)?;
    for stream in &mut streams {
        stream.read_to_end(patience())?;
        retry(stream, &["x"])?;
    }
    Ok(())
}

fn sigterm_idle(mut server: Server) -> Verdict {
    let idle = server.target().read(&Request::get("/about"))?.into_connection()?;
    exits(&mut server, BOUND)?;
    drop(idle);
    Ok(())
}

fn sigint(mut server: Server) -> Verdict {
    let mut stream = open(server.target())?;
    #[cfg(unix)]
    server.interrupt()?;
    has_exited(&mut server, BOUND)?;
    stream.read_to_end(patience())?;
    retry(&stream, &["x"])
}

fn sigterm_window(mut server: Server) -> Verdict {
    let mut stream = open(server.target())?;
    let asked = Instant::now();
    server.terminate()?;
    stream.read_to_end(patience())?;
    let took = asked.elapsed();
    check(took >= Duration::from_millis(650), || format!("ended after {took:?} of a window of 700 ms"))?;
    has_exited(&mut server, patience())
}

fn stalled(mut server: Server) -> Verdict {
    let steps: Vec<_> = (0..300).map(|_| format!(r#"{{"send":{{"data":"{}"}}}}"#, "x".repeat(25_000))).collect();
    let stalled = server.target().ask_narrow(&Request::fetch(format!("[{}]", steps.join(","))))?;
    std::thread::sleep(Duration::from_millis(300));
    exits(&mut server, Duration::from_millis(1500) + SLACK)?;
    drop(stalled);
    Ok(())
}

fn every(server: Server) -> Verdict {
    let target = server.target();
    let mut streams = (0..5).map(|_| open(target)).collect::<Result<Vec<_>, _>>()?;
    drain(target, 0)?;
    for stream in &mut streams {
        stream.read_to_end(patience())?;
        retry(stream, &["x"])?;
        target.ended(&stream.stream_id()?, "drained", patience())?;
    }
    Ok(())
}

fn newcomers(server: Server) -> Verdict {
    let target = server.target();
    drain(target, 0)?;
    let refused = target.read(&Request::script("[]"))?;
    retry_later(&refused)?;
    let times = (0..8).map(|_| Ok(target.read(&Request::script("[]"))?.seen().retry));
    let times = times.collect::<Result<BTreeSet<_>, Failure>>()?;
    check(times.len() > 1, || format!("all clients received the same retry: {}", show(refused.body())))?;
    let posted = target.read(&Request::fetch("[]"))?;
    check(posted.head.status == 503 && posted.head.has("retry-after"), || posted.head.to_string())
}

fn topics(server: Server) -> Verdict {
    let target = server.target();
    let name = topic("drained");
    let mut streams = (0..5).map(|_| Follow::of([&name]).open(target)).collect::<Result<Vec<_>, _>>()?;
    streams.iter_mut().try_for_each(|stream| position(stream).map(drop))?;
    let id = publish(target, &name, "the last")?;
    for stream in &mut streams {
        stream.read_events(1, patience())?;
    }
    drain(target, 0)?;
    for stream in &mut streams {
        stream.read_to_end(patience())?;
        retry(stream, &["the last"])?;
        check(stream.seen().last_event_id.as_ref() == Some(&id), || show(stream.body()))?;
        target.ended(&stream.stream_id()?, "drained", patience())?;
    }
    Ok(())
}

fn is_final(server: Server) -> Verdict {
    let target = server.target();
    drain(target, 0)?;
    drain(target, 60_000)?;
    let refused = target.read(&Follow::of([&topic("late")]).after("forged").request())?;
    retry_later(&refused)?;
    if !target.about()?.offers(Group::Http2) {
        return Ok(());
    }
    let http2 = Http2::open(target)?;
    let mut refused = http2.ask(&Request::script("[]"))?;
    refused.read_until(None, patience())?;
    check(refused.header("x-stream-id").is_none(), || format!("{:?}", refused.head))?;
    let seen = Seen::of(refused.body(), None);
    check(seen.retry.is_some_and(|ms| AFTER.contains(&ms)) && seen.events.is_empty(), || show(refused.body()))
}

fn window(server: Server) -> Verdict {
    let target = server.target();
    let mut stream = open(target)?;
    let asked = Instant::now();
    drain(target, 700)?;
    stream.read_to_end(patience())?;
    let took = asked.elapsed();
    check(took >= Duration::from_millis(650), || format!("ended after {took:?} of a window of 700 ms"))
}

fn spread(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("spread"));
    let mut streams = (0..16).map(|_| Follow::of([&name]).open(target)).collect::<Result<Vec<_>, _>>()?;
    streams.iter_mut().try_for_each(|stream| position(stream).map(drop))?;
    let asked = Instant::now();
    drain(target, 800)?;
    let ends: Result<Vec<Duration>, Failure> = std::thread::scope(|scope| {
        let end = |stream: &mut Response| stream.read_to_end(patience()).map(|()| asked.elapsed());
        let readers: Vec<_> = streams.iter_mut().map(|stream| scope.spawn(move || end(stream))).collect();
        readers
            .into_iter()
            .map(|reader| reader.join().map_err(|_| Failure::new("a thread of a client panicked"))?)
            .collect()
    });
    let ends = ends?;
    // Sixteen random moments fall into one quarter of the window with a probability of one in 10^8.
    let between = ends.iter().max().zip(ends.iter().min()).map(|(last, first)| *last - *first);
    check(between > Some(Duration::from_millis(200)), || format!("ended after {ends:?}"))
}

pub(super) fn drain(target: &Target, window_ms: u64) -> Verdict {
    let answer = target.read(&Request::new("POST", format!("/drain?window_ms={window_ms}")).body(""))?;
    check(answer.head.status == 202 && answer.body().is_empty(), || answer.head.to_string())
}

/// The stream must hold exactly these events, and end with a reconnection time from 1,000 to 5,000 ms.
fn retry(stream: &Response, events: &[&str]) -> Verdict {
    let last = stream.reader().changes().last();
    let fine = matches!(last, Some(Change::Retry(ms)) if AFTER.contains(ms));
    check(fine && stream.seen().data() == events, || {
        format!("no retry of {AFTER:?} at the end: {}", show(stream.body()))
    })
}
