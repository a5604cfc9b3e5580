//! Watches the stream for a while, and resumes from the first ID.

use super::Probe;
use super::report::{Finding, Findings, note, ok, wrong};
use crate::Failure;
use crate::cases::{is_stream, list};
use crate::client::Response;
use sse_test_support::reader::Event;
use std::thread;
use std::time::{Duration, Instant};

/// The bound for "at once".
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long the resumed stream may take to send the missed events.
const RESUME: Duration = Duration::from_secs(5);

/// Requests the stream and judges the head.
pub(super) fn open(probe: &Probe, findings: &mut Findings) -> Result<Option<Response>, Failure> {
    let asked = Instant::now();
    let response = probe.url.target.ask(&probe.request())?;
    let (head, took) = (&response.head, asked.elapsed());
    match head.status {
        200 => findings.extend([ok("status", 200)]),
        204 => {
            findings.extend([wrong("status", "204: the server asks clients to stop for good; there is no stream")]);
            return Ok(None);
        }
        status => {
            findings.extend([wrong(
                "status",
                format_args!("{status}: an EventSource gives up at once and for good\n{head}"),
            )]);
            return Ok(None);
        }
    }
    let content_type = head.header("content-type").unwrap_or("none");
    if !is_stream(head) {
        findings.extend([wrong("type", format_args!("{content_type}: an EventSource takes text/event-stream only"))]);
        return Ok(None);
    }
    findings.extend([ok("type", content_type)]);
    findings.extend([if took < AT_ONCE {
        ok("head", format_args!("after {} ms", took.as_millis()))
    } else {
        wrong("head", format_args!("after {took:.1?}: the server holds it back, and `open` fires late"))
    }]);
    let cache = list(head, "cache-control");
    findings.extend([if cache.contains("no-store") || cache.contains("no-cache") {
        ok("caching", head.header("cache-control").unwrap_or_default())
    } else {
        wrong("caching", "nothing in cache-control forbids it; send `cache-control: no-store, no-transform`")
    }]);
    let nginx = list(head, "x-accel-buffering").contains("no");
    findings.extend([if nginx {
        ok("proxies", "x-accel-buffering: no")
    } else {
        note("proxies", "nginx buffers this stream unless it is configured; send `x-accel-buffering: no`")
    }]);
    if head.has("content-length") {
        findings.extend([wrong("framing", "the stream has a content-length, so it is not open-ended")]);
    }
    Ok(Some(response))
}

/// The observations, with their times.
struct Seen {
    first: Option<Duration>,
    longest: Duration,
    took: Duration,
    failure: Option<Failure>,
}

pub(super) fn watch(probe: &Probe, mut stream: Response) -> Vec<Finding> {
    let begun = Instant::now();
    let mut seen = Seen { first: None, longest: Duration::ZERO, took: Duration::ZERO, failure: None };
    let mut last = begun;
    let mut resumed = None;
    while begun.elapsed() < probe.watch && !stream.is_ended() {
        let before = stream.body().len();
        if let Err(failure) = stream.read_for(Duration::from_millis(50)) {
            seen.failure = Some(failure);
            break;
        }
        if stream.body().len() > before {
            seen.first.get_or_insert_with(|| begun.elapsed());
            seen.longest = seen.longest.max(last.elapsed());
            last = Instant::now();
        }
        let with_id: Vec<Event> =
            stream.reader().events().filter(|event| !event.id.is_empty()).take(2).cloned().collect();
        if let ([first, _], true) = (&*with_id, resumed.is_none()) {
            let (request, target) = (probe.request().header("last-event-id", &first.id), probe.url.target.clone());
            resumed = Some(thread::spawn(move || {
                let mut stream = target.ask(&request)?;
                stream.read_for(RESUME)?;
                Ok::<_, Failure>(stream)
            }));
        }
    }
    seen.longest = seen.longest.max(last.elapsed());
    seen.took = begun.elapsed();
    let mut findings = vec![first_byte(&seen), silence(probe, &seen, &stream)];
    findings.extend(blocks(&stream));
    findings.push(end(&seen, &stream));
    findings.push(retry(&stream));
    findings.push(ids(&stream));
    findings.push(resume(&stream, resumed.map(|resumed| resumed.join())));
    findings
}

fn first_byte(seen: &Seen) -> Finding {
    match seen.first {
        Some(first) if first < AT_ONCE => ok("first byte", format_args!("after {} ms", first.as_millis())),
        Some(first) => wrong(
            "first byte",
            format_args!("after {first:.1?}: send a comment line at once, or some clients and proxies wait"),
        ),
        None => wrong("first byte", "none: send a comment line at once, or some clients and proxies wait"),
    }
}

fn silence(probe: &Probe, seen: &Seen, stream: &Response) -> Finding {
    let longest = seen.longest;
    if stream.is_ended() {
        return note("keep-alive", "not judged: the stream ended");
    }
    if longest + Duration::from_secs(1) >= probe.watch {
        let words =
            "send a comment line every 15 s: proxies close silent connections, and a lost client stays unnoticed";
        return note("keep-alive", format_args!("no byte for {longest:.0?}; {words}"));
    }
    let (comments, events) = (stream.reader().comments().len(), stream.reader().events().count());
    ok(
        "keep-alive",
        format_args!("the longest silence was {longest:.1?}, with {events} events and {comments} comments"),
    )
}

