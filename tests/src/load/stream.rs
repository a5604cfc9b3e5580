//! One client of a topic of numbers.

use super::Result;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sse_test_support::ledger::Course;
use sse_test_support::reader::{Habits, Reader};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The numbers that a client received over all connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadTally {
    /// The received numbers, and the missing, repeated and out-of-order ones.
    pub course: Course,
    reader: Reader,
}

impl LoadTally {
    /// The tally of a client with these habits.
    pub(super) fn of(habits: Habits) -> Self {
        Self { reader: Reader::with(habits), ..Self::default() }
    }

    /// The highest received number.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.course.last()
    }

    /// The number of broken promises.
    #[must_use]
    pub const fn wrong(&self) -> u64 {
        self.course.tally().wrong()
    }

    fn take(&mut self, event_type: &str, data: &str) {
        if event_type == "gap" {
            return self.course.receive_gap();
        }
        match data.split(' ').next().and_then(|number| number.parse().ok()) {
            // The ledger counts each fault.
            Some(number) => drop(self.course.receive(number)),
            None => self.course.receive_unknown(),
        }
    }
}

/// A connection to `/topics?name=load`.
///
/// The client resumes by the independent reader, with the habits of a browser, and not by `EventSource` of `sse-core`: an error
/// of that decoder must not hide an error of the encoder.
#[derive(Debug)]
pub struct LoadClient {
    body: Incoming,
    address: SocketAddr,
    /// The tally of this connection and the earlier ones.
    pub tally: LoadTally,
    connection: JoinHandle<()>,
}

impl LoadClient {
    /// Opens a stream and resumes where the tally ends. `receive_buffer` is the size of the socket's receive buffer.
    ///
    /// # Errors
    /// The status is not 200, or no head arrives within 30 s.
    pub async fn open(server: SocketAddr, tally: LoadTally, receive_buffer: Option<u32>) -> Result<Self> {
        let opened = async {
            let socket = TcpSocket::new_v4()?;
            if let Some(bytes) = receive_buffer {
                socket.set_recv_buffer_size(bytes)?;
            }
            Self::over(socket.connect(server).await?, tally).await
        };
        timeout(Duration::from_secs(30), opened).await.map_err(|_| "no answer in 30 s")?
    }

    /// As [`open`](Self::open), over an open connection.
    ///
    /// # Errors
    /// The status is not 200.
    pub async fn over(socket: TcpStream, mut tally: LoadTally) -> Result<Self> {
        tally.reader.reconnect();
        let address = socket.local_addr()?;
        let builder = hyper::client::conn::http1::Builder::new().max_buf_size(16 * 1024).to_owned();
        let (mut requests, connection) = builder.handshake(TokioIo::new(socket)).await?;
        let connection = tokio::spawn(async move {
            // The body reports every error.
            let _ = connection.await;
        });
        let request =
            http::Request::get("/topics?name=load").header("host", "load").header("accept", "text/event-stream");
        let id = tally.reader.last_event_id().filter(|id| !id.is_empty());
        let request = id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = requests.send_request(request.body(Empty::<bytes::Bytes>::new())?).await?;
        if response.status() != 200 {
            return Err(format!("answered {}", response.status()).into());
        }
        Ok(Self { body: response.into_body(), address, tally, connection })
    }

    /// The client's own address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads the next chunk. Returns `false` at the end of the stream.
    ///
    /// # Errors
    /// The connection breaks.
    pub async fn read(&mut self) -> Result<bool> {
        let Some(frame) = self.body.frame().await else {
            self.tally.reader.end();
            return Ok(false);
        };
        let Ok(chunk) = frame?.into_data() else { return Ok(true) };
        for event in self.tally.reader.dispatched(&chunk).into_iter().filter(|event| !event.is_reserved()) {
            self.tally.take(&event.event_type, &event.data);
        }
        Ok(true)
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

impl Drop for LoadClient {
    fn drop(&mut self) {
        // Closes the socket now, and not only when the task notices that the body is gone.
        self.connection.abort();
    }
}
