//! Messages to rooms and to single users.

use crate::ROOMS;
use crate::login::{Login, Logins};
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError, ErrorNotFound};
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use sse_actix::{Event, Hub};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    to: String,
    text: String,
}

#[derive(Serialize)]
struct Said<'a> {
    from: &'a str,
    to: &'a str,
    text: &'a str,
    /// Milliseconds since 1970, by the server's clock.
    at: u64,
}

/// Sends a message to a room, such as `#general`, or to one user, such as `@ann`.
pub(crate) async fn say(
    login: Login,
    hub: Data<Hub>,
    logins: Data<Logins>,
    message: Json<Message>,
) -> actix_web::Result<impl Responder> {
    let Message { to, text } = &*message;
    if text.trim().is_empty() || text.len() > 8_000 {
        return Err(ErrorBadRequest("a message has 1 to 8000 bytes"));
    }
    let topics = match to.strip_prefix('@') {
        None if ROOMS.contains(&to.as_str()) => vec![to.clone()],
        Some(name) => match logins.topic_of(name) {
            // A message to oneself needs one topic only.
            Some(topic) if topic == login.topic => vec![topic],
            // The sender's other tabs show it too.
            Some(topic) => vec![topic, login.topic.clone()],
            None => return Err(ErrorNotFound("no user with this name is here")),
        },
        None => return Err(ErrorNotFound("there is no such room")),
    };
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let said = Event::json(&Said { from: &login.name, to, text, at }).event("said");
    // Both topics receive the message, or none.
    hub.publish_all(topics.into_iter().map(|topic| (topic, said.clone()))).map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::NoContent())
}
