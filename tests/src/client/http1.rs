//! HTTP/1 over a socket, with every byte in sight.

use super::body::Framing;
use super::gzip::Gunzip;
use super::{Head, Request};
use crate::Failure;
use crate::failure::show;
use crate::target::patience;
use socket2::{Domain, Socket, Type};
use sse_test_support::reader::Reader;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One connection.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// Bytes that were read and not yet decoded.
    wire: Vec<u8>,
}

/// A response whose body is read as the bytes arrive.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The head.
    pub head: Head,
    connection: Connection,
    framing: Framing,
    body: Vec<u8>,
    /// Decompresses a compressed body for the reader.
    gunzip: Option<Box<Gunzip>>,
    /// A reader that has read all of the body so far.
    reader: Reader,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The system call fails.
    pub fn open(address: SocketAddr) -> Result<Self, Failure> {
        Self::of(TcpStream::connect_timeout(&address, patience())?)
    }

    /// Connects with a receive buffer of a few kilobytes, so that a server soon notices a client that stops reading.
    ///
    /// # Errors
    /// The system call fails.
    pub fn open_narrow(address: SocketAddr) -> Result<Self, Failure> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_recv_buffer_size(4096)?;
        socket.connect_timeout(&address.into(), patience())?;
        Self::of(socket.into())
    }

    fn of(socket: TcpStream) -> Result<Self, Failure> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(patience()))?;
        Ok(Self { socket, wire: Vec::new() })
    }

    /// Writes these bytes unchanged.
    ///
    /// # Errors
    /// The system call fails.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.socket.write_all(bytes)?)
    }

    /// Sends a request and reads the head of the response.
    ///
    /// # Errors
    /// No head arrives.
    pub fn ask(mut self, request: &Request) -> Result<Response, Failure> {
        self.send(&request.to_bytes())?;
        self.answer(request.method == "HEAD")
    }

    /// Reads the head of a response to a request that was sent before.
    ///
    /// # Errors
    /// No head arrives.
    pub fn answer(mut self, to_head: bool) -> Result<Response, Failure> {
        let deadline = Instant::now() + patience();
        loop {
            if let Some(end) = self.wire.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = Head::parse(&self.wire[..end])?;
                self.wire.drain(..end + 4);
                let framing = head.framing(to_head);
                let is_gzip = head.header("content-encoding") == Some("gzip");
                let gunzip = is_gzip.then(|| Box::new(Gunzip::new()));
                let reader = Reader::new();
                return Ok(Response { head, connection: self, framing, body: Vec::new(), gunzip, reader });
            }
            match self.fill(deadline)? {
                Filled::More => {}
                end => return Err(Failure::new(format_args!("{end} instead of a head, after {}", show(&self.wire)))),
            }
        }
    }

    /// Closes the sending half.
    ///
    /// # Errors
    /// The system call fails.
    pub fn close_half(&self) -> Result<(), Failure> {
        Ok(self.socket.shutdown(std::net::Shutdown::Write)?)
    }

    /// Checks that no further byte arrives for this long. The server may close the connection.
    ///
    /// # Errors
    /// A byte arrives.
    pub fn silent(mut self, time: Duration) -> Result<(), Failure> {
        match self.fill(Instant::now() + time)? {
            Filled::Late | Filled::Closed => Ok(()),
            Filled::More => Err(Failure::new(format_args!("more bytes: {}", show(&self.wire)))),
        }
    }

    /// Waits until the server closes the connection.
    ///
    /// # Errors
    /// The connection stays open, or further bytes arrive.
    pub fn ends(mut self, within: Duration) -> Result<(), Failure> {
        match self.fill(Instant::now() + within)? {
            Filled::Closed => Ok(()),
            other => Err(Failure::new(format_args!("{other} instead of the end of the connection"))),
        }
    }

    fn fill(&mut self, deadline: Instant) -> Result<Filled, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Filled::Late);
        }
        self.socket.set_read_timeout(Some(left))?;
        let mut bytes = [0; 16 * 1024];
        match self.socket.read(&mut bytes) {
            Ok(0) => Ok(Filled::Closed),
            Ok(read) => {
                self.wire.extend_from_slice(&bytes[..read]);
                Ok(Filled::More)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(Filled::Late),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Filled::More),
            Err(error) => Err(error.into()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    More,
    Late,
    Closed,
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::More => "more bytes",
            Self::Late => "silence",
            Self::Closed => "the end of the connection",
        })
    }
}

