//! A model with one answer, in the usual format of models: a JSON object for each token, and `[DONE]` at the end.

use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use std::time::Duration;

const ANSWER: &str = include_str!("../answer.txt");

/// One chunk of a chat completion.
#[derive(Debug, Serialize)]
pub(crate) struct Chunk {
    id: &'static str,
    object: &'static str,
    model: &'static str,
    choices: [Choice; 1],
}

#[derive(Debug, Serialize)]
struct Choice {
    index: u32,
    delta: Delta,
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

impl Chunk {
    const fn new(delta: Delta, finish_reason: Option<&'static str>) -> Self {
        let choices = [Choice { index: 0, delta, finish_reason }];
        Self { id: "chatcmpl-1", object: "chat.completion.chunk", model: "parrot-1", choices }
    }
}

/// Returns the answer to this prompt. The last item is `None`.
pub(crate) fn answer(prompt: &str, endless: bool) -> impl Stream<Item = Option<Chunk>> + Send + use<> {
    let text = text(prompt);
    let role = Chunk::new(Delta { role: Some("assistant"), content: Some(String::new()) }, None);
    let content = |text| Some(Chunk::new(Delta { content: Some(text), ..Delta::default() }, None));
    let tokens = words(&text);
    let rest: stream::BoxStream<'static, Option<Chunk>> = if endless {
        stream::iter(tokens.into_iter().cycle().map(content)).boxed()
    } else {
        let end = [Some(Chunk::new(Delta::default(), Some("stop"))), None];
        stream::iter(tokens).then(delay).map(content).chain(stream::iter(end)).boxed()
    };
    stream::iter([Some(role)]).chain(rest)
}

/// Returns the tokens of the answer to this prompt.
pub(crate) fn tokens(prompt: &str) -> impl Stream<Item = String> + Send + use<> {
    stream::iter(words(&text(prompt))).then(delay)
}

fn text(prompt: &str) -> String {
    ANSWER.trim_end().replace("{prompt}", prompt.trim())
}

/// Each token takes time. When the client leaves, the server drops the stream at this point.
async fn delay(token: String) -> String {
    tokio::time::sleep(Duration::from_millis(25)).await;
    token
}

/// Splits a text into words, each with the space before, much as a tokenizer does.
fn words(text: &str) -> Vec<String> {
    let mut rest = text;
    let words = std::iter::from_fn(move || {
        let mut chars = rest.char_indices().skip(1);
        let end = chars.find(|(_, c)| c.is_whitespace()).map_or(rest.len(), |(at, _)| at);
        let (token, after) = rest.split_at(end);
        rest = after;
        (!token.is_empty()).then(|| token.to_owned())
    });
    words.collect()
}
