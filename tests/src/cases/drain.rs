//! Going down: each on a server of its own, because a drain is final.

use super::topics::{Follow, SECOND, position, publish, topic};
use crate::client::{Http2, Request, Response};
use crate::failure::{check, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, options, run: fn(Server) -> Verdict| {
        Case::own(Group::Drain, name, promise, source, options, run)
    };
    let mut cases = vec![
        case(
            "sigterm_with_open_streams",
            "SIGTERM ends open streams and the process within 1 s, exit code 0",
            "CONFORMANCE; DESIGN 5, drain",
            &[],
            sigterm,
        ),
        case(
            "sigterm_without_streams",
            "so it does with idle connections alone",
            "CONFORMANCE; DESIGN 5, drain",
            &[],
            sigterm_idle,
        ),
        case("sigint_is_sigterm", "SIGINT does the same", "CONFORMANCE", &[], sigint),
        case(
            "sigterm_waits_for_its_window",
            "after SIGTERM a channel ends when the window is over, and then the process does",
            "CONFORMANCE, --drain-window-ms",
            &["--drain-window-ms", "700"],
            sigterm_window,
        ),
        case(
            "the_deadline_holds",
            "a reader that does not read delays the end no longer than the deadline",
            "CONFORMANCE, --drain-deadline-ms",
            &["--drain-deadline-ms", "1500"],
            stalled,
        ),
        case(
            "drain_reaches_every_stream",
            "a drain sends each stream a retry from 1 to 5 s and ends it as drained",
            "DESIGN 5, drain",
            &[],
            every,
        ),
        case(
            "newcomers_are_refused_softly",
            "while a hub drains a GET is told when to come back, a POST gets 503",
            "DESIGN 5, drain",
            &[],
            newcomers,
        ),
        case(
            "topics_are_drained_too",
            "a drain ends subscriptions as well, with a retry after what they were told",
            "DESIGN 5, drain",
            &[],
            topics,
        ),
        case(
            "a_drain_is_final",
            "a second drain changes nothing, and every newcomer is refused: topics, and HTTP/2",
            "CONFORMANCE, /drain",
            &[],
            is_final,
        ),
        case(
            "a_window_is_waited_for",
            "channels end when the window is over, and not before",
            "DESIGN 5, drain",
            &[],
            window,
        ),
        case(
            "subscriptions_end_all_over_the_window",
            "each subscription ends at a moment of its own in the window, so that not all come back at once",
            "DESIGN 5, drain; reliability D4",
            &[],
            spread,
        ),
    ];
    // Elsewhere a process cannot be asked to stop, only be stopped.
    cases.retain(|case| cfg!(unix) || !SIGNALS.contains(&&*case.name));
    cases
}

/// What needs SIGTERM.
const SIGNALS: [&str; 5] = [
    "sigterm_with_open_streams",
    "sigterm_without_streams",
    "sigint_is_sigterm",
    "sigterm_waits_for_its_window",
    "the_deadline_holds",
];

fn open(target: &Target) -> Result<Response, Failure> {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_until("data: x\n\n", SECOND * 5)?;
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
    exits(&mut server, SECOND)?;
    for stream in &mut streams {
        stream.read_to_end(SECOND)?;
        retry(stream.body(), "data: x\n\n")?;
    }
    Ok(())
}

fn sigterm_idle(mut server: Server) -> Verdict {
    let idle = server.target().read(&Request::get("/about"))?.into_connection()?;
    exits(&mut server, SECOND)?;
    drop(idle);
    Ok(())
}

fn sigint(mut server: Server) -> Verdict {
    let mut stream = open(server.target())?;
    #[cfg(unix)]
    server.interrupt()?;
    has_exited(&mut server, SECOND)?;
    stream.read_to_end(SECOND)?;
    retry(stream.body(), "data: x\n\n")
}

fn sigterm_window(mut server: Server) -> Verdict {
    let mut stream = open(server.target())?;
    let asked = Instant::now();
    server.terminate()?;
    stream.read_to_end(SECOND * 3)?;
    let took = asked.elapsed();
    check(took >= Duration::from_millis(650), || format!("ended after {took:?} of a window of 700 ms"))?;
    has_exited(&mut server, SECOND * 2)
}

