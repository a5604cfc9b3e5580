//! [WebDriver BiDi](https://w3c.github.io/webdriver-bidi/): commands to a browser over a WebSocket.

use super::within;
use crate::{Error, Result};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{ConnectStream, connect_async};
use async_tungstenite::tungstenite::Message;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};

/// A connection to a browser. The connection ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub(super) struct Bidi {
    commands: mpsc::UnboundedSender<Command>,
}

#[derive(Debug)]
struct Command {
    method: &'static str,
    params: Value,
    answer: oneshot::Sender<Result<Value>>,
}

impl Bidi {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let (socket, _) = connect_async(url).await?;
        let (commands, queue) = mpsc::unbounded_channel();
        tokio::spawn(carry(socket, queue));
        Ok(Self { commands })
    }

    /// Sends a command and returns its result.
    pub(super) async fn send(&self, method: &'static str, params: Value) -> Result<Value> {
        let (answer, answered) = oneshot::channel();
        let closed = |_| Error::from("the browser closed the connection");
        self.commands.send(Command { method, params, answer }).map_err(|_| closed(()))?;
        within(method, async { answered.await.map_err(|_| closed(()))? }).await
    }
}

/// Carries commands and answers until the last handle is dropped or the browser closes the connection.
async fn carry(mut socket: WebSocketStream<ConnectStream>, mut queue: mpsc::UnboundedReceiver<Command>) {
    let mut waiting: HashMap<u64, oneshot::Sender<Result<Value>>> = HashMap::new();
    let mut id = 0;
    loop {
        tokio::select! {
            command = queue.recv() => {
                let Some(Command { method, params, answer }) = command else { return };
                id += 1;
                waiting.insert(id, answer);
                let text = json!({ "id": id, "method": method, "params": params }).to_string();
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Ok(mut answer) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
                let Some(sender) = answer["id"].as_u64().and_then(|id| waiting.remove(&id)) else { continue };
                let _ = sender.send(match answer["type"].as_str() {
                    Some("success") => Ok(answer["result"].take()),
                    _ => Err(format!("{}: {}", answer["error"], answer["message"]).into()),
                });
            }
        }
    }
}