fn blocks(stream: &Response) -> Vec<Finding> {
    let (body, reader) = (stream.body(), stream.reader());
    let mut findings = Vec::new();
    let events = reader.events().count();
    let text = String::from_utf8_lossy(body);
    let known = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        !line.is_empty() && !["", "data", "event", "id", "retry"].contains(&name)
    };
    let whole = text.rsplit_once(['\n', '\r']).map_or("", |(whole, _)| whole);
    if let Some(line) = whole.split(['\n', '\r']).map(|line| line.trim_start_matches('\u{feff}')).find(known) {
        let line: String = line.chars().take(60).collect();
        findings.push(wrong(
            "fields",
            format_args!("clients ignore the line {line:?}; fields are data, event, id and retry"),
        ));
    }
    if text.contains('\u{fffd}') && str::from_utf8(body).is_err_and(|error| error.error_len().is_some()) {
        findings.push(wrong("encoding", "bytes that are not UTF-8; clients show replacement characters"));
    }
    // The part after the last blank line.
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let rest = lines.rsplit_once("\n\n").map_or(&*lines, |(_, rest)| rest);
    let waiting = rest.lines().any(|line| !line.is_empty() && !line.starts_with(':'));
    findings.push(if waiting && stream.is_ended() {
        wrong("buffering", "the stream ended within a block: no blank line follows it, so clients never see it")
    } else if waiting {
        wrong("buffering", format_args!("half a block arrived and its end did not; something holds bytes back, or the blank line is missing: {rest:?}"))
    } else if events == 0 {
        note("buffering", "not judged: no event came")
    } else {
        ok("buffering", format_args!("{events} events, each of them whole"))
    });
    findings
}

fn end(seen: &Seen, stream: &Response) -> Finding {
    let took = seen.took;
    match &seen.failure {
        Some(failure) => wrong("end", format_args!("cut off after {took:.1?}: {failure}")),
        None if stream.is_ended() => {
            note("end", format_args!("the server ended the stream after {took:.1?}; clients reconnect"))
        }
        None => ok("end", format_args!("open after {took:.0?}")),
    }
}

fn retry(stream: &Response) -> Finding {
    match stream.reader().retry() {
        Some(ms) if ms < 100 => wrong("retry", format_args!("{ms} ms: every client hammers a server that is down")),
        Some(ms) => ok("retry", format_args!("{ms} ms")),
        None => note("retry", "none: clients wait as long as they like, 3 to 5 s in browsers"),
    }
}

fn ids(stream: &Response) -> Finding {
    let events: Vec<&Event> = stream.reader().events().collect();
    let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).filter(|id| !id.is_empty()).collect();
    let new: std::collections::BTreeSet<_> = ids.iter().collect();
    match (events.len(), ids.len(), new.len()) {
        (0, ..) => note("ids", "not judged: no event came"),
        (_, 0, _) => note("ids", "no event has an ID: a client that reconnects misses what was sent meanwhile"),
        (all, with, _) if with < all => {
            note("ids", format_args!("{} of {all} events came before the first ID", all - with))
        }
        (all, _, new) if new < all => {
            note("ids", format_args!("{all} events have {new} different IDs; a resume can only be after one of those"))
        }
        (all, ..) => ok("ids", format_args!("{all} events, each with its own ID")),
    }
}

fn resume(stream: &Response, resumed: Option<thread::Result<Result<Response, Failure>>>) -> Finding {
    let resumed = match resumed {
        None => return note("resume", "not judged: fewer than two events with IDs came"),
        Some(Ok(Ok(resumed))) => resumed,
        Some(Ok(Err(failure))) => return wrong("resume", format_args!("with the first ID: {failure}")),
        Some(Err(_)) => return note("resume", "not judged"),
    };
    if resumed.head.status != 200 {
        return wrong("resume", format_args!("with the first ID the answer is {}", resumed.head));
    }
    let key = |event: &Event| (event.event_type.clone(), event.data.clone(), event.id.clone());
    let all: Vec<_> = stream.reader().events().filter(|event| !event.id.is_empty()).map(key).collect();
    let again: Vec<_> = resumed.reader().events().map(key).collect();
    let Some(first) = again.first() else {
        return wrong(
            "resume",
            format_args!("with the first ID nothing came within {RESUME:?}, and not the events after it"),
        );
    };
    if all.first() == Some(first) {
        return wrong(
            "resume",
            "with the first ID the event of that ID comes again; a resume begins strictly after it",
        );
    }
    match all.iter().position(|event| event == first) {
        Some(1) => ok(
            "resume",
            format_args!(
                "strictly after the first ID; {} events were the same",
                again.iter().zip(&all[1..]).filter(|(one, other)| one == other).count()
            ),
        ),
        Some(at) => wrong(
            "resume",
            format_args!("with the first ID {} events are missing, and the stream does not say so", at - 1),
        ),
        None if first.0 == "gap" => {
            note("resume", format_args!("with the first ID the server sends a gap: {}", first.1))
        }
        None => wrong("resume", format_args!("with the first ID another event comes than the one after it: {first:?}")),
    }
}
