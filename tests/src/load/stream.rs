//! One client of a topic of numbers.

use super::Result;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sse_core::{Action, EventSource, Random, Received, ResponseHead};
use sse_test_support::ledger::Course;
use sse_test_support::reader::{Event, Habits, Reader};
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout, timeout_at};

/// The longest delay before a reconnect, without jitter. Short, so that a run has many reconnects.
const LONGEST_RETRY: Duration = Duration::from_millis(200);

/// The numbers that a client received over all connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadTally {
    /// The received numbers, and the missing, repeated and out-of-order ones, by the independent reader.
    pub course: Course,
    /// Events and last event IDs that `EventSource` read in another way than the independent reader; must be 0.
    pub disagreements: u64,
}

impl LoadTally {
    /// The highest received number.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.course.last()
    }

    /// The number of broken promises.
    #[must_use]
    pub const fn wrong(&self) -> u64 {
        self.course.tally().wrong() + self.disagreements
    }

    fn take(&mut self, event: &Event) {
        if event.event_type == "gap" {
            return self.course.receive_gap();
        }
        match event.data.split(' ').next().and_then(|number| number.parse().ok()) {
            // The ledger counts each fault.
            Some(number) => drop(self.course.receive(number)),
            None => self.course.receive_unknown(),
        }
    }
}

/// A client of `/topics?name=load` that reconnects and resumes.
///
/// `EventSource` of `sse-core` drives it: when to send which request, how long to wait, when a server is lost. The
/// independent reader receives the same bytes and judges the server, so that an error of our decoder hides no error of our
/// encoder; every difference between the two counts.
#[derive(Debug)]
pub struct LoadClient {
    server: SocketAddr,
    receive_buffer: Option<u32>,
    source: EventSource,
    judge: Reader,
    /// Whether the judge keeps IDs as the standard says, and so as `EventSource` does. Of a client with other habits the
    /// judge has the last event ID.
    keeps_ids: bool,
    connection: Option<LoadConnection>,
    /// How often the server opened a stream.
    pub connects: u64,
    /// The tally of all connections.
    pub tally: LoadTally,
}

#[derive(Debug)]
struct LoadConnection {
    body: Incoming,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl LoadClient {
    /// A client that has not connected yet. It keeps IDs and unfinished blocks as a browser with these habits does.
    /// `receive_buffer` is the size of the socket's receive buffer, `seed` that of the delays.
    #[must_use]
    pub fn new(server: SocketAddr, habits: Habits, receive_buffer: Option<u32>, seed: u64) -> Self {
        Self {
            server,
            receive_buffer,
            source: event_source(seed),
            judge: Reader::with(habits),
            keeps_ids: habits == Habits::default(),
            connection: None,
            connects: 0,
            tally: LoadTally::default(),
        }
    }

    /// Connects a client that follows the standard.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub async fn open(server: SocketAddr, receive_buffer: Option<u32>) -> Result<Self> {
        let mut client = Self::new(server, Habits::default(), receive_buffer, 0);
        client.connect().await?;
        Ok(client)
    }

    /// The same over an open connection.
    ///
    /// # Errors
    /// The server opens no stream.
    pub async fn over(socket: TcpStream) -> Result<Self> {
        let mut client = Self::new(socket.peer_addr()?, Habits::default(), None, 0);
        client.source.poll(Instant::now());
        client.request(socket).await?;
        Ok(client)
    }

    /// Waits as long as the event source asks for, then connects and resumes.
    ///
    /// # Errors
    /// The server opens no stream within 30 s, or the event source has stopped. After any other error the client may
    /// connect again.
    pub async fn connect(&mut self) -> Result {
        if !self.keeps_ids {
            let id = self.judge.last_event_id().unwrap_or_default();
            self.source = mem::replace(&mut self.source, event_source(0)).resume_after(id);
        }
        loop {
            match self.source.poll(Instant::now()) {
                Action::Connect => break,
                Action::Wait { until } => sleep_until(until.into()).await,
                _ => return Err(format!("no connect: {:?}", self.source.stop_reason()).into()),
            }
        }
        let opened = async {
            let socket = TcpSocket::new_v4()?;
            if let Some(bytes) = self.receive_buffer {
                socket.set_recv_buffer_size(bytes)?;
            }
            self.request(socket.connect(self.server).await?).await
        };
        let opened = timeout(Duration::from_secs(30), opened).await.unwrap_or_else(|_| Err("no answer in 30 s".into()));
        if opened.is_err() {
            self.source.handle_end(Instant::now());
        }
        opened
    }

