//! Without a framework: one thread, one epoll, and either the core's bodies or nothing but `write`.

use super::load;
use super::serve::{Task, cpu_ns};
use crate::still::admitted;
use bytes::Bytes;
use rustix::event::{Timespec, epoll};
use rustix::fd::AsFd;
use sse_core::{Event, EventStream, Hub, Sse, Tokio};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// As much as is written at once.
const CHUNK: usize = 64 * 1024;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// What the loop serves.
trait Feed {
    type Body;

    fn publish(&mut self, payload: String);

    fn open(&mut self, at: usize) -> Self::Body;

    /// Writes what there is, until there is no more or the socket takes no more.
    fn pump(&mut self, body: &mut Self::Body, socket: &mut TcpStream);

    /// The connections to look at after a publish.
    fn ready(&mut self, streams: usize) -> Vec<usize>;
}

pub fn bare() -> io::Result<()> {
    serve(Bare::default())
}

pub fn core() -> io::Result<()> {
    serve(Core { hub: Hub::builder().build_on(Tokio), ready: Ready::default() })
}

/// One log; a connection is an offset in it.
#[derive(Default)]
struct Bare {
    log: Rc<RefCell<Vec<u8>>>,
}

impl Feed for Bare {
    type Body = usize;

    fn publish(&mut self, payload: String) {
        let _ = write!(self.log.borrow_mut(), "data: {payload}\n\n");
    }

    fn open(&mut self, _: usize) -> usize {
        self.log.borrow().len()
    }

    fn pump(&mut self, offset: &mut usize, socket: &mut TcpStream) {
        let log = self.log.borrow();
        while let Some(rest) = log.get(*offset..).filter(|rest| !rest.is_empty()) {
            match socket.write(&rest[..rest.len().min(CHUNK)]) {
                Ok(written) => *offset += written,
                Err(_) => return,
            }
        }
    }

    fn ready(&mut self, streams: usize) -> Vec<usize> {
        (0..streams).collect()
    }
}

/// The core's hub and bodies, polled when they wake.
struct Core {
    hub: Hub,
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

    fn publish(&mut self, payload: String) {
        self.hub.publish("feed", Event::data(payload)).expect("an event");
    }

    fn open(&mut self, at: usize) -> Body {
        let response = Sse::new(Tokio, admitted()).subscribe(&self.hub, ["feed"]).into_response();
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

/// What is yet to be published.
struct Plan {
    next: usize,
    events: usize,
    every: Duration,
    bytes: usize,
    due: Instant,
}

fn serve<F: Feed>(mut feed: F) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let watch =
        |socket: &dyn AsFd, data, flags| epoll::add(&poll, socket.as_fd(), epoll::EventData::new_u64(data), flags);
    watch(&listener, LISTENER, epoll::EventFlags::IN)?;
    watch(&io::stdin(), INPUT, epoll::EventFlags::IN)?;
    let mut streams: Vec<(TcpStream, F::Body)> = Vec::new();
    let mut plan: Option<Plan> = None;
    let mut events = Vec::with_capacity(1024);
    loop {
        let wait = plan.as_ref().map(|plan| plan.due.saturating_duration_since(Instant::now()));
        let wait = wait.map(|wait| Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) });
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), wait.as_ref())?;
        for event in &events {
            match event.data.u64() {
                LISTENER => {
                    let (mut socket, _) = listener.accept()?;
                    // The client sends its request whole.
                    let _ = socket.read(&mut [0; 1024])?;
                    socket.set_nodelay(true)?;
                    socket.set_nonblocking(true)?;
                    socket.write_all(HEAD)?;
                    let at = streams.len();
                    watch(&socket, at as u64, epoll::EventFlags::OUT | epoll::EventFlags::ET)?;
                    let body = feed.open(at);
                    streams.push((socket, body));
                }
                INPUT => {
                    let mut line = [0; 256];
                    let read = rustix::io::read(io::stdin(), &mut line)?;
                    if read == 0 {
                        return Ok(());
                    }
                    match Task::parse(&String::from_utf8_lossy(&line[..read])) {
                        Some(Task::Publish { events, every, bytes }) => {
                            plan = Some(Plan { next: 0, events, every, bytes, due: Instant::now() });
                        }
                        _ => println!("{}", cpu_ns()),
                    }
                }
                at => {
                    let (socket, body) = &mut streams[at as usize];
                    feed.pump(body, socket);
                }
            }
        }
        while let Some(due) = plan.as_mut().filter(|plan| plan.due <= Instant::now()) {
            feed.publish(load::payload(due.next, due.bytes));
            due.next += 1;
            due.due += due.every;
            if due.next == due.events {
                println!("published");
                plan = None;
            }
        }
        for at in feed.ready(streams.len()) {
            let (socket, body) = &mut streams[at];
            feed.pump(body, socket);
        }
    }
}
