//! HTTP/2 with prior knowledge, through hyper.

use super::Request;
use crate::target::patience;
use crate::{Failure, Target};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::fmt;
use std::time::Duration;
use tokio::runtime::Runtime;

/// One connection. Each call waits for its answer.
#[derive(Debug)]
pub struct Http2 {
    runtime: Runtime,
    send: SendRequest<Full<Bytes>>,
    authority: String,
}

/// A response whose body is read as the bytes arrive.
#[derive(Debug)]
#[non_exhaustive]
pub struct Http2Response<'c> {
    /// The status and the headers.
    pub head: http::response::Parts,
    connection: &'c Http2,
    incoming: Option<Incoming>,
    body: Vec<u8>,
}

fn failed(error: impl fmt::Debug) -> Failure {
    Failure::new(format_args!("HTTP/2 failed: {error:?}"))
}

impl Http2 {
    /// Connects.
    ///
    /// # Errors
    /// The server does not speak HTTP/2.
    pub fn open(target: &Target) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let send = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(target.address()).await?;
            let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
            let (send, connection) = handshake.await.map_err(failed)?;
            tokio::spawn(connection);
            Ok::<_, Failure>(send)
        })?;
        Ok(Self { runtime, send, authority: target.address().to_string() })
    }

    /// Sends a request and reads the head of the response.
    ///
    /// # Errors
    /// No head arrives.
    pub fn ask(&self, request: &Request) -> Result<Http2Response<'_>, Failure> {
        self.ask_within(request, patience())
    }

    /// As [`ask`](Self::ask), with a bound of the caller's choice.
    ///
    /// # Errors
    /// No head arrives within `within`.
    pub fn ask_within(&self, request: &Request, within: Duration) -> Result<Http2Response<'_>, Failure> {
        let uri = format!("http://{}{}", self.authority, request.path);
        let mut builder = http::Request::builder().method(&*request.method).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(name, value.as_slice());
        }
        let request = builder.body(Full::from(request.body.clone().unwrap_or_default())).map_err(failed)?;
        let mut send = self.send.clone();
        let response = self.runtime.block_on(async {
            send.ready().await.map_err(failed)?;
            tokio::time::timeout(within, send.send_request(request)).await.map_err(failed)?.map_err(failed)
        })?;
        let (head, incoming) = response.into_parts();
        Ok(Http2Response { head, connection: self, incoming: Some(incoming), body: Vec::new() })
    }
}

impl Http2Response<'_> {
    /// The body so far.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the body has ended.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.incoming.is_none()
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// Reads until the body has this many bytes.
    ///
    /// # Errors
    /// Fewer bytes arrive within `within`.
    pub fn read_bytes(&mut self, count: usize, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |body| body.len() < count)
    }

    /// Reads until the last event ID of the body is `id`.
    ///
    /// # Errors
    /// The last event ID is still another one after `within`.
    pub fn read_id(&mut self, id: &str, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |body| super::Seen::of(body, None).last_event_id.as_deref() != Some(id))
    }

    /// Reads until the body ends with these bytes; with `None`, until the body ends.
    ///
    /// # Errors
    /// The end does not come within `within`, or the server breaks the protocol.
    pub fn read_until(&mut self, end: Option<&[u8]>, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |body| end.is_none_or(|end| !body.ends_with(end)))
    }

    fn read_while(&mut self, within: Duration, go_on: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
        let body = &mut self.body;
        let Some(incoming) = &mut self.incoming else { return Ok(()) };
        let read = async {
            while go_on(body) {
                let Some(frame) = incoming.frame().await else { return Ok(true) };
                let frame = frame.map_err(failed)?;
                body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            }
            Ok::<_, Failure>(false)
        };
        // tokio's timer must be created inside the runtime.
        let read = self.connection.runtime.block_on(async { tokio::time::timeout(within, read).await });
        match read {
            Ok(ended) => {
                if ended? {
                    self.incoming = None;
                }
                Ok(())
            }
            Err(_) => {
                Err(Failure::new(format_args!("not within {within:?}; saw {}", crate::failure::show(&self.body))))
            }
        }
    }
}