    async fn request(&mut self, socket: TcpStream) -> Result {
        self.judge.reconnect();
        let address = socket.local_addr()?;
        let builder = hyper::client::conn::http1::Builder::new().max_buf_size(16 * 1024).to_owned();
        let (mut requests, connection) = builder.handshake(TokioIo::new(socket)).await?;
        let task = tokio::spawn(async move {
            // The body reports every error.
            let _ = connection.await;
        });
        let request = http::Request::get("/topics?name=load").header("host", "load");
        let request = self.source.request_headers().fold(request, |request, (name, value)| request.header(name, value));
        let response = requests.send_request(request.body(Empty::<bytes::Bytes>::new())?).await?;
        let content_type = response.headers().get("content-type").map(http::HeaderValue::as_bytes);
        let head = ResponseHead::new(response.status().as_u16()).content_type(content_type);
        self.source.handle_response(head, Instant::now());
        if !self.source.is_open() {
            return Err(format!("answered {}", response.status()).into());
        }
        self.connects += 1;
        self.connection = Some(LoadConnection { body: response.into_body(), address, task });
        Ok(())
    }

    /// Closes the socket, at whatever byte the client is.
    pub fn disconnect(&mut self) {
        self.connection = None;
        self.source.handle_end(Instant::now());
    }

    /// The client's own address, while it is connected.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.connection.as_ref().map(|connection| connection.address)
    }

    /// Whether the event source has stopped for good.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.source.stop_reason().is_some()
    }

    /// Reads the next chunk. Returns `false` at the end of the stream.
    ///
    /// # Errors
    /// The connection breaks, or the server is silent for longer than the event source allows.
    pub async fn read(&mut self) -> Result<bool> {
        let Some(connection) = &mut self.connection else { return Ok(false) };
        let frame: Result<_> = match self.source.poll(Instant::now()) {
            Action::Receive { until: Some(until) } => match timeout_at(until.into(), connection.body.frame()).await {
                Ok(frame) => frame.transpose().map_err(Into::into),
                Err(_) => Err("the server was silent".into()),
            },
            other => Err(format!("{other:?} in place of a read").into()),
        };
        let Ok(Some(frame)) = frame else {
            self.disconnect();
            frame?;
            self.judge.end();
            return Ok(false);
        };
        if let Ok(chunk) = frame.into_data() {
            self.judge(&chunk);
        }
        Ok(true)
    }

    /// Lets the judge and the event source read the same bytes.
    fn judge(&mut self, mut chunk: &[u8]) {
        let mut events = self.judge.dispatched(chunk);
        events.retain(|event| !event.is_reserved());
        events.iter().for_each(|event| self.tally.take(event));
        let (mut read, now) = (0, Instant::now());
        while let Some(received) = self.source.decode(&mut chunk, now) {
            let agrees = match received {
                Received::Reserved(_) => continue,
                Received::Event(event) => {
                    events.get(read).is_some_and(|judged| judged.event_type != "gap" && is_same(judged, &event))
                }
                Received::Gap(event) => {
                    events.get(read).is_some_and(|judged| judged.event_type == "gap" && is_same(judged, &event))
                }
                _ => false,
            };
            read += 1;
            self.tally.disagreements += u64::from(!agrees);
        }
        let same_id = !self.keeps_ids || self.source.last_event_id() == self.judge.last_event_id().unwrap_or_default();
        self.tally.disagreements += events.len().saturating_sub(read) as u64 + u64::from(!same_id);
    }

    /// Reads for this long. Returns `false` if the stream ends or breaks meanwhile.
    pub async fn read_for(&mut self, time: Duration) -> bool {
        let reading = async { while self.read().await.unwrap_or(false) {} };
        timeout(time, reading).await.is_err()
    }

    /// Reads until this number has arrived.
    ///
    /// # Errors
    /// The number does not arrive in time, or the stream ends first.
    pub async fn read_until(&mut self, number: u64, within: Duration) -> Result {
        let reading = async {
            while self.tally.last() < Some(number) {
                if !self.read().await? {
                    return Err("the stream ended".into());
                }
            }
            Ok(())
        };
        let read: Result<Result> = timeout(within, reading).await.map_err(|_| "it did not come in time".into());
        read?.map_err(|error| format!("{error}; {number} did not come, {:?} was the last", self.tally.last()).into())
    }
}

fn event_source(seed: u64) -> EventSource {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    EventSource::new(Random::from_seed(bytes)).retry_bounds(Duration::ZERO, LONGEST_RETRY)
}

fn is_same(judged: &Event, read: &sse_core::MessageEvent<'_>) -> bool {
    judged.event_type == read.event_type && judged.data == read.data
}

impl Drop for LoadConnection {
    fn drop(&mut self) {
        // Closes the socket now, and not only when the task notices that the body is gone.
        self.task.abort();
    }
}
