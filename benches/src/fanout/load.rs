//! The load client: reads as fast as possible, counts events and not chunks, and checks that each event arrives once
//! and in order.

use super::serve::{many_sockets, now_ns, pin};
use memchr::memchr;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::time::Timespec;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The beginning of every payload: a mark, the number of the event, and the time of the publish.
const MARK: &str = "{\"s\":\"";
const BETWEEN: &str = "\",\"t\":\"";
const NUMBER: usize = 10;
const TIME: usize = 20;
/// The bytes that are needed to read an event.
const HEAD: usize = MARK.len() + NUMBER + BETWEEN.len() + TIME;

/// Keeps one of this many latencies, which is enough for a percentile.
const SAMPLE: usize = 8;
/// After this long without a byte, the missing events count as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// The payload of an event, with this many bytes.
pub fn payload(number: usize, bytes: usize) -> String {
    let mut text = format!("{MARK}{number:0NUMBER$}{BETWEEN}{:0TIME$}\",\"p\":\"", now_ns());
    let padding = bytes.saturating_sub(text.len() + 2);
    text.extend(std::iter::repeat_n('x', padding));
    text + "\"}"
}

/// Runs the commands on standard input, one per line:
///
/// - `open STREAMS [ID NEXT]` opens this many more streams. They send this last event ID and expect the event of this
///   number next. Prints `open`.
/// - `read EVENTS` waits until every stream has this many more events. Prints the events, the disordered ones, the
///   seconds from the first publish to the last read, the seconds since the last streams sent their requests, and the
///   latency's median and 99th percentile in ms.
pub fn run(port: u16) -> io::Result<()> {
    pin(1);
    many_sockets();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut client = Client { port, poll, streams: Vec::new(), target: 0, asked: now_ns(), seen: Seen::default() };
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: &str| word.parse::<usize>().map_err(io::Error::other);
        match words[..] {
            ["open", streams] => client.open(number(streams)?, "", client.target)?,
            ["open", streams, id, next] => {
                client.open(number(streams)?, &format!("last-event-id: {id}\r\n"), number(next)?)?;
            }
            ["read", events] => client.read(number(events)?)?,
            _ => return Err(io::Error::other(format!("no task: {line}"))),
        }
    }
    Ok(())
}

struct Client {
    port: u16,
    poll: OwnedFd,
    streams: Vec<Stream>,
    /// The number of events that each stream must reach.
    target: usize,
    /// When the last streams sent their requests.
    asked: u64,
    seen: Seen,
}

struct Stream {
    socket: TcpStream,
    /// The end of a read, in which an event may begin.
    rest: Vec<u8>,
    opened: bool,
    /// The number of the next event.
    next: usize,
}

/// The counts: of streams in total, of everything else since the previous command.
#[derive(Default)]
struct Seen {
    opened: usize,
    events: usize,
    disordered: usize,
    /// The time of the first publish, and of the last read.
    first: Option<u64>,
    last: u64,
    latencies: Vec<u32>,
}

impl Client {
    fn open(&mut self, streams: usize, header: &str, next: usize) -> io::Result<()> {
        let first = self.streams.len();
        for at in first..first + streams {
            let socket = TcpStream::connect(("127.0.0.1", self.port))?;
            epoll::add(&self.poll, &socket, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)?;
            self.streams.push(Stream { socket, rest: Vec::new(), opened: false, next });
        }
        // All at once, after the handshakes.
        self.asked = now_ns();
        for stream in &mut self.streams[first..] {
            let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{header}\r\n");
            stream.socket.write_all(request.as_bytes())?;
            stream.socket.set_nonblocking(true)?;
        }
        let opened = self.streams.len();
        self.until(|seen| seen.opened == opened)?;
        if self.seen.opened < opened {
            return Err(io::Error::other(format!("{} of {opened} streams opened", self.seen.opened)));
        }
        println!("open");
        Ok(())
    }

    fn read(&mut self, events: usize) -> io::Result<()> {
        self.target += events;
        let missing: usize = self.streams.iter().map(|stream| self.target.saturating_sub(stream.next)).sum();
        let events = self.seen.events + missing;
        self.until(|seen| seen.events >= events)?;
        let fresh = Seen { opened: self.seen.opened, ..Seen::default() };
        let Seen { events, disordered, first, last, mut latencies, .. } = std::mem::replace(&mut self.seen, fresh);
        latencies.sort_unstable();
        let percentile =
            |part: usize| latencies.get(latencies.len() * part / 100).map_or(0.0, |&us| f64::from(us) / 1000.0);
        let seconds = |since: u64| last.saturating_sub(since) as f64 / 1e9;
        let (published, asked) = (seconds(first.unwrap_or(last)), seconds(self.asked));
        println!("{events} {disordered} {published} {asked} {} {}", percentile(50), percentile(99));
        Ok(())
    }

    /// Reads until the condition holds or no more bytes arrive.
    fn until(&mut self, done: impl Fn(&Seen) -> bool) -> io::Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        let mut ready = Vec::with_capacity(1024);
        let mut quiet = Instant::now();
        while !done(&self.seen) && quiet.elapsed() < PATIENCE {
            ready.clear();
            let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
            epoll::wait(&self.poll, spare_capacity(&mut ready), Some(&patience))?;
            for event in &ready {
                let at = event.data.u64() as usize;
                let stream = &mut self.streams[at];
                if stream.read(at, &mut buffer, &mut self.seen) {
                    quiet = Instant::now();
                } else {
                    epoll::delete(&self.poll, &stream.socket)?;
                }
            }
        }
        Ok(())
    }
}

impl Stream {
    /// One read. Returns `false` if no bytes will follow.
    fn read(&mut self, at: usize, buffer: &mut [u8], seen: &mut Seen) -> bool {
        let rest = self.rest.len();
        buffer[..rest].copy_from_slice(&self.rest);
        let Ok(read @ 1..) = self.socket.read(&mut buffer[rest..]) else { return false };
        let text = &buffer[..rest + read];
        let now = now_ns();
        // The head arrived, so the handler has run.
        seen.opened += usize::from(!std::mem::replace(&mut self.opened, true));
        let mut from = 0;
        while let Some(found) = memchr(MARK.as_bytes()[0], &text[from..]) {
            from += found;
            let Some(head) = text.get(from..from + HEAD) else { break };
            if !head.starts_with(MARK.as_bytes()) {
                from += 1;
                continue;
            }
            from += HEAD;
            let number = digits(&head[MARK.len()..][..NUMBER]) as usize;
            if number < self.next {
                // The event came again, or after a later one.
                seen.disordered += 1;
                continue;
            }
            self.next = number + 1;
            seen.events += 1;
            seen.last = now;
            if seen.first.is_none() || (number + at).is_multiple_of(SAMPLE) {
                let published = digits(&head[HEAD - TIME..]);
                seen.first = Some(seen.first.map_or(published, |first| first.min(published)));
                seen.latencies.push((now.saturating_sub(published) / 1000) as u32);
            }
        }
        self.rest.clear();
        self.rest.extend_from_slice(&text[from.max(text.len().saturating_sub(HEAD))..]);
        true
    }
}

fn digits(text: &[u8]) -> u64 {
    text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
