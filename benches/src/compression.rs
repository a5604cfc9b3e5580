//! Topics that are compressed once, without sockets: the bytes on the wire, and the CPU time of a delivery.

use crate::measure::{Case, race};
use crate::still::Still;
use flate2::{Compress, Compression, FlushCompress};
use sse_core::{Event, EventStream, Hub, Policy, Request, Sse};
use std::cell::Cell;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

const CLIENTS: usize = 1_000;

/// The events of the slow contender.
const FEW: usize = 64;

type Body = Pin<Box<EventStream<Still>>>;

/// The data of a feed, one event each.
struct Feed {
    name: String,
    events: Vec<String>,
}

/// Trades of 127 bytes on average, whose numbers differ from event to event.
fn trades() -> Feed {
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut price = 10_427;
    let mut event = |n: u64| {
        price = price + random(9) - 4;
        let (symbol, side) = (["ACME", "INIT", "HOOL", "UMBR"][random(4) as usize], ["ask", "bid"][random(2) as usize]);
        let (cents, size, millis) = (price % 100, 100 * (1 + random(9)), n % 10 * 100 + random(100));
        let time = format!("2026-11-27T07:{:02}:{:02}.{millis:03}Z", n / 600 % 60, n / 10 % 60);
        let text = format!(
            "{{\"type\":\"trade\",\"symbol\":\"{symbol}\",\"price\":{}.{cents:02},\"size\":{size},\"side\":\"{side}\",\
             \"venue\":\"X\",\"time\":\"{time}\",\"seq\":{:03}}}",
            price / 100,
            1 + n,
        );
        assert_eq!(text.len(), 127, "{text}");
        text
    };
    Feed { name: "JSON, 127 B".to_owned(), events: (0..512).map(&mut event).collect() }
}

fn recorded(path: &Path) -> std::io::Result<Feed> {
    let events: Vec<String> = std::fs::read_to_string(path)?.lines().map(str::to_owned).collect();
    Ok(Feed { name: "the recorded stream".to_owned(), events })
}

/// Clients that have received everything so far, of these topics.
fn clients(hub: &Hub, runtime: &Still, topics: &[&str], encoding: &str) -> Vec<Body> {
    let open = |_| {
        let request = Request::new("GET", None, [("accept-encoding", encoding.as_bytes())]);
        let sse = Sse::new(runtime.clone(), Policy::default().check(&request).expect("a stream")).keep_alive(None);
        let mut body: Body = Box::pin(sse.subscribe(hub, topics).into_response().into_body());
        read(&mut body, |_| ());
        body
    };
    (0..CLIENTS).map(open).collect()
}

fn read(body: &mut Body, mut each: impl FnMut(&[u8])) {
    static NOW: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(chunk)) = body.as_mut().poll_chunk(*NOW, &mut cx) {
        each(&chunk);
    }
}

/// Publishes the events of a feed one after the other, `burst` at a time, to these topics in turn. Every client reads after
/// each. `seen` counts the bytes.
fn deliver(
    (task, contender): (&str, &'static str),
    (feed, burst): (&Rc<Feed>, usize),
    topics: &'static [&'static str],
    encoding: &'static str,
    own_compressors: bool,
    seen: &Rc<Cell<usize>>,
) -> Case {
    let (feed, seen) = (feed.clone(), seen.clone());
    let mut made = None;
    Case::new(task, contender, feed.events.len() * CLIENTS, move || {
        let (hub, bodies, own) = made.get_or_insert_with(|| {
            let runtime = Still::new();
            let hub = Hub::builder().gzip(|_| true).build_on(runtime.clone());
            let bodies = clients(&hub, &runtime, topics, encoding);
            let compressors = if own_compressors { CLIENTS } else { 0 };
            let own: Vec<_> = (0..compressors).map(|_| Compress::new(Compression::new(6), false)).collect();
            (hub, bodies, own)
        });
        // So that no run finds the events of the run before.
        own.iter_mut().for_each(Compress::reset);
        let (mut bytes, mut out) = (0, Vec::with_capacity(64 * 1024));
        for events in feed.events.chunks(burst) {
            for (at, event) in events.iter().enumerate() {
                hub.publish(topics[at % topics.len()], Event::data(event.as_str())).expect("an event");
            }
            for (at, body) in bodies.iter_mut().enumerate() {
                read(body, |chunk| match own.get_mut(at) {
                    Some(own) => {
                        out.clear();
                        own.compress_vec(chunk, &mut out, FlushCompress::Sync).expect("room");
                        bytes += black_box(&out).len();
                    }
                    None => bytes += black_box(chunk).len(),
                });
            }
        }
        seen.set(bytes);
    })
    .not_peer()
}

pub fn run(out: &mut String, recording: Option<&Path>, rounds: usize) -> std::io::Result<()> {
    let mut feeds = vec![trades()];
    feeds.extend(recording.map(recorded).transpose()?);
    for feed in feeds {
        // A compressor for each client takes a hundred times as long.
        let few = Feed { name: feed.name.clone(), events: feed.events.iter().take(FEW).cloned().collect() };
        let (feed, few) = (Rc::new(feed), Rc::new(few));
        for (burst, topics, what) in [
            (1, &["feed"][..], "one event at a time"),
            (8, &["feed"], "8 events at once"),
            (1, &["feed", "news"], "two topics, one event at a time"),
        ] {
            let task = format!("{}, {what}", feed.name);
            let contenders = [
                ("plain", "identity", false, &feed, rounds),
                ("compressed once", "gzip", false, &feed, rounds),
                ("a compressor for each client", "identity", true, &few, 3),
            ];
            let (mut plain, mut compressed, mut rows) = ((f64::NAN, f64::NAN), Vec::new(), Vec::new());
            for (contender, encoding, own, feed, rounds) in contenders {
                let seen = Rc::new(Cell::new(0));
                let case = deliver((&task, contender), (feed, burst), topics, encoding, own, &seen);
                let bytes = move || seen.get() as f64 / (feed.events.len() * CLIENTS) as f64;
                if own {
                    rows.extend(race(vec![case], rounds).into_iter().map(|figure| (figure, bytes())));
                } else {
                    compressed.push((case, bytes));
                }
                // The two run in turn.
                if compressed.len() == 2 {
                    let (cases, bytes): (Vec<_>, Vec<_>) = compressed.drain(..).unzip();
                    rows.extend(race(cases, rounds).into_iter().zip(bytes).map(|(figure, bytes)| (figure, bytes())));
                }
            }
            let _ = writeln!(out, "\n| {task} | ns | of plain | bytes | of plain |\n|---|---:|---:|---:|---:|");
            for (figure, bytes) in rows {
                let ns = figure.ns.unwrap_or(f64::NAN);
                if plain.0.is_nan() {
                    plain = (ns, bytes);
                }
                let _ = writeln!(
                    out,
                    "| {} | {ns:.0} | {:.2} | {bytes:.0} | {:.3} |",
                    figure.contender,
                    ns / plain.0,
                    bytes / plain.1
                );
            }
        }
    }
    Ok(())
}
