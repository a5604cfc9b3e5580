//! HTTP/1 over a socket, with the bytes in sight.

use super::Request;
use super::body::Framing;
use crate::Failure;
use crate::failure::show;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const HEAD: Duration = Duration::from_secs(10);

/// One connection.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// Read, and not yet looked at.
    wire: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Head {
    /// As it stands in the status line, `HTTP/1.1`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// Names in lower case, in their order.
    pub headers: Vec<(String, String)>,
}

/// An answer whose body is read as it comes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// Its head.
    pub head: Head,
    connection: Connection,
    framing: Framing,
    body: Vec<u8>,
}

impl Head {
    /// The value of a header, if it is there once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether a header is there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own == name)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let broken = || Failure(format!("no head of HTTP: {}", show(bytes)));
        let text = str::from_utf8(bytes).map_err(|_| broken())?;
        let mut lines = text.split("\r\n");
        let mut status = lines.next().ok_or_else(broken)?.splitn(3, ' ');
        let version = status.next().ok_or_else(broken)?.to_owned();
        let status = status.next().and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').ok_or_else(broken)?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Ok(Self { version, status, headers: headers.collect::<Result<_, Failure>>()? })
    }

    fn framing(&self, to_head: bool) -> Framing {
        let chunked = self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        match self.header("content-length").and_then(|length| length.parse().ok()) {
            _ if to_head || matches!(self.status, 204 | 304) => Framing::Ended,
            _ if chunked => Framing::Chunked(0),
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.status)?;
        self.headers.iter().try_for_each(|(name, value)| write!(f, ", {name}: {value}"))
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The system's.
    pub fn open(address: SocketAddr) -> Result<Self, Failure> {
        let socket = TcpStream::connect_timeout(&address, HEAD)?;
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(HEAD))?;
        Ok(Self { socket, wire: Vec::new() })
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// The system's.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.socket.write_all(bytes)?)
    }

    /// Sends a request and reads the head of the answer.
    ///
    /// # Errors
    /// None came.
    pub fn ask(mut self, request: &Request) -> Result<Response, Failure> {
        self.send(&request.to_bytes())?;
        self.answer(request.method == "HEAD")
    }

    /// Reads the head of an answer, to a request that was sent before.
    ///
    /// # Errors
    /// None came.
    pub fn answer(mut self, to_head: bool) -> Result<Response, Failure> {
        let deadline = Instant::now() + HEAD;
        loop {
            if let Some(end) = self.wire.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = Head::parse(&self.wire[..end])?;
                self.wire.drain(..end + 4);
                let framing = head.framing(to_head);
                return Ok(Response { head, connection: self, framing, body: Vec::new() });
            }
            match self.fill(deadline)? {
                Filled::More => {}
                end => return Err(Failure(format!("{end} instead of a head, after {}", show(&self.wire)))),
            }
        }
    }

    /// Says that no more will be sent, and goes on reading.
    ///
    /// # Errors
    /// The system's.
    pub fn finish_sending(&self) -> Result<(), Failure> {
        Ok(self.socket.shutdown(Shutdown::Write)?)
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
    /// What was read of the body so far, without its framing.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the body has ended as its framing says.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.framing == Framing::Ended
    }

    /// The identifier of the stream.
    ///
    /// # Errors
    /// The answer has none.
    pub fn stream_id(&self) -> Result<String, Failure> {
        let id = self.head.header("x-stream-id").map(str::to_owned);
        id.ok_or_else(|| Failure(format!("no x-stream-id in {}", self.head)))
    }

    /// Reads until the body ends with these bytes.
    ///
    /// # Errors
    /// It does not, in time.
    pub fn read_until(&mut self, end: impl AsRef<[u8]>, within: Duration) -> Result<(), Failure> {
        let end = end.as_ref();
        self.read_while(within, |response| !response.body.ends_with(end))?;
        if self.body.ends_with(end) {
            return Ok(());
        }
        Err(Failure(format!("not within {within:?}: {}\n    saw {}", show(end), show(&self.body))))
    }

    /// Reads whatever comes in this time, or until the body ends.
    ///
    /// # Errors
    /// The connection broke, or the framing is wrong.
    pub fn read_for(&mut self, time: Duration) -> Result<&[u8], Failure> {
        let before = self.body.len();
        self.read_while(time, |_| true)?;
        Ok(&self.body[before..])
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn read_to_end(&mut self, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |_| true)?;
        if self.is_ended() {
            return Ok(());
        }
        Err(Failure(format!("the body has not ended within {within:?}\n    saw {}", show(&self.body))))
    }

    /// The connection, for the next request.
    ///
    /// # Errors
    /// The body has not ended, or bytes came after it.
    pub fn into_connection(self) -> Result<Connection, Failure> {
        if !self.is_ended() || !self.connection.wire.is_empty() {
            let wire = show(&self.connection.wire);
            return Err(Failure(format!("the connection cannot be used again; left on it: {wire}")));
        }
        Ok(self.connection)
    }

    /// The connection, with what was read of the next answer.
    ///
    /// # Errors
    /// The body has not ended.
    pub fn into_rest(self) -> Result<Connection, Failure> {
        if self.is_ended() { Ok(self.connection) } else { Err(Failure::new("the body has not ended")) }
    }

    /// The connection, whatever is on it.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn read_while(&mut self, within: Duration, go_on: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        loop {
            self.framing.decode(&mut self.connection.wire, &mut self.body)?;
            if self.is_ended() || !go_on(self) {
                return Ok(());
            }
            match self.connection.fill(deadline)? {
                Filled::More => {}
                Filled::Late => return Ok(()),
                Filled::Closed if self.framing == Framing::UntilClose => self.framing = Framing::Ended,
                Filled::Closed => {
                    return Err(Failure(format!("the connection closed within the body: {}", show(&self.body))));
                }
            }
        }
    }
}
