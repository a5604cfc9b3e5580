//! Topics that are compressed once for all clients, where the server offers it. The client of the suite decompresses the
//! bytes as they arrive.

use super::head::{list, stream_head};
use super::topics::{Follow, SECOND, patience, position, post, publish, topic};
use crate::client::{Request, Response};
use crate::failure::{check, same};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};

const HEAD: &str = "With `--gzip` a GET of `/topics` whose `Accept-Encoding` accepts gzip (RFC 9110 12.5.3) is answered with `content-encoding: gzip`, every other one with plain bytes, and each with `vary: accept-encoding`.";
const SAME: &str = "HEAD of `/topics` has the same head as GET.";
const DECODED: &str = "A compressed stream decodes to the stream of a plain client; every event can be decompressed when its bytes arrive.";
const ALONE: &str = "Compressed streams are left as they are with `--compress` too.";

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, options, run: fn(&Target) -> Verdict| {
        Case::own(Group::CompressedOnce, name, promise, source, options, move |server: Server| run(server.target()))
    };
    let gzip: &[&str] = &["--gzip"];
    vec![
        case("coding_is_negotiated", "`Accept-Encoding` decides, by its q-values", HEAD, gzip, negotiated),
        case("head_has_the_same_head", "HEAD is answered with the head of a GET", SAME, gzip, same_head)
            .with([Group::HeadMethod]),
        case("event_is_decoded_at_once", "an event can be decompressed before the next one", DECODED, gzip, at_once)
            .with([Group::Publish]),
        case(
            "late_client_receives_the_same_events",
            "a client that joins late receives each event",
            DECODED,
            gzip,
            late,
        )
        .with([Group::Publish]),
        case("client_resumes", "a client resumes strictly after its last event ID", DECODED, gzip, resumes)
            .with([Group::Publish, Group::Resumption]),
        case("gap_is_in_its_place", "a gap arrives in its place", DECODED, &["--gzip", "--topic-events", "3"], gap)
            .with([Group::Publish, Group::Retention]),
        case("several_topics", "a stream of several topics has their order", DECODED, gzip, several)
            .with([Group::Publish]),
        case(
            "keep_alive_dispatches_nothing",
            "keep-alives leave an idle client as it is",
            DECODED,
            &["--gzip", "--keep-alive-ms", "300"],
            keep_alive,
        )
        .with([Group::Publish, Group::KeepAlive]),
        case("end_of_a_drain_is_decoded", "the last block of a drain arrives", DECODED, gzip, drained)
            .with([Group::Drain]),
        case(
            "middleware_leaves_it_alone",
            "the framework's compression does not compress the stream again",
            ALONE,
            &["--gzip", "--compress"],
            at_once,
        )
        .with([Group::Publish, Group::Compression]),
    ]
}

fn request(follow: &Follow) -> Request {
    follow.request().header("accept-encoding", "gzip")
}

/// Opens a compressed stream.
fn open(target: &Target, follow: &Follow) -> Result<Response, Failure> {
    let stream = target.ask(&request(follow))?;
    let is_gzip = stream.head.status == 200 && stream.head.header("content-encoding") == Some("gzip");
    check(is_gzip, || format!("not compressed: {}", stream.head))?;
    Ok(stream)
}

/// Opens a compressed stream, and reads until the server has sent the position.
fn follow(target: &Target, topic: &String) -> Result<Response, Failure> {
    let mut stream = open(target, &Follow::of([topic]))?;
    position(&mut stream)?;
    Ok(stream)
}

fn negotiated(target: &Target) -> Verdict {
    for (accepted, is_gzip) in [
        (None, false),
        (Some("gzip"), true),
        (Some("GZIP;q=0.5, br"), true),
        (Some("*"), true),
        (Some("deflate, gzip;q=1.0, *;q=0.5"), true),
        (Some("gzip;q=0"), false),
        (Some("*, gzip;q=0"), false),
        (Some("identity"), false),
        (Some("br, deflate"), false),
    ] {
        let follow = Follow::of([&topic("negotiated")]).request();
        let asked = accepted.into_iter().fold(follow, |request, accepted| request.header("accept-encoding", accepted));
        let mut stream = target.ask(&asked)?;
        stream_head(&stream.head)?;
        let encoding = stream.head.header("content-encoding").unwrap_or("identity");
        same(&format!("the coding for {accepted:?}"), if is_gzip { "gzip" } else { "identity" }, encoding.as_bytes())?;
        check(list(&stream.head, "vary").iter().any(|name| name.eq_ignore_ascii_case("accept-encoding")), || {
            format!("vary lacks accept-encoding: {}", stream.head)
        })?;
        position(&mut stream)?;
        check(stream.body().starts_with(&[0x1f, 0x8b]) == is_gzip, || format!("the body for {accepted:?}"))?;
    }
    Ok(())
}

