//! Messages to rooms and to single users.

use crate::ROOMS;
use crate::login::{Login, Logins};
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError, ErrorNotFound};
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use sse_actix::{Events, Hub};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    to: String,
    text: String,
}

/// The events of the stream. The page knows them by `chat.d.ts`.
#[derive(Debug, Events)]
#[cfg_attr(test, derive(sse_actix::EventsTypeScript))]
pub(crate) enum Chat {
    Said(Said),
    /// A user has logged in, came here, or went away.
    Person(Person),
    /// The login of the user with this name has ended.
    Left(String),
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct Person {
    pub(crate) name: String,
    /// Whether a page of the user is open.
    pub(crate) here: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct Said {
    from: String,
    to: String,
    text: String,
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
    let said = Chat::Said(Said { from: login.name, to: to.clone(), text: text.clone(), at });
    // Both topics receive the message, or none.
    hub.publish_all(topics.into_iter().map(|topic| (topic, &said))).map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::NoContent())
}

#[cfg(test)]
mod tests {
    use super::Chat;

    #[test]
    fn declaration_for_the_page_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/chat.d.ts");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(file, Chat::typescript()).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(committed, Chat::typescript(), "BLESS=1 cargo test -p chat writes {file}");
    }
}
