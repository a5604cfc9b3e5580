//! The parts of the program that name no framework: the hub, the logins, the jobs and the model.

use example_common::{Listen, page};
use serde::Deserialize;
use sse_axum::Hub;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

pub(crate) static PAGE: LazyLock<&str> = LazyLock::new(|| page(include_str!("../page.html")));

/// The largest form that a page may send.
pub(crate) const MAX_FORM_BYTES: usize = 4096;

const LOGIN_LASTS: Duration = Duration::from_secs(3600);
const MAX_LOGINS: usize = 10_000;
const MAX_JOBS: usize = 100;

#[derive(Debug, clap::Parser)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) listen: Listen,
}

/// The state of the program. Clones share the state.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) hub: Hub,
    logins: Arc<Mutex<HashMap<String, Login>>>,
    jobs: Arc<Mutex<HashMap<String, watch::Receiver<u8>>>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) name: Name,
    pub(crate) ends: Instant,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Headline {
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Visitor {
    name: Name,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Note {
    pub(crate) to: Name,
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    question: String,
}

/// The name of a user: 1 to 24 letters and digits.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let is_name = (1..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_name { Ok(Self(name)) } else { Err("a name has 1 to 24 letters and digits") }
    }
}

impl Name {
    /// The topic for the notifications of this user.
    pub(crate) fn topic(&self) -> String {
        format!("user/{}", self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl App {
    pub(crate) fn new() -> Self {
        let hub = Hub::builder().drain_grace(Duration::from_millis(500)).build();
        Self { hub, logins: Arc::default(), jobs: Arc::default() }
    }

    /// Starts a login. Returns the cookie for `Set-Cookie`.
    pub(crate) fn log_in(&self, Visitor { name }: Visitor) -> Result<String, getrandom::Error> {
        let id = random()?;
        // Scripts and requests from other sites do not see the cookie. With TLS add `Secure`.
        let cookie = format!("login={id}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict", LOGIN_LASTS.as_secs());
        let now = Instant::now();
        let mut logins = lock(&self.logins);
        logins.retain(|_, login| login.ends > now);
        if logins.len() >= MAX_LOGINS {
            // The login that ends first makes room.
            let first = logins.iter().min_by_key(|(_, login)| login.ends).map(|(id, _)| id.clone());
            logins.retain(|id, _| Some(id) != first.as_ref());
        }
        logins.insert(id, Login { name, ends: now + LOGIN_LASTS });
        Ok(cookie)
    }

    /// Finds the login in the headers `Cookie` of a request.
    pub(crate) fn login<'h>(&self, cookies: impl Iterator<Item = &'h str>) -> Option<Login> {
        let id = cookies.flat_map(|line| line.split("; ")).find_map(|cookie| cookie.strip_prefix("login="))?;
        let login = lock(&self.logins).get(id).cloned()?;
        (login.ends > Instant::now()).then_some(login)
    }

    /// Starts a job that takes about a second. Returns its name, or `None` if too many jobs run.
    pub(crate) fn start_job(&self) -> Result<Option<String>, getrandom::Error> {
        let (percent, progress) = watch::channel(0);
        let job = random()?;
        {
            let mut jobs = lock(&self.jobs);
            if jobs.len() >= MAX_JOBS {
                return Ok(None);
            }
            jobs.insert(job.clone(), progress);
        }
        // The job goes on without a client, so a task of its own runs the job.
        let (jobs, name) = (Arc::clone(&self.jobs), job.clone());
        tokio::spawn(async move {
            for done in 1..=100 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                percent.send_replace(done);
            }
            lock(&jobs).remove(&name);
        });
        Ok(Some(job))
    }

    /// The progress of a running job.
    pub(crate) fn progress(&self, job: &str) -> Option<watch::Receiver<u8>> {
        lock(&self.jobs).get(job).cloned()
    }
}

/// A name that cannot be guessed.
fn random() -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(format!("{:032x}", u128::from_le_bytes(random)))
}

fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model that answers word by word.
#[derive(Debug)]
pub(crate) struct Model {
    words: VecDeque<String>,
}

impl Model {
    pub(crate) fn answer(Question { question }: Question) -> Self {
        let answer = format!("You asked: {question} A model would now write an answer, one word after the other. ");
        let words = answer.repeat(2).split_inclusive(' ').map(str::to_owned).collect();
        Self { words }
    }

    pub(crate) async fn next(&mut self) -> Option<String> {
        tokio::time::sleep(Duration::from_millis(25)).await;
        self.words.pop_front()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if !self.words.is_empty() {
            eprintln!("the client left: {} words were not written", self.words.len());
        }
    }
}
