//! Answers over HTTP/1: a complete text, or a stream of chunks until the client leaves.

use futures_util::StreamExt;
use sse_core::{EventStream, Response, Tokio};
use std::fmt::Write;
use std::io;
use std::pin::pin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// A connection that waits for its answer.
#[derive(Debug)]
pub(crate) struct Respond<'s> {
    reads: ReadHalf<'s>,
    writes: WriteHalf<'s>,
    chunked: bool,
}

impl<'s> Respond<'s> {
    pub(crate) fn new(socket: &'s mut TcpStream, chunked: bool) -> Self {
        let (reads, writes) = socket.split();
        Self { reads, writes, chunked }
    }

    pub(crate) async fn text(&mut self, status: u16, content_type: &str, text: &str) -> io::Result<()> {
        self.complete(status, [("content-type", content_type)].into_iter(), text).await
    }

    /// Writes a complete answer. An answer to HEAD and a 204 have no body and no length.
    pub(crate) async fn complete<'n, 'v>(
        &mut self,
        status: u16,
        headers: impl Iterator<Item = (&'n str, &'v str)>,
        body: &str,
    ) -> io::Result<()> {
        let mut head = head(status, headers);
        if !body.is_empty() {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        self.writes.write_all((head + "\r\n" + body).as_bytes()).await?;
        self.writes.shutdown().await
    }

    /// Writes the head of a stream, and then its chunks, until the stream ends or the client leaves.
    pub(crate) async fn stream(mut self, response: Response<EventStream<Tokio>>) -> io::Result<()> {
        let mut head = head(response.status(), response.headers());
        if self.chunked {
            head.push_str("transfer-encoding: chunked\r\n");
        }
        self.writes.write_all((head + "\r\n").as_bytes()).await?;
        let mut body = pin!(response.into_body());
        let mut ignored = [0; 512];
        loop {
            tokio::select! {
                chunk = body.next() => {
                    let Some(chunk) = chunk else { break };
                    // The loop polls the next chunk only after this one is written, so a slow client takes no memory here.
                    if self.chunked {
                        self.writes.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                    }
                    self.writes.write_all(&chunk).await?;
                    if self.chunked {
                        self.writes.write_all(b"\r\n").await?;
                    }
                }
                // A client that closes its side has left. Other bytes from the client are ignored.
                read = self.reads.read(&mut ignored) => if read? == 0 { return Ok(()) },
            }
        }
        if self.chunked {
            self.writes.write_all(b"0\r\n\r\n").await?;
        }
        self.writes.shutdown().await
    }
}

fn head<'n, 'v>(status: u16, headers: impl Iterator<Item = (&'n str, &'v str)>) -> String {
    // The reason phrase is empty, because clients use only the number.
    let mut head = format!("HTTP/1.1 {status} \r\nconnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head
}
