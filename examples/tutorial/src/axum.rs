//! The program of docs/tutorial.md on axum.

mod app;

use app::{App, Args, Headline, Login, MAX_FORM_BYTES, Model, Note, PAGE, Question, Visitor};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{StatusCode, request::Parts};
use axum::response::{Html, IntoResponse};
use axum::routing::{any, get, post};
use axum::{Extension, Form, Router};
use clap::Parser;
use example_common::stop_signal;
use sse_axum::{Error, Event, Policy, Replay, Sse, Subscription};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::from_std(Args::parse().listen.bind()?)?;
    let app = App::new();
    let hub = app.hub.clone();
    let stop = stop_signal()?;
    let stop = async move {
        stop.await;
        hub.drain(Duration::ZERO).await;
    };
    axum::serve(listener, routes(app)).with_graceful_shutdown(stop).await
}

fn routes(app: App) -> Router {
    let hub = app.hub.clone();
    Router::new()
        .route("/", get(Html(*PAGE)))
        .route("/news", any(news))
        .route("/headlines", post(publish))
        .route("/login", post(log_in))
        .route("/notifications", any(notifications))
        .route("/notify", post(notify))
        .route("/answer", any(answer).layer(Extension(Policy::fetch())))
        .route("/jobs", post(start_job))
        .route("/jobs/{job}", any(progress))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(Extension(hub)) // the hub owns every stream of these routes
        .with_state(app)
}

async fn news(sse: Sse, State(app): State<App>) -> Subscription {
    sse.subscribe(&app.hub, ["news"]).replay(Replay::Last(20))
}

async fn publish(State(app): State<App>, Form(headline): Form<Headline>) -> Result<StatusCode, Error> {
    app.hub.publish("news", Event::typed("headline", &headline.text))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn log_in(State(app): State<App>, Form(visitor): Form<Visitor>) -> Result<impl IntoResponse, Error> {
    let cookie = app.log_in(visitor)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}

impl FromRequestParts<App> for Login {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        app.login(cookies).ok_or(StatusCode::UNAUTHORIZED)
    }
}

async fn notifications(login: Login, sse: Sse, State(app): State<App>) -> Subscription {
    sse.expires_at(login.ends).subscribe(&app.hub, [login.name.topic()]).replay(Replay::Last(20))
}

async fn notify(login: Login, State(app): State<App>, Form(note): Form<Note>) -> Result<StatusCode, Error> {
    let text = format!("{}: {}", login.name, note.text);
    app.hub.publish(note.to.topic(), Event::typed("notification", &text))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn answer(sse: Sse, Form(question): Form<Question>) -> impl IntoResponse {
    let mut model = Model::answer(question);
    sse.run(async move |events| {
        while let Some(token) = model.next().await {
            events.send(Event::json(&token)).await?;
        }
        events.send("[DONE]").await?;
        Ok(())
    })
}

async fn start_job(State(app): State<App>) -> Result<Result<String, StatusCode>, Error> {
    Ok(app.start_job()?.ok_or(StatusCode::SERVICE_UNAVAILABLE)) // too many jobs
}

async fn progress(sse: Sse, State(app): State<App>, Path(job): Path<String>) -> Result<impl IntoResponse, StatusCode> {
    let mut percent = app.progress(&job).ok_or(StatusCode::NOT_FOUND)?;
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