impl Response {
    /// The body so far, without the framing. The reader decompresses it if it is compressed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The reader of the body so far.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Whether the body has ended by the rules of the framing.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.framing == Framing::Ended
    }

    /// The identifier of the stream, from `x-stream-id`.
    ///
    /// # Errors
    /// The response has none.
    pub fn stream_id(&self) -> Result<String, Failure> {
        let id = self.head.header("x-stream-id").map(str::to_owned);
        id.ok_or_else(|| Failure::new(format_args!("no x-stream-id in {}", self.head)))
    }

    /// Reads until the body ends with these bytes.
    ///
    /// # Errors
    /// The bytes do not arrive within `within`.
    pub fn read_until(&mut self, end: impl AsRef<[u8]>, within: Duration) -> Result<(), Failure> {
        let end = end.as_ref();
        self.read_while(within, |response| !response.body.ends_with(end))?;
        if self.body.ends_with(end) {
            return Ok(());
        }
        Err(Failure::new(format_args!("not within {within:?}: {}\n    received {}", show(end), show(&self.body))))
    }

    /// Reads for this long, or until the body ends.
    ///
    /// # Errors
    /// The connection breaks, or the framing is wrong.
    pub fn read_for(&mut self, time: Duration) -> Result<&[u8], Failure> {
        let before = self.body.len();
        self.read_while(time, |_| true)?;
        Ok(&self.body[before..])
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// The body does not end within `within`.
    pub fn read_to_end(&mut self, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |_| true)?;
        if self.is_ended() {
            return Ok(());
        }
        Err(Failure::new(format_args!("the body has not ended within {within:?}\n    received {}", show(&self.body))))
    }

    /// The connection, for the response to a request that was already sent.
    ///
    /// # Errors
    /// The body has not ended.
    pub fn into_rest(self) -> Result<Connection, Failure> {
        if !self.is_ended() {
            return Err(Failure::new(format_args!("the body has not ended: {}", show(&self.body))));
        }
        Ok(self.connection)
    }

    /// The connection, for the next request.
    ///
    /// # Errors
    /// The body has not ended, or bytes follow the body.
    pub fn into_connection(self) -> Result<Connection, Failure> {
        if !self.is_ended() || !self.connection.wire.is_empty() {
            let wire = show(&self.connection.wire);
            return Err(Failure::new(format_args!("the connection cannot be used again; left on it: {wire}")));
        }
        Ok(self.connection)
    }

    /// The connection, also in the middle of a body.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) fn read_while(&mut self, within: Duration, go_on: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        loop {
            let before = self.body.len();
            self.framing.decode(&mut self.connection.wire, &mut self.body)?;
            match &mut self.gunzip {
                Some(gunzip) => self.reader.read(&gunzip.read(&self.body[before..])?),
                None => self.reader.read(&self.body[before..]),
            }
            if self.is_ended() || !go_on(self) {
                return Ok(());
            }
            match self.connection.fill(deadline)? {
                Filled::More => {}
                Filled::Late => return Ok(()),
                Filled::Closed if self.framing == Framing::UntilClose => self.framing = Framing::Ended,
                Filled::Closed => {
                    return Err(Failure::new(format_args!(
                        "the connection closed within the body: {}",
                        show(&self.body)
                    )));
                }
            }
        }
    }
}
