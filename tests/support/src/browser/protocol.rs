//! Commands to a browser over a WebSocket, as JSON with numbers:
//! [WebDriver BiDi](https://w3c.github.io/webdriver-bidi/) and the
//! [DevTools protocol](https://chromedevtools.github.io/devtools-protocol/) have the same frame.

use super::within;
use crate::{Error, Result};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{ConnectStream, connect_async};
use async_tungstenite::tungstenite::Message;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long a browser may take to end by itself before the process is killed.
const END: Duration = Duration::from_secs(5);

/// A connection to a browser. The connection ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub(super) struct Protocol {
    requests: mpsc::UnboundedSender<Request>,
    /// The session of the DevTools protocol that receives the commands. BiDi has one session per connection.
    session: Option<String>,
}

#[derive(Debug)]
enum Request {
    Command { message: Value, answer: oneshot::Sender<Result<Value>> },
    Event { kind: EventKind, seen: oneshot::Sender<()> },
}

/// The session and the name of an event.
type EventKind = (Option<String>, String);

impl Protocol {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let (socket, _) = connect_async(url).await?;
        let (requests, queue) = mpsc::unbounded_channel();
        tokio::spawn(carry(socket, queue));
        Ok(Self { requests, session: None })
    }

    /// The same connection for the commands and events of one session.
    pub(super) fn session(&self, session: &str) -> Self {
        Self { requests: self.requests.clone(), session: Some(session.to_owned()) }
    }

    /// Sends a command and returns its result.
    pub(super) async fn send(&self, method: &'static str, params: Value) -> Result<Value> {
        let (answer, answered) = oneshot::channel();
        let mut message = json!({ "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.requests.send(Request::Command { message, answer }).map_err(|_| closed())?;
        within(method, async { answered.await.map_err(|_| closed())? }).await
    }

    /// The next event of this name that comes after this call.
    pub(super) fn event(&self, name: &'static str) -> Result<impl Future<Output = Result> + use<>> {
        let (seen, next) = oneshot::channel();
        let kind = (self.session.clone(), name.to_owned());
        self.requests.send(Request::Event { kind, seen }).map_err(|_| closed())?;
        Ok(within(name, async { next.await.map_err(|_| closed()) }))
    }
}

fn closed() -> Error {
    Error::from("the browser closed the connection")
}

/// The address that a browser prints after `prefix` when it listens. A task reads the standard error to its end, because
/// a browser stops if nothing reads its standard error.
pub(super) fn address(stderr: ChildStderr, prefix: &'static str) -> oneshot::Receiver<String> {
    let (found, address) = oneshot::channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        let mut found = Some(found);
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(address) = line.strip_prefix(prefix)
                && let Some(found) = found.take()
            {
                let _ = found.send(address.to_owned());
            }
        }
    });
    address
}

/// Ends a browser by its command, or by a signal to its process after 5 s.
pub(super) async fn end(mut child: Child, close: impl Future<Output = Result<Value>>) {
    let ended = timeout(END, async {
        let _ = close.await;
        child.wait().await
    });
    if !matches!(ended.await, Ok(Ok(_))) {
        let _ = child.kill().await;
    }
}

/// Carries commands, answers and events until the last handle is dropped or the browser closes the connection.
async fn carry(mut socket: WebSocketStream<ConnectStream>, mut queue: mpsc::UnboundedReceiver<Request>) {
    let mut answers: HashMap<u64, oneshot::Sender<Result<Value>>> = HashMap::new();
    let mut events: HashMap<EventKind, Vec<oneshot::Sender<()>>> = HashMap::new();
    let mut id = 0;
    loop {
        tokio::select! {
            request = queue.recv() => match request {
                None => return,
                Some(Request::Event { kind, seen }) => events.entry(kind).or_default().push(seen),
                Some(Request::Command { mut message, answer }) => {
                    id += 1;
                    answers.insert(id, answer);
                    message["id"] = json!(id);
                    if socket.send(Message::text(message.to_string())).await.is_err() {
                        return;
                    }
                }
            },
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Ok(mut message) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
                if let Some(id) = message["id"].as_u64() {
                    let Some(answer) = answers.remove(&id) else { continue };
                    let _ = answer.send(match message.get_mut("result") {
                        Some(result) => Ok(result.take()),
                        None => Err(format!("{} {}", message["error"], message["message"]).into()),
                    });
                } else if let Some(name) = message["method"].as_str() {
                    let session = message["sessionId"].as_str().map(str::to_owned);
                    for seen in events.remove(&(session, name.to_owned())).unwrap_or_default() {
                        let _ = seen.send(());
                    }
                }
            }
        }
    }
}
