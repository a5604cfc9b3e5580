//! One answer as a run, for three kinds of clients: `EventSource`, the OpenAI SDKs and the Vercel AI SDK.
//!
//! The run has events of type `token` and one last event. Each dialect translates these events when a client reads them, so a
//! client of any dialect can attach to any run, from the beginning.

use crate::model;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_axum::hub::{Heard, TopicBounds};
use sse_axum::{Event, Hub, Policy, Replay, Sse};
use sse_runs::{OutputError, RunHandle, RunOutput, Runs, StartRunError};
use std::pin::pin;

pub(crate) fn routes(hub: &Hub) -> Router {
    let runs = Runs::builder(hub).bounds(TopicBounds::new().events(100_000)).build();
    // SDKs send POST, and do not name `text/event-stream` in `Accept`.
    let sdks = Router::new()
        .route("/v1/chat/completions", post(openai_start))
        .route("/v1/chat/completions/{id}", get(openai_attach))
        .route("/api/chat", post(vercel_start))
        .route("/api/chat/{id}/stream", get(vercel_attach))
        .layer(Extension(Policy::fetch()));
    Router::new().route("/runs", post(start)).route("/runs/{id}", get(attach).delete(stop)).merge(sdks).with_state(runs)
}

/// The work. No client has to be connected.
async fn work(prompt: String, output: RunOutput) -> Result<(), OutputError> {
    let mut tokens = pin!(model::tokens(&prompt));
    while let Some(token) = tokens.next().await {
        output.send(Event::json(&token).event("token"))?;
    }
    Ok(())
}

async fn begin(runs: &Runs, prompt: String) -> Result<RunHandle, StatusCode> {
    runs.start_new(|output| work(prompt, output)).await.map_err(|error| status(&error))
}

