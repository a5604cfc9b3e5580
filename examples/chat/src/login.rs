//! Logins: a login ends at its time, or when the user leaves.

use crate::messages::{Chat, Person};
use actix_web::dev::Payload;
use actix_web::error::{
    ErrorConflict, ErrorInternalServerError, ErrorServiceUnavailable, ErrorUnauthorized, ErrorUnprocessableEntity,
};
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::web::{Data, Json};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use sse_actix::Hub;
use sse_actix::hub::{EventId, PublishError, StateTopic};
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One login.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) name: String,
    /// The topic for private messages. Only this login subscribes to the topic, and no later login with the same name.
    pub(crate) topic: String,
    /// The value of the cookie, and the key of the login's streams.
    pub(crate) key: String,
    pub(crate) ends: Instant,
}

/// All logins. The state topic `people` has a key for each of them.
#[derive(Debug)]
pub(crate) struct Logins {
    hub: Hub,
    people: StateTopic,
    lasts: Duration,
    by_key: Mutex<HashMap<String, Known>>,
    count: AtomicU64,
}

#[derive(Debug)]
struct Known {
    login: Login,
    /// The number of open streams.
    streams: usize,
}

impl Logins {
    pub(crate) fn new(hub: Hub, lasts: Duration) -> Result<Self, PublishError> {
        let people = hub.state_topic("people")?;
        Ok(Self { hub, people, lasts, by_key: Mutex::default(), count: AtomicU64::new(1) })
    }

    /// Returns the topic for private messages to this name.
    pub(crate) fn topic_of(&self, name: &str) -> Option<String> {
        self.current().values().find(|known| known.login.name == name).map(|known| known.login.topic.clone())
    }

    /// Counts a stream of the login, until the guard is dropped.
    pub(crate) fn arrive(self: Arc<Self>, login: &Login) -> Here {
        self.count_streams(&login.key, |streams| streams + 1);
        Here { logins: self, key: login.key.clone() }
    }

    /// Removes the logins that have ended from time to time, so that others see that a user without a stream has left.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(self.current());
        }
    }

    /// Removes the logins that have ended, and returns the others. The state changes under this lock, so that it changes in
    /// the same order as the logins.
    fn current(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        let mut logins = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for (_, known) in logins.extract_if(|_, known| known.login.ends <= now) {
            self.left(known.login.name);
        }
        logins
    }

    fn start(&self, name: String) -> actix_web::Result<Login> {
        let ends = Instant::now() + self.lasts;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(ErrorInternalServerError)?;
        let topic = format!("@{name}/{}", self.count.fetch_add(1, Ordering::Relaxed));
        let login = Login { name, topic, key: format!("{:032x}", u128::from_le_bytes(random)), ends };
        let mut logins = self.current();
        if logins.values().any(|other| other.login.name == login.name) {
            return Err(ErrorConflict("another user has this name"));
        }
        // The bound of a state topic, 65,536 keys, is the bound of the logins.
        self.person(&login.name, false).map_err(ErrorServiceUnavailable)?;
        logins.insert(login.key.clone(), Known { login: login.clone(), streams: 0 });
        Ok(login)
    }

    fn end(&self, login: &Login) {
        if let Some(known) = self.current().remove(&login.key) {
            self.left(known.login.name);
        }
        // This ends the streams of all tabs of this login.
        self.hub.close_by_key(&login.key);
    }

    /// A user is here while at least one stream of the login is open.
    fn count_streams(&self, key: &str, change: impl FnOnce(usize) -> usize) {
        if let Some(Known { login, streams }) = self.current().get_mut(key) {
            let was_here = *streams > 0;
            *streams = change(*streams);
            if was_here != (*streams > 0) {
                report(self.person(&login.name, !was_here));
            }
        }
    }

    fn person(&self, name: &str, here: bool) -> Result<EventId, PublishError> {
        self.people.set(name, Chat::Person(Person { name: name.to_owned(), here }))
    }

    fn left(&self, name: String) {
        report(self.people.remove_with(name.clone(), Chat::Left(name)));
    }
}

fn report<T>(changed: Result<T, PublishError>) {
    if let Err(error) = changed {
        eprintln!("chat: {error}");
    }
}

/// An open stream of a login.
#[derive(Debug)]
pub(crate) struct Here {
    logins: Arc<Logins>,
    key: String,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.logins.count_streams(&self.key, |streams| streams - 1);
    }
}

/// A request without a valid login is answered 401, and an `EventSource` does not reconnect after 401.
impl FromRequest for Login {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let logins = request.app_data::<Data<Logins>>();
        let login =
            logins.zip(cookie(request)).and_then(|(logins, key)| Some(logins.current().get(key)?.login.clone()));
        ready(login.ok_or_else(|| ErrorUnauthorized("log in first")))
    }
}

fn cookie(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(COOKIE)?.to_str().ok()?;
    header.split("; ").find_map(|cookie| cookie.strip_prefix("login="))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Name {
    name: String,
}

#[derive(Serialize)]
struct Me {
    name: String,
}

pub(crate) async fn login(logins: Data<Logins>, name: Json<Name>) -> actix_web::Result<HttpResponse> {
    let name = name.into_inner().name;
    let is_name = (1..=24).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !is_name {
        return Err(ErrorUnprocessableEntity("a name has 1 to 24 letters, digits, - and _"));
    }
    let login = logins.start(name)?;
    // Scripts and requests from other sites do not see the cookie. With TLS add `Secure`.
    let seconds = logins.lasts.as_secs();
    let cookie = format!("login={}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict", login.key);
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, cookie)).json(Me { name: login.name }))
}

pub(crate) async fn logout(login: Login, logins: Data<Logins>) -> impl Responder {
    logins.end(&login);
    HttpResponse::NoContent()
}

pub(crate) async fn me(login: Login) -> impl Responder {
    HttpResponse::Ok().json(Me { name: login.name })
}