fn same_head(target: &Target) -> Verdict {
    for encoding in ["gzip", "identity"] {
        let asked = Request::new("HEAD", "/topics?name=a").header("accept", "text/event-stream");
        let head = target.read(&asked.header("accept-encoding", encoding))?.head;
        stream_head(&head)?;
        let stated = head.header("content-encoding").unwrap_or("identity");
        check(stated == encoding, || format!("{encoding}: {head}"))?;
        check(list(&head, "vary").iter().any(|name| name.eq_ignore_ascii_case("accept-encoding")), || {
            head.to_string()
        })?;
    }
    Ok(())
}

/// Data of different sizes.
fn data(n: usize) -> String {
    format!("{n} {}", "the rain in spain ".repeat(n * n % 97))
}

fn at_once(target: &Target) -> Verdict {
    let name = topic("at-once");
    let mut stream = follow(target, &name)?;
    let mut expected = Vec::new();
    for n in 0..30 {
        publish(target, &name, &data(n))?;
        expected.push(data(n));
        let seen = stream.read_events(expected.len(), patience())?;
        check(seen.data() == expected, || format!("{:?} instead of {expected:?}", seen.data()))?;
    }
    Ok(())
}

fn late(target: &Target) -> Verdict {
    let name = topic("late");
    let mut streams = vec![follow(target, &name)?];
    // The number of events before each stream.
    let mut before = vec![0];
    for n in 0..120 {
        if n % 25 == 10 {
            streams.push(follow(target, &name)?);
            before.push(n);
        }
        publish(target, &name, &data(n))?;
        for (stream, before) in streams.iter_mut().zip(&before) {
            let seen = stream.read_events(n + 1 - before, patience())?;
            let expected: Vec<String> = (*before..=n).map(data).collect();
            check(seen.data() == expected, || format!("{:?} after {before} events", seen.data()))?;
        }
    }
    Ok(())
}

fn resumes(target: &Target) -> Verdict {
    let name = topic("resumes");
    let mut ids = Vec::new();
    for n in 0..100 {
        ids.push(publish(target, &name, &data(n))?);
    }
    for at in [0, 1, 50, 98] {
        let mut stream = open(target, &Follow::of([&name]).after(&ids[at]))?;
        let resumption = stream.head.header("x-resumption").map(str::to_owned);
        check(resumption.as_deref() == Some("resumed"), || stream.head.to_string())?;
        let seen = stream.read_events(99 - at, patience())?;
        let expected: Vec<String> = (at + 1..100).map(data).collect();
        check(seen.data() == expected, || format!("{:?} after {}", seen.data(), ids[at]))?;
        check(seen.last_event_id.as_ref() == ids.last(), || format!("the ID is {:?}", seen.last_event_id))?;
    }
    Ok(())
}

fn gap(target: &Target) -> Verdict {
    let name = topic("gap");
    let first = publish(target, &name, "0")?;
    for n in 1..10 {
        publish(target, &name, &n.to_string())?;
    }
    let mut stream = open(target, &Follow::of([&name]).after(&first))?;
    let seen = stream.read_events(4, patience())?;
    check(seen.events.first().is_some_and(|event| event.event_type == "gap"), || format!("{:?}", seen.events))?;
    check(seen.data()[1..] == ["7", "8", "9"], || format!("{:?}", seen.data()))?;
    publish(target, &name, "10")?;
    let seen = stream.read_events(5, patience())?;
    check(seen.data()[4] == "10", || format!("{:?}", seen.data()))
}

fn several(target: &Target) -> Verdict {
    let names = [topic("several"), topic("several")];
    let mut stream = open(target, &Follow::of(&names))?;
    position(&mut stream)?;
    let mut expected = Vec::new();
    for n in 0..20 {
        publish(target, &names[n % 2], &data(n))?;
        expected.push(data(n));
    }
    let seen = stream.read_events(expected.len(), patience())?;
    check(seen.data() == expected, || format!("{:?}", seen.data()))
}

fn keep_alive(target: &Target) -> Verdict {
    let name = topic("idle");
    let mut stream = follow(target, &name)?;
    publish(target, &name, "1")?;
    stream.read_events(1, patience())?;
    let before = stream.body().len();
    stream.read_bytes(before + 1, patience())?;
    stream.read_for(SECOND)?;
    check(stream.seen().data() == ["1"], || format!("{:?}", stream.seen().data()))?;
    publish(target, &name, "2")?;
    let seen = stream.read_events(2, patience())?;
    check(seen.data() == ["1", "2"], || format!("{:?}", seen.data()))
}

fn drained(target: &Target) -> Verdict {
    let name = topic("drained");
    let mut stream = follow(target, &name)?;
    let first = stream.seen().retry;
    target.read(&post("/drain?window_ms=0", ""))?;
    stream.read_to_end(patience())?;
    let retry = stream.seen().retry;
    check(first.is_some() && retry.is_some_and(|retry| (1000..=5000).contains(&retry)), || format!("retry: {retry:?}"))
}