fn status(error: &StartRunError) -> StatusCode {
    match error {
        StartRunError::Exists => StatusCode::CONFLICT,
        StartRunError::IdTooLong(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn find(runs: &Runs, id: &str) -> Result<Option<RunHandle>, StatusCode> {
    runs.get(id).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

// The first dialect: `EventSource`. The events of the run as they are, with IDs, so a browser resumes.

#[derive(Deserialize)]
struct Prompt {
    prompt: String,
}

async fn start(State(runs): State<Runs>, Query(prompt): Query<Prompt>) -> Result<String, StatusCode> {
    Ok(begin(&runs, prompt.prompt).await?.id().to_owned())
}

async fn attach(sse: Sse, State(runs): State<Runs>, Path(id): Path<String>) -> Result<Response, StatusCode> {
    let run = find(&runs, &id).await?.ok_or(StatusCode::NOT_FOUND)?;
    Ok(sse.subscribe(run.hub(), run.topic()).replay(Replay::All).into_response())
}

/// Stops a run of any dialect. In a server of your own, check whether this client may stop the run.
async fn stop(State(runs): State<Runs>, Path(id): Path<String>) -> Result<StatusCode, StatusCode> {
    match runs.stop(&id).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(StatusCode::NOT_FOUND),
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

// The other dialects translate.

/// The part of an answer that a dialect translates.
enum Part {
    Token(String),
    Done,
    Stopped,
    /// The work failed, or the history no longer has all of the answer.
    Failed,
}

/// The parts of a run, from the beginning. The last one is not a token.
fn parts(run: &RunHandle) -> Result<impl Stream<Item = Part> + Send + use<>, StatusCode> {
    let heard = run.hub().listen(run.topic()).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?.replay(Replay::All);
    let parts = heard.map(|heard| match heard {
        Heard::Event(_, event) => match &*event.event_type {
            "token" => serde_json::from_str(&event.data).map_or(Part::Failed, Part::Token),
            "done" => Part::Done,
            "stopped" => Part::Stopped,
            _ => Part::Failed,
        },
        _ => Part::Failed,
    });
    let is_over = |over: &mut bool, part: Part| {
        let item = (!*over).then_some(part);
        *over |= !matches!(item, Some(Part::Token(_)));
        std::future::ready(item)
    };
    Ok(parts.scan(false, is_over))
}

// The second dialect: chat completions of OpenAI. The ID of each chunk is the ID of the run.

#[derive(Deserialize)]
struct Completion {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

async fn openai_start(
    sse: Sse,
    State(runs): State<Runs>,
    Json(body): Json<Completion>,
) -> Result<Response, StatusCode> {
    let prompt = body.messages.into_iter().next_back().ok_or(StatusCode::BAD_REQUEST)?.content;
    openai(sse, &begin(&runs, prompt).await?)
}

async fn openai_attach(sse: Sse, State(runs): State<Runs>, Path(id): Path<String>) -> Result<Response, StatusCode> {
    openai(sse, &find(&runs, &id).await?.ok_or(StatusCode::NOT_FOUND)?)
}

fn openai(sse: Sse, run: &RunHandle) -> Result<Response, StatusCode> {
    let id = run.id().to_owned();
    let chunk = move |delta: Value, finish_reason: Option<&str>| {
        Event::json(&json!({
            "id": id, "object": "chat.completion.chunk", "created": 0, "model": "parrot-1",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
        }))
    };
    let first = chunk(json!({ "role": "assistant", "content": "" }), None);
    let rest = parts(run)?.flat_map(move |part| {
        stream::iter(match part {
            Part::Token(token) => vec![chunk(json!({ "content": token }), None)],
            Part::Done => vec![chunk(json!({}), Some("stop")), Event::data("[DONE]")],
            // The SDKs throw an error, so that half an answer is not taken for a whole one.
            Part::Stopped => vec![Event::data(r#"{"error":{"message":"the answer was stopped"}}"#)],
            Part::Failed => vec![Event::data(r#"{"error":{"message":"the answer failed"}}"#)],
        })
    });
    Ok(sse.attach(run.hub()).stream(stream::iter([first]).chain(rest)).into_response())
}

// The third dialect: the UI message stream of the Vercel AI SDK. A chat has one run at a time, and the chat is the ID.

#[derive(Deserialize)]
struct Chat {
    id: String,
    messages: Vec<UiMessage>,
}

#[derive(Deserialize)]
struct UiMessage {
    parts: Vec<UiPart>,
}

#[derive(Deserialize)]
struct UiPart {
    #[serde(default)]
    text: String,
}

async fn vercel_start(sse: Sse, State(runs): State<Runs>, Json(chat): Json<Chat>) -> Result<Response, StatusCode> {
    let message = chat.messages.into_iter().next_back().ok_or(StatusCode::BAD_REQUEST)?;
    let prompt: String = message.parts.into_iter().map(|part| part.text).collect();
    // The next answer takes the place of the last one. While that one goes on, the start is a conflict.
    let run = runs.start_or_replace(&chat.id, |output| work(prompt, output)).await.map_err(|error| status(&error))?;
    vercel(sse, &run)
}

async fn vercel_attach(sse: Sse, State(runs): State<Runs>, Path(id): Path<String>) -> Result<Response, StatusCode> {
    match find(&runs, &id).await? {
        Some(run) if run.is_active() => vercel(sse, &run),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn vercel(sse: Sse, run: &RunHandle) -> Result<Response, StatusCode> {
    let open = [json!({ "type": "start", "messageId": run.id() }), json!({ "type": "text-start", "id": "text" })];
    let rest = parts(run)?.flat_map(|part| {
        let (chunks, is_last) = match part {
            Part::Token(token) => (vec![json!({ "type": "text-delta", "id": "text", "delta": token })], false),
            Part::Done => (vec![json!({ "type": "text-end", "id": "text" }), json!({ "type": "finish" })], true),
            Part::Stopped => (vec![json!({ "type": "abort" })], true),
            Part::Failed => (vec![json!({ "type": "error", "errorText": "the answer failed" })], true),
        };
        let chunks: Vec<_> = chunks.iter().map(Event::json).collect();
        stream::iter(chunks.into_iter().chain(is_last.then(|| Event::data("[DONE]"))))
    });
    let events = stream::iter(open.map(|chunk| Event::json(&chunk))).chain(rest);
    Ok(([("x-vercel-ai-ui-message-stream", "v1")], sse.attach(run.hub()).stream(events)).into_response())
}
