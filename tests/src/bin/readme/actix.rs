//! The README's handlers and shutdown on actix-web.

use super::WINDOW;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Either, HttpServer, Responder, rt, web};
use futures_util::{StreamExt, stream};
use sse_actix::{AcceptMode, Event, Hub, OptionalSse, Policy, Sse};
use std::time::Duration;
use std::{io, net};

pub(crate) async fn serve(listener: net::TcpListener, signal: impl Future + 'static) -> io::Result<()> {
    let with_news = |app: &mut ServiceConfig| {
        app.route("/news", web::to(news));
        routes(app);
    };
    on_actix_web(listener, with_news, Hub::new(), signal).await
}

async fn news(sse: Sse, hub: Data<Hub>) -> impl Responder {
    sse.subscribe(&hub, ["news"])
}

async fn countdown(sse: Sse) -> impl Responder {
    let (events, response) = sse.channel();
    rt::spawn(async move {
        for n in (0..=10).rev() {
            if events.send(n.to_string()).await.is_err() {
                return; // the reader left
            }
            rt::time::sleep(Duration::from_secs(1)).await;
        }
        events.finish();
    });
    response
}

async fn tokens(sse: Sse) -> impl Responder {
    let model = stream::iter(["To", "ken", "s"]);
    sse.stream(model.map(|token| Event::json(&token)))
}

async fn page(OptionalSse(sse): OptionalSse) -> impl Responder {
    match sse {
        Some(sse) => Either::Left(sse.stream(stream::iter(["hello"]))),
        None => Either::Right(web::Html::new("<script>new EventSource(location)</script>")),
    }
}

async fn ask(sse: Sse, question: String) -> impl Responder {
    sse.stream(stream::iter([question, "42".into()]))
}

fn routes(app: &mut web::ServiceConfig) {
    // A client that posts seldom names the type in `Accept`.
    let posted = Policy::default().methods(["POST"]).accept(AcceptMode::Any);
    app.route("/countdown", web::to(countdown))
        .route("/tokens", web::to(tokens))
        .service(web::resource("/ask").app_data(posted).to(ask))
        .route("/", web::to(page));
}

async fn on_actix_web<S>(
    listener: net::TcpListener,
    routes: fn(&mut ServiceConfig),
    hub: Hub,
    signal: S,
) -> io::Result<()>
where
    S: Future + 'static,
{
    let owner = Data::new(hub.clone());
    let server = HttpServer::new(move || App::new().app_data(owner.clone()).configure(routes));
    let server = server.h1_allow_half_closed(false).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    rt::spawn(async move {
        signal.await;
        hub.drain(WINDOW).await;
        handle.stop(true).await;
    });
    server.await
}