fn stalled(mut server: Server) -> Verdict {
    let steps: Vec<_> = (0..300).map(|_| format!(r#"{{"send":{{"data":"{}"}}}}"#, "x".repeat(25_000))).collect();
    let stalled = server.target().ask_narrow(&Request::fetch(format!("[{}]", steps.join(","))))?;
    std::thread::sleep(Duration::from_millis(300));
    exits(&mut server, SECOND * 3)?;
    drop(stalled);
    Ok(())
}

fn every(server: Server) -> Verdict {
    let target = server.target();
    let mut streams = (0..5).map(|_| open(target)).collect::<Result<Vec<_>, _>>()?;
    drain(target, 0)?;
    for stream in &mut streams {
        stream.read_to_end(SECOND)?;
        retry(stream.body(), "data: x\n\n")?;
        target.ended(&stream.stream_id()?, "drained", SECOND)?;
    }
    Ok(())
}

fn newcomers(server: Server) -> Verdict {
    let target = server.target();
    drain(target, 0)?;
    let refused = target.read(&Request::script("[]"))?;
    check(refused.head.status == 200, || refused.head.to_string())?;
    check(!refused.head.has("x-stream-id"), || format!("an id of no stream: {}", refused.head))?;
    retry(refused.body(), "")?;
    let times = (0..8).map(|_| Ok(target.read(&Request::script("[]"))?.body().to_vec()));
    let times = times.collect::<Result<BTreeSet<_>, Failure>>()?;
    check(times.len() > 1, || format!("all are told the same: {}", show(refused.body())))?;
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
        stream.read_events(1, SECOND * 5)?;
    }
    drain(target, 0)?;
    for stream in &mut streams {
        stream.read_to_end(SECOND)?;
        retry(stream.body(), &format!("data: the last\nid: {id}\n\n"))?;
        target.ended(&stream.stream_id()?, "drained", SECOND)?;
    }
    Ok(())
}

fn is_final(server: Server) -> Verdict {
    let target = server.target();
    drain(target, 0)?;
    drain(target, 60_000)?;
    let refused = target.read(&Follow::of([&topic("late")]).after("forged").request())?;
    let head = &refused.head;
    let soft = head.status == 200 && head.header("content-type") == Some("text/event-stream");
    check(soft && !head.has("x-stream-id") && !head.has("x-resumption"), || head.to_string())?;
    retry(refused.body(), "")?;
    let http2 = Http2::open(target)?;
    let mut refused = http2.ask(&Request::script("[]"))?;
    refused.read_until(None, SECOND)?;
    check(refused.header("x-stream-id").is_none(), || format!("{:?}", refused.head))?;
    retry(refused.body(), "")
}

fn window(server: Server) -> Verdict {
    let target = server.target();
    let mut stream = open(target)?;
    let asked = Instant::now();
    drain(target, 700)?;
    stream.read_to_end(SECOND * 3)?;
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
        let end = |stream: &mut Response| stream.read_to_end(SECOND * 5).map(|()| asked.elapsed());
        let readers: Vec<_> = streams.iter_mut().map(|stream| scope.spawn(move || end(stream))).collect();
        readers.into_iter().map(|reader| reader.join().map_err(|_| Failure::new("a reader panicked"))?).collect()
    });
    let ends = ends?;
    // Sixteen moments in one quarter of the window are no chance.
    let between = ends.iter().max().zip(ends.iter().min()).map(|(last, first)| *last - *first);
    check(between > Some(Duration::from_millis(200)), || format!("ended after {ends:?}"))
}

pub(super) fn drain(target: &Target, window_ms: u64) -> Verdict {
    let answer = target.read(&Request::new("POST", format!("/drain?window_ms={window_ms}")).body(""))?;
    check(answer.head.status == 202 && answer.body().is_empty(), || answer.head.to_string())
}

/// The last block is a `retry` from 1,000 to 5,000 ms, after this.
fn retry(body: &[u8], after: &str) -> Verdict {
    let text = String::from_utf8_lossy(body);
    let last = text.strip_suffix("\n\n").and_then(|text| text.rsplit_once("retry: "));
    let (before, ms) = last.ok_or_else(|| Failure::new(format_args!("no retry at the end of {}", show(body))))?;
    let in_range = ms.parse().is_ok_and(|ms: u64| (1000..=5000).contains(&ms));
    check(in_range && before.ends_with(after), || show(body))
}
