//! Answers over HTTP/1: a text, or a stream of chunks for as long as somebody reads it.

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
        self.head_and(status, [("content-type", content_type)].into_iter(), text).await
    }

    /// A head and all of its body. A 204, or the head of a stream in answer to HEAD, has none, and no length either.
    pub(crate) async fn head_and<'n, 'v>(
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

    /// The stream's head, and then its bytes as they come, until it ends or its reader leaves.
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
                    // The next chunk is asked for only when this one is written: a slow reader holds nothing here.
                    if self.chunked {
                        self.writes.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                    }
                    self.writes.write_all(&chunk).await?;
                    if self.chunked {
                        self.writes.write_all(b"\r\n").await?;
                    }
                }
                // Whoever closes their side has left; what they send meanwhile is of no interest.
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
    // The reason is for people; clients go by the number.
    let mut head = format!("HTTP/1.1 {status} \r\nconnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head
}
