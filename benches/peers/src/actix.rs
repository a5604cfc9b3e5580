//! actix-web-lab's own `sse`, on actix-web.

use crate::app::{App, Fields};
use actix_web::http::StatusCode;
use actix_web::{App as Routes, HttpRequest, HttpResponse, HttpServer, Responder, web};
use actix_web_lab::sse::{Data, Event, Sse};
use futures_util::StreamExt;
use std::net::TcpListener;

pub(crate) async fn serve(app: App, listener: TcpListener) -> std::io::Result<()> {
    let routes = move || {
        Routes::new()
            .app_data(web::Data::new(app.clone()))
            .service(web::resource("/script").route(web::get().to(script)).route(web::head().to(script)))
            .default_service(web::to(plain))
    };
    HttpServer::new(routes).workers(2).listen(listener)?.run().await
}

async fn script(app: web::Data<App>, request: HttpRequest) -> impl Responder {
    let Some((id, events)) = app.script(request.query_string()) else { return HttpResponse::BadRequest().finish() };
    let events = events.map(event);
    let stream = Sse::from_infallible_stream(events).with_keep_alive(app.keep_alive);
    stream.customize().insert_header(("x-stream-id", id)).respond_to(&request).map_into_boxed_body()
}

fn event(fields: Fields) -> Event {
    // An event is data or a comment, and a retry belongs to the whole stream.
    if let (Some(comment), None) = (&fields.comment, &fields.data) {
        return Event::Comment(comment.as_str().into());
    }
    let mut data = Data::new(fields.data.unwrap_or_default());
    if let Some(id) = fields.id {
        data.set_id(id);
    }
    if let Some(name) = fields.event {
        data.set_event(name);
    }
    Event::Data(data)
}

async fn plain(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let (status, body) = app.plain(request.path());
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or_default()).body(body)
}
