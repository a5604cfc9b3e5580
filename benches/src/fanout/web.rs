//! The frameworks: ours, each one's usual recipe, and its floor.

use super::floor::Floor;
use super::serve::{Kind, obey};
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, join_all, ready};
use sse_core::{Event, Hub};
use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::BroadcastStream;
use warp::Filter;

/// More than a burst holds, so that no reader of the recipe's loses any.
const BROADCAST: usize = 8192;

pub fn serve(kind: Kind) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    match kind {
        Kind::ActixOurs | Kind::ActixRecipe | Kind::ActixFloor => {
            actix_web::rt::System::new().block_on(actix(kind, listener))
        }
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(hyper(kind, listener))
        }
    }
}

fn done() -> LocalBoxFuture<'static, ()> {
    Box::pin(ready(()))
}

fn on_hub(hub: Hub) -> impl FnMut(String) -> LocalBoxFuture<'static, ()> {
    move |payload| {
        hub.publish("feed", Event::data(payload)).expect("an event");
        done()
    }
}

fn on_floor(floor: Floor) -> impl FnMut(String) -> LocalBoxFuture<'static, ()> {
    move |payload| {
        floor.publish(&payload);
        done()
    }
}

fn on_broadcast(sender: broadcast::Sender<String>) -> impl FnMut(String) -> LocalBoxFuture<'static, ()> {
    move |payload| {
        let _ = sender.send(payload);
        done()
    }
}

async fn hyper(kind: Kind, listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (hub, floor, sender) = (Hub::new(), Floor::default(), broadcast::Sender::<String>::new(BROADCAST));
    match kind {
        Kind::AxumOurs => {
            let feed = |sse: sse_axum::Sse, State(hub): State<Hub>| async move { sse.subscribe(&hub, ["feed"]) };
            let app = Router::new().route("/", any(feed)).with_state(hub.clone());
            tokio::spawn(async { axum::serve(listener, app).await });
            obey(on_hub(hub)).await;
        }
        Kind::AxumRecipe => {
            let feed = |State(sender): State<broadcast::Sender<String>>| async move {
                let events = BroadcastStream::new(sender.subscribe());
                let events = events.map(|text| text.map(|text| axum::response::sse::Event::default().data(text)));
                axum::response::Sse::new(events).keep_alive(axum::response::sse::KeepAlive::default())
            };
            let app = Router::new().route("/", get(feed)).with_state(sender.clone());
            tokio::spawn(async { axum::serve(listener, app).await });
            obey(on_broadcast(sender)).await;
        }
        Kind::AxumFloor => {
            let feed = |State(floor): State<Floor>| async move {
                let body = axum::body::Body::from_stream(floor.body());
                ([("content-type", "text/event-stream")], body).into_response()
            };
            let app = Router::new().route("/", get(feed)).with_state(floor.clone());
            tokio::spawn(async { axum::serve(listener, app).await });
            obey(on_floor(floor)).await;
        }
        Kind::WarpOurs => {
            let follow = hub.clone();
            let feed = sse_warp::offered().map(move |sse: Result<sse_warp::Sse, sse_warp::Refused>| {
                sse.map(|sse| sse.subscribe(&follow, ["feed"]))
            });
            tokio::spawn(warp::serve(feed).incoming(listener).run());
            obey(on_hub(hub)).await;
        }
        Kind::WarpRecipe => {
            let subscribe = sender.clone();
            let feed = warp::get().map(move || {
                let events = BroadcastStream::new(subscribe.subscribe());
                let events = events.map(|text| text.map(|text| warp::sse::Event::default().data(text)));
                warp::sse::reply(warp::sse::keep_alive().stream(events))
            });
            tokio::spawn(warp::serve(feed).incoming(listener).run());
            obey(on_broadcast(sender)).await;
        }
        _ => {
            let bodies = floor.clone();
            let feed = warp::get().map(move || {
                let reply = warp::reply::stream(bodies.body());
                warp::reply::with_header(reply, "content-type", "text/event-stream")
            });
            tokio::spawn(warp::serve(feed).incoming(listener).run());
            obey(on_floor(floor)).await;
        }
    }
    Ok(())
}

/// The senders of all readers, as the examples of actix keep them.
type Readers = Arc<Mutex<Vec<mpsc::Sender<actix_web_lab::sse::Event>>>>;

async fn actix(kind: Kind, listener: TcpListener) -> io::Result<()> {
    use actix_web::{App, HttpResponse, HttpServer, web};
    let (hub, floor, readers) = (Hub::new(), Floor::default(), Readers::default());
    let shared = (hub.clone(), floor.clone(), readers.clone());
    let server = HttpServer::new(move || {
        let (hub, floor, readers) = shared.clone();
        let app = App::new();
        match kind {
            Kind::ActixOurs => app.app_data(web::Data::new(hub)).service(
                web::resource("/")
                    .to(|sse: sse_actix::Sse, hub: web::Data<Hub>| async move { sse.subscribe(&hub, ["feed"]) }),
            ),
            Kind::ActixRecipe => app.app_data(web::Data::new(readers)).service(web::resource("/").to(
                |readers: web::Data<Readers>| async move {
                    let (sender, receiver) = mpsc::channel(10);
                    readers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
                    actix_web_lab::sse::Sse::from_infallible_receiver(receiver)
                        .with_keep_alive(std::time::Duration::from_secs(15))
                },
            )),
            _ => app.app_data(web::Data::new(floor)).service(web::resource("/").to(
                |floor: web::Data<Floor>| async move {
                    HttpResponse::Ok().content_type("text/event-stream").streaming(floor.body())
                },
            )),
        }
    });
    let server = server.workers(1).max_connections(100_000).backlog(8192).listen(listener)?.disable_signals().run();
    actix_web::rt::spawn(server);
    match kind {
        Kind::ActixOurs => obey(on_hub(hub)).await,
        Kind::ActixRecipe => {
            let publish = RefCell::new(readers);
            obey(move |payload| {
                let readers = publish.borrow().lock().unwrap_or_else(PoisonError::into_inner).clone();
                Box::pin(async move {
                    let event = actix_web_lab::sse::Data::new(payload);
                    let sends = readers.iter().map(|reader| reader.send(event.clone().into()));
                    join_all(sends).await;
                })
            })
            .await;
        }
        _ => obey(on_floor(floor)).await,
    }
    Ok::<_, Infallible>(()).map_err(|never| match never {})
}
