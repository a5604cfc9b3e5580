//! The routes on actix-web.

use crate::script::{Visits, play};
use actix_web::web::{Data, Html, Path, get};
use actix_web::{App, HttpServer, Responder};
use sse_actix::Sse;
use std::io;

pub(crate) fn start(listener: std::net::TcpListener) -> io::Result<()> {
    let visits = Data::new(Visits::default());
    let app = move || {
        App::new()
            .app_data(visits.clone())
            .route("/", get().to(async || Html::new("parity")))
            .route("/sse/{route}", get().to(sse))
    };
    let server = HttpServer::new(app).workers(1).listen(listener)?.disable_signals().run();
    tokio::spawn(server);
    Ok(())
}

async fn sse(sse: Sse, route: Path<String>, visits: Data<Visits>) -> impl Responder {
    let sse = if *route == "welcome" { sse.welcome() } else { sse };
    let (events, response) = sse.channel();
    play(route.into_inner(), visits.next(), events);
    response
}
