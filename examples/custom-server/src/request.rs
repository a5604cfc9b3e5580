//! The head of a request over HTTP/1, without bodies.

use sse_core::Request;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest accepted head.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// A request line and its header lines.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    /// True for HTTP/1.1. An older client receives a body that ends with the connection.
    pub(crate) supports_chunks: bool,
}

impl Head {
    /// Reads up to the empty line. Returns `None` for an invalid or too long head.
    pub(crate) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut bytes = Vec::with_capacity(1024);
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(Self::parse(&bytes[..end]));
            }
            if bytes.len() > MAX_HEAD_BYTES || socket.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut first = str::from_utf8(lines.next()?).ok()?.split(' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        let supports_chunks = match version {
            "HTTP/1.1" => true,
            "HTTP/1.0" => false,
            _ => return None,
        };
        let header = |line: &[u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            // The core trims the values. They stay bytes, because a last event ID is UTF-8 and not ASCII.
            Some((str::from_utf8(&line[..colon]).ok()?.to_owned(), line[colon + 1..].to_vec()))
        };
        let headers = lines.map(header).collect::<Option<_>>()?;
        Some(Self { method: method.to_owned(), target: target.to_owned(), headers, supports_chunks })
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The request as the core reads it.
    pub(crate) fn request(&self) -> Request<'_> {
        let query = self.target.split_once('?').map(|(_, query)| query);
        Request::new(&self.method, query, self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    }
}
