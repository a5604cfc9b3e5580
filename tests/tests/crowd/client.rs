//! Many clients at once. Each opens a stream, reads to the end, and reports the time of the end.

use sse_conformance::client::Request;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// The end of a stream.
pub(crate) struct StreamEnd {
    pub(crate) at: Instant,
    pub(crate) text: String,
}

impl StreamEnd {
    /// The last reconnection time.
    pub(crate) fn retry(&self) -> Option<u64> {
        let (_, last) = self.text.rsplit_once("retry: ")?;
        last.split('\n').next()?.parse().ok()
    }
}

/// A client that has received the first bytes, and reads on.
pub(crate) type Client = JoinHandle<io::Result<StreamEnd>>;

/// Opens a stream, and reads from the first byte to the last.
pub(crate) async fn open(address: SocketAddr, request: Request) -> io::Result<Client> {
    let (mut socket, mut bytes) = begin(TcpStream::connect(address).await?, request).await?;
    Ok(tokio::spawn(async move {
        // A server that is killed resets the connection. That is an end too, and `retry` shows whether the drain
        // reached the stream.
        while !bytes.ends_with(b"\r\n0\r\n\r\n") && socket.read_buf(&mut bytes).await? > 0 {}
        Ok(StreamEnd { at: Instant::now(), text: String::from_utf8_lossy(&bytes).into_owned() })
    }))
}

/// Opens a stream, and reads no event.
pub(crate) async fn stall(address: SocketAddr, request: Request) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // With the default buffer the system would take megabytes, and the server would never notice.
    socket.set_recv_buffer_size(4096)?;
    Ok(begin(socket.connect(address).await?, request).await?.0)
}

async fn begin(mut socket: TcpStream, request: Request) -> io::Result<(TcpStream, Vec<u8>)> {
    socket.write_all(&request.to_bytes()).await?;
    let mut bytes = Vec::new();
    let read = async {
        // The head, and a part of the body.
        while bytes.windows(4).position(|end| end == b"\r\n\r\n").is_none_or(|at| at + 4 == bytes.len()) {
            if socket.read_buf(&mut bytes).await? == 0 {
                return Err(io::Error::other(format!("no stream: {}", bytes.escape_ascii())));
            }
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), read).await??;
    if !bytes.starts_with(b"HTTP/1.1 200") {
        return Err(io::Error::other(format!("no stream: {}", bytes.escape_ascii())));
    }
    Ok((socket, bytes))
}
