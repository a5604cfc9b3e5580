//! The program of docs/tutorial.md on actix-web.

mod app;

use actix_web::dev::Payload;
use actix_web::error::{ErrorNotFound, ErrorServiceUnavailable, ErrorUnauthorized};
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::web::{self, Data, Form, FormConfig, Html, Path};
use actix_web::{App as Actix, FromRequest, HttpRequest, HttpResponse, HttpServer, Responder};
use app::{App, Args, Headline, Login, MAX_FORM_BYTES, Model, Note, PAGE, Question, Visitor};
use clap::Parser;
use example_common::stop_signal;
use sse_actix::{Error, Event, Policy, Replay, Sse, Subscription};
use std::future::{Ready, ready};
use std::io;
use std::time::Duration;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = Args::parse().listen.bind()?;
    let app = App::new();
    let hub = app.hub.clone();
    let server = HttpServer::new(move || {
        let app = app.clone();
        Actix::new().configure(|actix| routes(actix, app))
    });
    // Without the first setting actix-web notices a client that left only at its next write.
    let server = server.workers(2).h1_allow_half_closed(false).disable_signals().listen(listener)?.run();
    let (handle, stop) = (server.handle(), stop_signal()?);
    tokio::spawn(async move {
        stop.await;
        hub.drain(Duration::ZERO).await;
        handle.stop(true).await;
    });
    server.await
}

fn routes(actix: &mut web::ServiceConfig, app: App) {
    actix
        .app_data(Data::new(app.hub.clone())) // the hub owns every stream of these routes
        .app_data(Data::new(app))
        .app_data(FormConfig::default().limit(MAX_FORM_BYTES))
        .route("/", web::get().to(async || Html::new(*PAGE)))
        .route("/news", web::to(news))
        .route("/headlines", web::post().to(publish))
        .route("/login", web::post().to(log_in))
        .route("/notifications", web::to(notifications))
        .route("/notify", web::post().to(notify))
        .service(web::resource("/answer").app_data(Policy::fetch()).to(answer))
        .route("/jobs", web::post().to(start_job))
        .route("/jobs/{job}", web::to(progress));
}

async fn news(sse: Sse, app: Data<App>) -> Subscription {
    sse.subscribe(&app.hub, ["news"]).replay(Replay::Last(20))
}

async fn publish(app: Data<App>, headline: Form<Headline>) -> Result<HttpResponse, Error> {
    app.hub.publish("news", Event::typed("headline", &headline.text))?;
    Ok(HttpResponse::NoContent().finish())
}

async fn log_in(app: Data<App>, visitor: Form<Visitor>) -> Result<HttpResponse, Error> {
    let cookie = app.log_in(visitor.into_inner())?;
    Ok(HttpResponse::NoContent().insert_header((SET_COOKIE, cookie)).finish())
}

impl FromRequest for Login {
    type Error = actix_web::Error;
    type Future = Ready<actix_web::Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let cookies = request.headers().get_all(COOKIE).filter_map(|value| value.to_str().ok());
        let login = request.app_data::<Data<App>>().and_then(|app| app.login(cookies));
        ready(login.ok_or_else(|| ErrorUnauthorized("log in first")))
    }
}

async fn notifications(login: Login, sse: Sse, app: Data<App>) -> Subscription {
    sse.expires_at(login.ends).subscribe(&app.hub, [login.name.topic()]).replay(Replay::Last(20))
}

async fn notify(login: Login, app: Data<App>, note: Form<Note>) -> Result<HttpResponse, Error> {
    let text = format!("{}: {}", login.name, note.text);
    app.hub.publish(note.to.topic(), Event::typed("notification", &text))?;
    Ok(HttpResponse::NoContent().finish())
}

async fn answer(sse: Sse, question: Form<Question>) -> impl Responder {
    let mut model = Model::answer(question.into_inner());
    sse.run(async move |events| {
        while let Some(token) = model.next().await {
            events.send(Event::json(&token)).await?;
        }
        events.send("[DONE]").await?;
        Ok(())
    })
}

async fn start_job(app: Data<App>) -> Result<actix_web::Result<String>, Error> {
    Ok(app.start_job()?.ok_or_else(|| ErrorServiceUnavailable("too many jobs")))
}

async fn progress(sse: Sse, app: Data<App>, job: Path<String>) -> actix_web::Result<impl Responder> {
    let mut percent = app.progress(&job).ok_or_else(|| ErrorNotFound("no such job"))?;
    Ok(sse.run(async move |events| {
        loop {
            let now = *percent.borrow_and_update();
            events.send(Event::typed("percent", &now)).await?;
            if percent.changed().await.is_err() {
                return Ok(()); // the job has ended
            }
        }
    }))
}
