//! The core alone, on a bare tokio socket: no framework and no HTTP library.
//!
//! ```sh
//! cargo run -p custom-server
//! curl -N localhost:3000/events
//! ```
//!
//! The core says whether a request may open a stream, what its head is, and what bytes follow when. This program moves
//! them: [`request`] reads a head, [`respond`] writes an answer.

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

/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections there may be at once; the next waits to be accepted.
const CONNECTIONS: usize = 1_000;

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
    // Newcomers still get an answer meanwhile.
    hub.drain(Duration::ZERO).await;
    Ok(())
}

async fn accept(listener: TcpListener, hub: Hub) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let hub = hub.clone();
                tokio::spawn(async move {
                    // A client that goes away in the middle is no event here.
                    let _ = answer(socket, &hub).await;
                    drop(place);
                });
            }
            // No descriptors left, for one: those that are there will end.
            Err(error) => {
                eprintln!("custom-server: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One request, one answer, and the connection ends.
async fn answer(mut socket: TcpStream, hub: &Hub) -> io::Result<()> {
    let Ok(head) = timeout(PATIENCE, Head::read(&mut socket)).await else { return Ok(()) };
    let Some(head) = head? else {
        return Respond::new(&mut socket, true).text(400, "text/plain", "this is no request\n").await;
    };
    let mut respond = Respond::new(&mut socket, head.knows_chunks);
    match head.path() {
        "/events" => match Policy::default().check(&head.request()) {
            Ok(admitted) => respond.stream(Sse::new(Tokio, admitted).subscribe(hub, ["time"]).into_response()).await,
            Err(refusal) => respond.head_and(refusal.status(), refusal.headers(), &refusal.body()).await,
        },
        "/" if head.method == "GET" => respond.text(200, "text/html; charset=utf-8", &PAGE).await,
        _ => respond.text(404, "text/plain", "there is only / and /events\n").await,
    }
}

/// The time, once a second.
async fn tick(hub: Hub) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        seconds.tick().await;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let data = format!(r#"{{"seconds":{seconds},"readers":{}}}"#, hub.stats().streams);
        if let Err(error) = hub.publish("time", Event::data(data).event("tick")) {
            eprintln!("custom-server: {error}");
        }
    }
}
