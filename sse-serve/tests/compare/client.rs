//! A client that sends bytes as they are, and a strict reader of responses.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// No exchange takes longer than this.
const BOUND: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// Status line and headers, without `date`.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the framing said where the body ends.
    pub(crate) whole: bool,
}

/// Everything that a server sent on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) responses: Vec<Response>,
    /// Bytes after an upgrade.
    pub(crate) rest: Vec<u8>,
    pub(crate) end: End,
}

pub(crate) fn connect(at: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    socket.set_write_timeout(Some(BOUND)).unwrap();
    socket
}

/// Sends requests, and reads until the server closes the connection. The last request must have `connection: close`.
pub(crate) fn exchange(at: SocketAddr, requests: &[u8]) -> Exchange {
    let mut socket = connect(at);
    socket.write_all(requests).unwrap();
    read_all(socket)
}

/// As [`exchange`], and closes the client's half after the requests.
pub(crate) fn exchange_half_closed(at: SocketAddr, requests: &[u8]) -> Exchange {
    let mut socket = connect(at);
    socket.write_all(requests).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    read_all(socket)
}

pub(crate) fn read_all(socket: TcpStream) -> Exchange {
    let (bytes, end) = read_raw(socket);
    let mut rest = &bytes[..];
    let mut responses = Vec::new();
    while !rest.is_empty() {
        let Some((response, after)) = parse(rest) else { break };
        let stops = !response.whole || response.head.starts_with("HTTP/1.1 101");
        responses.push(response);
        rest = after;
        if stops {
            break;
        }
    }
    Exchange { responses, rest: rest.to_vec(), end }
}

pub(crate) fn read_raw(mut socket: TcpStream) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return (bytes, End::Closed),
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (bytes, End::Reset),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
}

/// The first response, and the bytes after it. `None`: the head is not complete.
fn parse(bytes: &[u8]) -> Option<(Response, &[u8])> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is ASCII");
    let lines: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with("date:")).collect();
    let rest = &bytes[end + 4..];
    let head = lines.join("\n");
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    if head.starts_with("HTTP/1.1 1") {
        return Some((Response { head, body: Vec::new(), whole: true }, rest));
    }
    if let Some(length) = length {
        let length: usize = length.parse().expect("a length");
        let whole = rest.len() >= length;
        let (body, rest) = rest.split_at(length.min(rest.len()));
        return Some((Response { head, body: body.to_vec(), whole }, rest));
    }
    if !head.contains("transfer-encoding: chunked") {
        return Some((Response { head, body: rest.to_vec(), whole: false }, &[]));
    }
    let (body, whole, rest) = dechunk(rest);
    Some((Response { head, body, whole }, rest))
}

/// The data of chunks, whether the last chunk was there, and the bytes after it.
pub(crate) fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool, &[u8]) {
    let mut body = Vec::new();
    loop {
        let Some(end) = find(rest, b"\r\n") else { return (body, false, &[]) };
        let size = std::str::from_utf8(&rest[..end]).expect("hex");
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        if size == 0 {
            let Some(blank) = find(rest, b"\r\n\r\n") else { return (body, false, &[]) };
            // Trailers count as a part of the body.
            body.extend_from_slice(&rest[end + 2..blank + 2]);
            return (body, true, &rest[blank + 4..]);
        }
        let Some(data) = rest.get(end + 2..end + 2 + size) else { return (body, false, &[]) };
        let Some(tail) = rest.get(end + 2 + size..end + 4 + size) else { return (body, false, &[]) };
        assert_eq!(tail, b"\r\n", "a chunk ends with a line break");
        body.extend_from_slice(data);
        rest = &rest[end + 4 + size..];
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
