//! The handlers and the shutdown of docs/actix.md.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Either, HttpServer, Responder, rt, web};
use futures_util::{StreamExt, stream};
use sse_actix::{Event, Hub, OptionalSse, Policy, Sse};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

pub(crate) async fn run(listener: TcpListener, signal: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let with_news = |app: &mut ServiceConfig| {
        app.route("/news", web::to(news));
        routes(app);
    };
    serve(listener, with_news, Hub::new(), signal).await
}

async fn news(sse: Sse, hub: Data<Hub>) -> impl Responder {
    sse.subscribe(&hub, ["news"])
}

async fn countdown(sse: Sse) -> impl Responder {
    sse.run(async move |events| {
        for n in (0..=10).rev() {
            events.send(n.to_string()).await?;
            rt::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    })
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
    // Few clients that post name `text/event-stream` in `Accept`.
    let posted = Policy::fetch();
    app.route("/countdown", web::to(countdown))
        .route("/tokens", web::to(tokens))
        .service(web::resource("/ask").app_data(posted).to(ask))
        .route("/", web::to(page));
}

async fn serve<S>(listener: TcpListener, routes: fn(&mut ServiceConfig), hub: Hub, signal: S) -> io::Result<()>
where
    S: Future<Output = ()> + Send + 'static,
{
    let owner = Data::new(hub.clone()); // the hub owns every stream of these routes
    let server = HttpServer::new(move || App::new().app_data(owner.clone()).configure(routes));
    // Without the first setting actix-web notices a client that left only at its next write.
    let server = server.h1_allow_half_closed(false).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    tokio::spawn(async move {
        signal.await;
        hub.drain(Duration::from_secs(5)).await;
        handle.stop(true).await;
    });
    server.await
}
