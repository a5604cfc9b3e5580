//! The load client: reads as fast as it can, counts events and not chunks, checks their order.

use memchr::memmem::Finder;
use rustix::event::epoll;
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How every payload begins: a mark, the number of the event, and when it was published.
const MARK: &str = "{\"s\":\"";
const BETWEEN: &str = "\",\"t\":\"";
const NUMBER: usize = 10;
const TIME: usize = 20;
/// As much as must be there to read an event.
const HEAD: usize = MARK.len() + NUMBER + BETWEEN.len() + TIME;

/// Time of the machine, the same in every process.
pub fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The payload of an event, so many bytes long.
pub fn payload(number: usize, bytes: usize) -> String {
    let mut text = format!("{MARK}{number:0NUMBER$}{BETWEEN}{:0TIME$}\",\"p\":\"", now_ns());
    let padding = bytes.saturating_sub(text.len() + 2);
    text.extend(std::iter::repeat_n('x', padding));
    text + "\"}"
}

struct Stream {
    socket: TcpStream,
    /// An event that a read cut in two.
    rest: Vec<u8>,
    opened: bool,
    received: usize,
    disordered: usize,
}

/// Opens so many streams, says so, reads so many events from each, and says what it saw: events, disordered ones, seconds
/// from the first publish to the last read, and the latency's median and 99th percentile in ms.
pub fn run(port: u16, streams: usize, events: usize) -> io::Result<()> {
    super::serve::pin(1);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut open = Vec::with_capacity(streams);
    for at in 0..streams {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n")?;
        socket.set_nonblocking(true)?;
        epoll::add(&poll, &socket, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)?;
        open.push(Stream { socket, rest: Vec::new(), opened: false, received: 0, disordered: 0 });
    }
    let mark = Finder::new(MARK);
    let mut latencies = Vec::new();
    let (mut first, mut last) = (u64::MAX, 0);
    let (mut waiting, mut missing) = (streams, streams * events);
    let mut buffer = vec![0; 256 * 1024];
    let mut ready = Vec::with_capacity(1024);
    let mut quiet = Instant::now();
    while missing > 0 && quiet.elapsed() < Duration::from_secs(10) {
        ready.clear();
        let second = rustix::time::Timespec { tv_sec: 1, tv_nsec: 0 };
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), Some(&second))?;
        if waiting > 0 {
            quiet = Instant::now();
        }
        for event in &ready {
            let stream = &mut open[event.data.u64() as usize];
            let Ok(read @ 1..) = stream.socket.read(&mut buffer) else {
                let _ = epoll::delete(&poll, &stream.socket);
                continue;
            };
            quiet = Instant::now();
            stream.rest.extend_from_slice(&buffer[..read]);
            if !stream.opened && memchr::memmem::find(&stream.rest, b"\r\n\r\n").is_some() {
                stream.opened = true;
                waiting -= 1;
                if waiting == 0 {
                    println!("open");
                }
            }
            let now = now_ns();
            let mut end = 0;
            for at in mark.find_iter(&stream.rest) {
                let Some(head) = stream.rest.get(at..at + HEAD) else { break };
                end = at + HEAD;
                let number = digits(&head[MARK.len()..][..NUMBER]);
                let at = digits(&head[HEAD - TIME..]);
                stream.disordered += usize::from(number != stream.received as u64);
                stream.received = number as usize + 1;
                missing -= 1;
                first = first.min(at);
                last = now;
                // One in eight is enough for a percentile.
                if number.is_multiple_of(8) {
                    latencies.push((now - at) as u32 / 1000);
                }
            }
            let keep = end.max(stream.rest.len().saturating_sub(HEAD));
            stream.rest.drain(..keep);
        }
    }
    latencies.sort_unstable();
    let percentile =
        |part: usize| latencies.get(latencies.len() * part / 100).map_or(0.0, |&us| f64::from(us) / 1000.0);
    let disordered: usize = open.iter().map(|stream| stream.disordered).sum();
    let seconds = last.saturating_sub(first) as f64 / 1e9;
    println!("{} {disordered} {seconds} {} {}", streams * events - missing, percentile(50), percentile(99));
    // The streams stay open until nobody needs them.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn digits(text: &[u8]) -> u64 {
    text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
