//! A chat: rooms and private messages over one stream with one ID, for the duration of a login.
//!
//! ```sh
//! cargo run -p chat
//! cargo run -p chat -- --login-seconds 20
//! ```

mod login;
mod messages;

use actix_web::web::{self, Data, Html};
use actix_web::{App, HttpServer, Responder};
use clap::Parser;
use example_common::{Listen, page, stop_signal};
use login::{Login, Logins};
use sse_actix::{Error, Hub, Replay, Sse};
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The rooms. Every login may read all of them.
const ROOMS: [&str; 3] = ["#general", "#rust", "#random"];

static PAGE: LazyLock<&str> = LazyLock::new(|| page(include_str!("../page.html")));

/// A chat whose streams end when the login does.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// How long a login lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    login_seconds: u64,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = args.listen.bind()?;
    // A browser opens six connections. Five streams leave one connection for other requests.
    let hub = Hub::builder().max_streams_per_key(5).drain_grace(Duration::from_millis(500)).build();
    let lasts = Duration::from_secs(args.login_seconds);
    let logins = Data::new(Logins::new(hub.clone(), lasts).map_err(io::Error::other)?);
    tokio::spawn(Arc::clone(&logins).watch());
    let shared = Data::new(hub.clone());
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(logins.clone())
            .app_data(web::JsonConfig::default().limit(16 * 1024))
            .route("/", web::get().to(async || Html::new(*PAGE)))
            .route("/login", web::post().to(login::login))
            .route("/logout", web::post().to(login::logout))
            .route("/me", web::get().to(login::me))
            .route("/messages", web::post().to(messages::say))
            .route("/events", web::to(events))
    };
    let server = HttpServer::new(app)
        .workers(2)
        // Without this setting actix-web notices a client that left only at its next write.
        .h1_allow_half_closed(false)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
    let (handle, signal) = (server.handle(), stop_signal()?);
    tokio::spawn(async move {
        signal.await;
        hub.drain(Duration::ZERO).await;
        handle.stop(true).await;
    });
    server.await
}

/// Decides on every request which topics the login may read. The client's last event ID selects only the position.
async fn events(login: Login, sse: Sse, hub: Data<Hub>, logins: Data<Logins>) -> Result<impl Responder, Error> {
    let topics = [&*login.topic].into_iter().chain(ROOMS);
    let here = Arc::clone(&logins).arrive(&login);
    let sse = sse.expires_at(login.ends).key(&login.key)?.on_end(move |_, _| drop(here));
    // `people` is a state topic, so a new page receives the newest event of each user, and needs no replay of them.
    let feed = sse.subscribe(&hub, topics.clone().chain(["people"]));
    Ok(topics.fold(feed, |feed, topic| feed.replay_topic(topic, Replay::Last(100))))
}
