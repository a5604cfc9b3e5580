//! The handlers of the README, over HTTP.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use sse_axum::{Hub, Replay, Sse};
use sse_client::EventReader;
use sse_runs::{OutputError, RunOutput, Runs};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const MOST: Duration = Duration::from_secs(30);

async fn attach(sse: Sse, State(runs): State<Runs>, Path(id): Path<String>) -> Response {
    let Ok(Some(run)) = runs.get(&id).await else { return StatusCode::NOT_FOUND.into_response() };
    sse.subscribe(run.hub(), run.topic()).replay(Replay::All).into_response()
}

/// The next event, as `type data`. `None` when the stream has finished.
async fn next(tab: &mut EventReader) -> Option<String> {
    let event = timeout(MOST, tab.next_event()).await.expect("an event or the end").expect("a stream");
    event.map(|event| format!("{} {}", event.event_type, event.data))
}

#[tokio::test]
async fn tabs_attach_leave_and_return_and_see_the_same_run() {
    let hub = Hub::new();
    let runs = Runs::new(&hub);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/runs", listener.local_addr().unwrap());
    let routes = Router::new().route("/runs/{id}", any(attach)).with_state(runs.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let (tokens, mut model) = mpsc::unbounded_channel::<&str>();
    let run = runs.start_new(async move |output: RunOutput| {
        while let Some(token) = model.recv().await {
            output.send(("token", token))?;
        }
        Ok::<_, OutputError>(())
    });
    let run = run.await.unwrap();
    let url_of_run = format!("{url}/{}", run.id());
    let tab = || sse_client::get(&url_of_run);
    let mut first = tab();
    tokens.send("Hello").unwrap();
    assert_eq!(next(&mut first).await.as_deref(), Some("token Hello"));
    drop(first);
    // Nobody is attached.
    tokens.send("world").unwrap();
    let mut second = tab();
    for expected in ["token Hello", "token world"] {
        assert_eq!(next(&mut second).await.as_deref(), Some(expected));
    }
    let mut third = tab();
    assert_eq!(next(&mut third).await.as_deref(), Some("token Hello"));
    assert!(run.stop().await.unwrap());
    assert_eq!(next(&mut second).await.as_deref(), Some(r#"stopped {"reason":"requested"}"#));
    assert_eq!(next(&mut second).await, None);
    for expected in [Some("token world"), Some(r#"stopped {"reason":"requested"}"#), None] {
        assert_eq!(next(&mut third).await.as_deref(), expected);
    }
    // After the end.
    let mut late = tab();
    for expected in [Some("token Hello"), Some("token world"), Some(r#"stopped {"reason":"requested"}"#), None] {
        assert_eq!(next(&mut late).await.as_deref(), expected);
    }
    assert!(timeout(MOST, sse_client::get(format!("{url}/unknown")).next_event()).await.unwrap().is_err());
}
