//! The frameworks: ours, the usual recipe of each, and the floor of each.

use super::floor::Floor;
use super::serve::{Kind, Publish, obey};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use futures_util::future::{Either, join_all, ready};
use futures_util::stream::select_all;
use futures_util::{Stream, StreamExt};
use sse_core::{Event, Hub};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use warp::Filter;

/// More than a burst, so that no stream of the recipes loses an event.
const BROADCAST: usize = 8192;

const LAST_EVENT_ID: &str = "last-event-id";

pub fn serve(kind: Kind, listener: TcpListener, topics: Vec<String>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    match kind {
        Kind::ActixOurs | Kind::ActixRecipe | Kind::ActixFloor => {
            actix_web::rt::System::new().block_on(actix(kind, listener, topics))
        }
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(hyper(kind, listener, topics))
        }
    }
}

fn on_hub(hub: Hub, topics: Arc<[String]>) -> Publish {
    Box::new(move |number, payload| {
        let id = hub.publish(&topics[number % topics.len()], Event::data(payload)).expect("an event");
        Box::pin(ready(Some(id)))
    })
}

fn on_floor(floor: Floor) -> Publish {
    Box::new(move |_, payload| {
        floor.publish(&payload);
        Box::pin(ready(None))
    })
}

/// A channel for each topic, as in the framework's manual.
#[derive(Clone)]
struct Broadcast(Arc<[broadcast::Sender<String>]>);

impl Broadcast {
    fn new(topics: usize) -> Self {
        Self((0..topics).map(|_| broadcast::Sender::new(BROADCAST)).collect())
    }

    fn subscribe(&self) -> impl Stream<Item = Result<String, BroadcastStreamRecvError>> + Send + use<> {
        let topics = self.0.iter().map(|topic| BroadcastStream::new(topic.subscribe()));
        match &self.0[..] {
            [topic] => Either::Left(BroadcastStream::new(topic.subscribe())),
            _ => Either::Right(select_all(topics)),
        }
    }
}

fn on_broadcast(Broadcast(topics): Broadcast) -> Publish {
    Box::new(move |number, payload| {
        let _ = topics[number % topics.len()].send(payload);
        Box::pin(ready(None))
    })
}

async fn hyper(kind: Kind, listener: TcpListener, topics: Vec<String>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let topics: Arc<[String]> = topics.into();
    let (hub, floor, sender) = (Hub::new(), Floor::default(), Broadcast::new(topics.len()));
    match kind {
        Kind::AxumOurs | Kind::AxumWindow | Kind::AxumServe => {
            let all = topics.clone();
            let window = if kind == Kind::AxumWindow { Duration::from_millis(40) } else { Duration::ZERO };
            let feed = move |sse: sse_axum::Sse, State(hub): State<Hub>| async move {
                sse.pace(window).subscribe(&hub, all.iter())
            };
            let app = Router::new().route("/", any(feed)).with_state(hub.clone());
            if kind == Kind::AxumServe {
                tokio::spawn(sse_serve::serve(listener, app).into_future());
            } else {
                tokio::spawn(async { axum::serve(listener, app).await });
            }
            obey(on_hub(hub, topics)).await;
        }
        Kind::AxumRecipe => {
            let feed = |State(sender): State<Broadcast>| async move {
                let events =
                    sender.subscribe().map(|text| text.map(|text| axum::response::sse::Event::default().data(text)));
                axum::response::Sse::new(events).keep_alive(axum::response::sse::KeepAlive::default())
            };
            let app = Router::new().route("/", get(feed)).with_state(sender.clone());
            tokio::spawn(async { axum::serve(listener, app).await });
            obey(on_broadcast(sender)).await;
        }
        Kind::AxumFloor => {
            let feed = |headers: HeaderMap, State(floor): State<Floor>| async move {
                let body = axum::body::Body::from_stream(floor.body(headers.contains_key(LAST_EVENT_ID)));
                ([("content-type", "text/event-stream")], body).into_response()
            };
            let app = Router::new().route("/", get(feed)).with_state(floor.clone());
            tokio::spawn(async { axum::serve(listener, app).await });
            obey(on_floor(floor)).await;
        }
        Kind::WarpOurs => {
            let (follow, all) = (hub.clone(), topics.clone());
            let feed = sse_warp::sse(()).map(move |sse: sse_warp::Sse| sse.subscribe(&follow, all.iter()));
            tokio::spawn(warp::serve(feed).incoming(listener).run());
            obey(on_hub(hub, topics)).await;
        }
        Kind::WarpRecipe => {
            let subscribe = sender.clone();
            let feed = warp::get().map(move || {
                let events = subscribe.subscribe().map(|text| text.map(|text| warp::sse::Event::default().data(text)));
                warp::sse::reply(warp::sse::keep_alive().stream(events))
            });
            tokio::spawn(warp::serve(feed).incoming(listener).run());
            obey(on_broadcast(sender)).await;
        }
        _ => {
            let bodies = floor.clone();
            let comes_back = warp::header::optional::<String>(LAST_EVENT_ID);
            let feed = warp::get().and(comes_back).map(move |id: Option<String>| {
                let reply = warp::reply::stream(bodies.body(id.is_some()));
                warp::reply::with_header(reply, "content-type", "text/event-stream")
            });
            tokio::spawn(warp::serve(feed).incoming(listener).run());
            obey(on_floor(floor)).await;
        }
    }
    Ok(())
}

