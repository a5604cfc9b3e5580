//! The core alone, on a bare tokio socket: no framework and no HTTP library.
//!
//! ```sh
//! cargo run -p custom-server
//! curl -N localhost:3000/events
//! ```
//!
//! The core decides whether a request may open a stream, and provides the head and the bytes of the stream. This program moves
//! the bytes: [`request`] reads a head, [`respond`] writes an answer.

mod request;
mod respond;

use clap::Parser;
use example_common::{Listen, page, stop_signal};
use request::Head;
use respond::Respond;
use sse_core::{Event, Hub, Policy, Sse, Tokio};
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

static PAGE: LazyLock<&str> = LazyLock::new(|| page(include_str!("../page.html")));

/// The longest time that a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest number of connections. The next client waits until one ends.
const MAX_CONNECTIONS: usize = 1_000;

/// Event streams without an HTTP library.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::from_std(Args::parse().listen.bind()?)?;
    let hub = Hub::builder().topic_events(60).drain_grace(Duration::from_millis(500)).build();
    tokio::spawn(tick(hub.clone()));
    tokio::spawn(accept(listener, hub.clone()));
    stop_signal()?.await;
    // New clients still receive an answer during the drain.
    hub.drain(Duration::ZERO).await;
    Ok(())
}

async fn accept(listener: TcpListener, hub: Hub) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let hub = hub.clone();
                tokio::spawn(async move {
                    // A client that left during the answer is no error.
                    let _ = answer(socket, &hub).await;
                    drop(permit);
                });
            }
            // For example, no descriptor is left. Wait until other connections have ended.
            Err(error) => {
                eprintln!("custom-server: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers one request. The connection ends after the answer.
async fn answer(mut socket: TcpStream, hub: &Hub) -> io::Result<()> {
    let Ok(head) = timeout(REQUEST_TIMEOUT, Head::read(&mut socket)).await else { return Ok(()) };
    let Some(head) = head? else {
        return Respond::new(&mut socket, true).text(400, "text/plain", "this is not an HTTP/1 request\n").await;
    };
    let mut respond = Respond::new(&mut socket, head.supports_chunks);
    match head.path() {
        "/events" => match Policy::default().check(&head.request()) {
            Ok(accepted) => respond.stream(Sse::new(Tokio, accepted).subscribe(hub, ["time"]).into_response()).await,
            Err(rejection) => respond.complete(rejection.status(), rejection.headers(), &rejection.body()).await,
        },
        "/" if head.method == "GET" => respond.text(200, "text/html; charset=utf-8", &PAGE).await,
        _ => respond.text(404, "text/plain", "there is only / and /events\n").await,
    }
}

/// Publishes the time once per second, until the hub drains.
async fn tick(hub: Hub) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut draining = hub.draining();
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            () = &mut draining => return,
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let data = format!(r#"{{"seconds":{seconds},"readers":{}}}"#, hub.stats().streams);
        if let Err(error) = hub.publish("time", Event::data(data).event("tick")) {
            eprintln!("custom-server: {error}");
        }
    }
}
