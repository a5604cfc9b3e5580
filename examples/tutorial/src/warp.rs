//! The program of docs/tutorial.md on warp.

mod app;

use app::{App, Args, Headline, Login, MAX_FORM_BYTES, Model, Note, PAGE, Question, Visitor};
use clap::Parser;
use example_common::stop_signal;
use serde::de::DeserializeOwned;
use sse_warp::{Error, Event, Policy, Replay, Sse, Subscription};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use warp::http::header::{COOKIE, SET_COOKIE};
use warp::http::{HeaderMap, StatusCode};
use warp::reject::Reject;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply, body, path, reply};

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
    warp::serve(routes(app)).incoming(listener).graceful(stop).run().await;
    Ok(())
}

fn routes(app: App) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    let sse = sse_warp::sse(app.hub.clone()); // the hub owns every stream of these routes
    let posted = sse_warp::sse((Policy::fetch(), app.hub.clone()));
    let login = login(app.clone());
    let app = warp::any().map(move || app.clone());

    let page = path::end().map(|| reply::html(*PAGE));
    let news = path!("news").and(sse.clone()).and(app.clone()).map(news);
    let publish = path!("headlines").and(app.clone()).and(form()).map(publish);
    let log_in = path!("login").and(app.clone()).and(form()).map(log_in);
    let notifications = path!("notifications").and(login.clone()).and(sse.clone()).and(app.clone()).map(notifications);
    let notify = path!("notify").and(login).and(app.clone()).and(form()).map(notify);
    let answer = path!("answer").and(posted).and(form()).map(answer);
    let start_job = path!("jobs").and(warp::post()).and(app.clone()).map(start_job);
    let progress = path!("jobs" / String).and(sse).and(app).map(progress);
    let feeds = page.or(news).or(publish).or(log_in).or(notifications).or(notify);
    feeds.or(answer).or(start_job).or(progress).recover(no_login)
}

fn form<T: DeserializeOwned + Send>() -> impl Filter<Extract = (T,), Error = Rejection> + Clone {
    warp::post().and(body::content_length_limit(MAX_FORM_BYTES as u64)).and(body::form())
}

fn news(sse: Sse, app: App) -> Subscription {
    sse.subscribe(&app.hub, ["news"]).replay(Replay::Last(20))
}

fn publish(app: App, headline: Headline) -> Result<StatusCode, Error> {
    app.hub.publish("news", Event::typed("headline", &headline.text))?;
    Ok(StatusCode::NO_CONTENT)
}

fn log_in(app: App, visitor: Visitor) -> Result<impl Reply, Error> {
    let cookie = app.log_in(visitor)?;
    Ok(reply::with_header(StatusCode::NO_CONTENT, SET_COOKIE, cookie))
}

#[derive(Debug)]
struct NoLogin;

impl Reject for NoLogin {}

fn login(app: App) -> impl Filter<Extract = (Login,), Error = Rejection> + Clone {
    warp::header::headers_cloned().and_then(move |headers: HeaderMap| {
        let login = app.login(headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()));
        async { login.ok_or_else(|| warp::reject::custom(NoLogin)) }
    })
}

async fn no_login(rejection: Rejection) -> Result<StatusCode, Rejection> {
    match rejection.find() {
        Some(NoLogin) => Ok(StatusCode::UNAUTHORIZED),
        None => Err(rejection), // the answers of other routes
    }
}

fn notifications(login: Login, sse: Sse, app: App) -> Subscription {
    sse.expires_at(login.ends).subscribe(&app.hub, [login.name.topic()]).replay(Replay::Last(20))
}

fn notify(login: Login, app: App, note: Note) -> Result<StatusCode, Error> {
    let text = format!("{}: {}", login.name, note.text);
    app.hub.publish(note.to.topic(), Event::typed("notification", &text))?;
    Ok(StatusCode::NO_CONTENT)
}

fn answer(sse: Sse, question: Question) -> impl Reply {
    let mut model = Model::answer(question);
    sse.run(async move |events| {
        while let Some(token) = model.next().await {
            events.send(Event::json(&token)).await?;
        }
        events.send("[DONE]").await?;
        Ok(())
    })
}

fn start_job(app: App) -> Result<Result<String, StatusCode>, Error> {
    Ok(app.start_job()?.ok_or(StatusCode::SERVICE_UNAVAILABLE)) // too many jobs
}

fn progress(job: String, sse: Sse, app: App) -> Result<Response, Error> {
    let sse = sse.into_result()?; // 204 for a browser that has received the end
    let Some(mut percent) = app.progress(&job) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let stream = sse.run(async move |events| {
        loop {
            let now = *percent.borrow_and_update();
            events.send(Event::typed("percent", &now)).await?;
            if percent.changed().await.is_err() {
                return Ok(()); // the job has ended
            }
        }
    });
    Ok(stream.into_response())
}