/// The senders of all streams, as in actix's examples.
type Readers = Arc<Mutex<Vec<mpsc::Sender<actix_web_lab::sse::Event>>>>;

async fn actix(kind: Kind, listener: TcpListener, topics: Vec<String>) -> io::Result<()> {
    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
    let topics: Arc<[String]> = topics.into();
    let (hub, floor, readers) = (Hub::new(), Floor::default(), Readers::default());
    let shared = (hub.clone(), floor.clone(), readers.clone(), topics.clone());
    let server = HttpServer::new(move || {
        let (hub, floor, readers, topics) = shared.clone();
        let app = App::new();
        match kind {
            Kind::ActixOurs => app.app_data(web::Data::new(hub)).service(web::resource("/").to(
                move |sse: sse_actix::Sse, hub: web::Data<Hub>| {
                    let topics = topics.clone();
                    async move { sse.subscribe(&hub, topics.iter()) }
                },
            )),
            Kind::ActixRecipe => app.app_data(web::Data::new(readers)).service(web::resource("/").to(
                |readers: web::Data<Readers>| async move {
                    let (sender, receiver) = mpsc::channel(10);
                    readers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
                    actix_web_lab::sse::Sse::from_infallible_receiver(receiver)
                        .with_keep_alive(std::time::Duration::from_secs(15))
                },
            )),
            _ => app.app_data(web::Data::new(floor)).service(web::resource("/").to(
                |request: HttpRequest, floor: web::Data<Floor>| async move {
                    let body = floor.body(request.headers().contains_key(LAST_EVENT_ID));
                    HttpResponse::Ok().content_type("text/event-stream").streaming(body)
                },
            )),
        }
    });
    let server = server.workers(1).max_connections(100_000).backlog(8192).listen(listener)?.disable_signals().run();
    actix_web::rt::spawn(server);
    match kind {
        Kind::ActixOurs => obey(on_hub(hub, topics)).await,
        Kind::ActixRecipe => {
            obey(Box::new(move |_, payload| {
                let readers = readers.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Box::pin(async move {
                    let event = actix_web_lab::sse::Data::new(payload);
                    let sends = readers.iter().map(|reader| reader.send(event.clone().into()));
                    join_all(sends).await;
                    None
                })
            }))
            .await;
        }
        _ => obey(on_floor(floor)).await,
    }
    Ok::<_, Infallible>(()).map_err(|never| match never {})
}
