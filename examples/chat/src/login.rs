//! Logins: a login ends at its time, or when the user leaves.

use crate::messages::Chat;
use actix_web::dev::Payload;
use actix_web::error::{ErrorConflict, ErrorInternalServerError, ErrorUnauthorized, ErrorUnprocessableEntity};
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::web::{Data, Json};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use sse_actix::Hub;
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
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

/// All logins.
#[derive(Debug)]
pub(crate) struct Logins {
    hub: Hub,
    lasts: Duration,
    by_key: Mutex<HashMap<String, Login>>,
    count: AtomicU64,
}

impl Logins {
    pub(crate) fn new(hub: Hub, lasts: Duration) -> Self {
        Self { hub, lasts, by_key: Mutex::default(), count: AtomicU64::new(1) }
    }

    /// Returns all names, sorted.
    pub(crate) fn people(&self) -> Vec<String> {
        let mut names: Vec<_> = self.current().values().map(|login| login.name.clone()).collect();
        names.sort();
        names
    }

    /// Returns the topic for private messages to this name.
    pub(crate) fn topic_of(&self, name: &str) -> Option<String> {
        self.current().values().find(|login| login.name == name).map(|login| login.topic.clone())
    }

    /// Removes the logins that have ended, and returns the others.
    fn current(&self) -> MutexGuard<'_, HashMap<String, Login>> {
        let mut logins = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        logins.retain(|_, login| login.ends > now);
        logins
    }

    fn start(&self, name: String) -> actix_web::Result<Login> {
        let ends = Instant::now() + self.lasts;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(ErrorInternalServerError)?;
        let topic = format!("@{name}/{}", self.count.fetch_add(1, Ordering::Relaxed));
        let login = Login { name, topic, key: format!("{:032x}", u128::from_le_bytes(random)), ends };
        {
            let mut logins = self.current();
            if logins.values().any(|other| other.name == login.name) {
                return Err(ErrorConflict("another user has this name"));
            }
            logins.insert(login.key.clone(), login.clone());
        }
        self.publish_people();
        Ok(login)
    }

    fn end(&self, login: &Login) {
        self.current().remove(&login.key);
        // This ends the streams of all tabs of this login.
        self.hub.close_by_key(&login.key);
        self.publish_people();
    }

    fn publish_people(&self) {
        if let Err(error) = self.hub.publish("people", Chat::People(self.people())) {
            eprintln!("chat: {error}");
        }
    }
}

/// A request without a valid login is answered 401, and an `EventSource` does not reconnect after 401.
impl FromRequest for Login {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let logins = request.app_data::<Data<Logins>>();
        let login = logins.zip(cookie(request)).and_then(|(logins, key)| logins.current().get(key).cloned());
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
