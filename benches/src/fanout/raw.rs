//! Without a framework: one thread, one epoll, and either the core's bodies or only `write`.

use super::load;
use super::serve::{Task, cpu_ns, say_published};
use bytes::Bytes;
use rustix::event::{Timespec, epoll};
use rustix::fd::AsFd;
use sse_core::hub::EventId;
use sse_core::{Event, EventStream, Hub, Policy, Request, Sse, Tokio};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// The bytes of one write.
const CHUNK: usize = 64 * 1024;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// The source of the bytes that the loop writes.
trait Feed {
    type Body;

    fn publish(&mut self, number: usize, payload: String) -> Option<EventId>;

    fn open(&mut self, at: usize, last_event_id: &str) -> Self::Body;

    /// Writes until no byte is left or the socket accepts no more.
    fn pump(&mut self, body: &mut Self::Body, socket: &mut TcpStream);

    /// The connections to serve after a publish.
    fn ready(&mut self, streams: usize) -> Vec<usize>;
}

pub fn bare(listener: TcpListener) -> io::Result<()> {
    serve(Bare::default(), &listener)
}

pub fn core(listener: TcpListener, topics: Vec<String>) -> io::Result<()> {
    serve(Core { hub: Hub::builder().build_on(Tokio), topics, ready: Ready::default() }, &listener)
}

/// One log; a connection is an offset in it.
#[derive(Default)]
struct Bare {
    log: Vec<u8>,
    has_grown: bool,
}

impl Feed for Bare {
    type Body = usize;

    fn publish(&mut self, _: usize, payload: String) -> Option<EventId> {
        let _ = write!(self.log, "data: {payload}\n\n");
        self.has_grown = true;
        None
    }

    fn open(&mut self, _: usize, _: &str) -> usize {
        self.log.len()
    }

    fn pump(&mut self, offset: &mut usize, socket: &mut TcpStream) {
        while let Some(rest) = self.log.get(*offset..).filter(|rest| !rest.is_empty()) {
            match socket.write(&rest[..rest.len().min(CHUNK)]) {
                Ok(written) => *offset += written,
                Err(_) => return,
            }
        }
    }

    fn ready(&mut self, streams: usize) -> Vec<usize> {
        if std::mem::take(&mut self.has_grown) { (0..streams).collect() } else { Vec::new() }
    }
}

/// The core's hub and bodies, polled when they wake.
struct Core {
    hub: Hub,
    topics: Vec<String>,
    ready: Ready,
}

type Ready = Arc<Mutex<Vec<usize>>>;

struct Body {
    stream: Pin<Box<EventStream<Tokio>>>,
    waker: Waker,
    unsent: Bytes,
}

struct Woken {
    at: usize,
    ready: Ready,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(self.at);
    }
}

impl Feed for Core {
    type Body = Body;

    fn publish(&mut self, number: usize, payload: String) -> Option<EventId> {
        let topic = &self.topics[number % self.topics.len()];
        Some(self.hub.publish(topic, Event::data(payload)).expect("an event"))
    }

    fn open(&mut self, at: usize, last_event_id: &str) -> Body {
        let request = Request::new("GET", None, [("last-event-id", last_event_id.as_bytes())]);
        let admitted = Policy::default().check(&request).expect("a request that may open a stream");
        let response = Sse::new(Tokio, admitted).subscribe(&self.hub, &self.topics).into_response();
        let waker = Waker::from(Arc::new(Woken { at, ready: self.ready.clone() }));
        Body { stream: Box::pin(response.into_body()), waker, unsent: Bytes::new() }
    }

    fn pump(&mut self, body: &mut Body, socket: &mut TcpStream) {
        let now = Instant::now();
        loop {
            if body.unsent.is_empty() {
                let chunk = body.stream.as_mut().poll_chunk(now, &mut Context::from_waker(&body.waker));
                let Poll::Ready(Some(chunk)) = chunk else { return };
                body.unsent = chunk;
            }
            match socket.write(&body.unsent) {
                Ok(written) => drop(body.unsent.split_to(written)),
                Err(_) => return,
            }
        }
    }

    fn ready(&mut self, _: usize) -> Vec<usize> {
        std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const LISTENER: u64 = u64::MAX;
const INPUT: u64 = u64::MAX - 1;

/// The events that are still to be published.
struct Plan {
    left: usize,
    every: Duration,
    bytes: usize,
    due: Instant,
}

fn serve<F: Feed>(mut feed: F, listener: &TcpListener) -> io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let watch =
        |socket: &dyn AsFd, data, flags| epoll::add(&poll, socket.as_fd(), epoll::EventData::new_u64(data), flags);
    watch(listener, LISTENER, epoll::EventFlags::IN)?;
    watch(&io::stdin(), INPUT, epoll::EventFlags::IN)?;
    // A connection has no body until the request has arrived.
    let mut streams: Vec<(TcpStream, Option<F::Body>)> = Vec::new();
    let mut plan: Option<Plan> = None;
    let mut next = 0;
    let mut events = Vec::with_capacity(1024);
    loop {
        let wait = plan.as_ref().map(|plan| plan.due.saturating_duration_since(Instant::now()));
        let wait = wait.map(|wait| Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) });
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), wait.as_ref())?;
        for event in &events {
            match event.data.u64() {
                LISTENER => {
                    let (socket, _) = listener.accept()?;
                    socket.set_nodelay(true)?;
                    socket.set_nonblocking(true)?;
                    let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
                    watch(&socket, streams.len() as u64, flags)?;
                    streams.push((socket, None));
                }
                INPUT => {
                    let mut line = [0; 256];
                    let read = rustix::io::read(io::stdin(), &mut line)?;
                    if read == 0 {
                        return Ok(());
                    }
                    match Task::parse(&String::from_utf8_lossy(&line[..read])) {
                        Some(Task::Publish { events, every, bytes }) => {
                            plan = Some(Plan { left: events, every, bytes, due: Instant::now() });
                        }
                        _ => println!("{}", cpu_ns()),
                    }
                }
                at => {
                    let at = at as usize;
                    let (socket, body) = &mut streams[at];
                    if body.is_none() {
                        let Some(last_event_id) = request(socket) else { continue };
                        socket.write_all(HEAD)?;
                        *body = Some(feed.open(at, &last_event_id));
                    }
                    if let Some(body) = body {
                        feed.pump(body, socket);
                    }
                }
            }
        }
        while let Some(due) = plan.as_mut().filter(|plan| plan.due <= Instant::now()) {
            let id = feed.publish(next, load::payload(next, due.bytes));
            next += 1;
            due.left -= 1;
            due.due += due.every;
            if due.left == 0 {
                say_published(id);
                plan = None;
            }
        }
        for at in feed.ready(streams.len()) {
            if let (socket, Some(body)) = &mut streams[at] {
                feed.pump(body, socket);
            }
        }
    }
}

/// The last event ID of the request. A request arrives in one piece.
fn request(socket: &mut TcpStream) -> Option<String> {
    let mut request = [0; 1024];
    let read = socket.read(&mut request).ok()?;
    let request = String::from_utf8_lossy(&request[..read]);
    let id = request.lines().find_map(|line| line.strip_prefix("last-event-id: "));
    Some(id.unwrap_or_default().to_owned())
}
