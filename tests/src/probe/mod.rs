//! Judges one stream of any server, which needs a URL and nothing of the contract.
//!
//! [`Probe::run`] watches the stream, and meanwhile requests the same stream in other ways. The run takes less than 30
//! s.

mod others;
mod report;
mod url;
mod watch;

pub use report::{Finding, Findings, Mark};

use crate::Failure;
use crate::client::Request;
use std::time::Duration;
use url::Url;

/// The stream, and the headers and the duration of the requests.
#[derive(Debug, Clone)]
pub struct Probe {
    url: Url,
    headers: Vec<(String, String)>,
    watch: Duration,
}

impl Probe {
    /// The stream at this URL, `http://HOST[:PORT]/PATH`. The default duration is 20 s.
    ///
    /// # Errors
    /// The URL has another scheme, or the host has no address.
    pub fn new(url: &str) -> Result<Self, Failure> {
        Ok(Self { url: Url::parse(url)?, headers: Vec::new(), watch: Duration::from_secs(20) })
    }

    /// Sends this header with every request, as `authorization: Bearer x`.
    ///
    /// # Errors
    /// The line is not `NAME: VALUE`.
    pub fn header(mut self, line: &str) -> Result<Self, Failure> {
        let (name, value) = line
            .split_once(':')
            .filter(|_| !line.contains(['\r', '\n']))
            .ok_or_else(|| Failure::new(format_args!("--header {line:?} is not NAME: VALUE")))?;
        self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        Ok(self)
    }

    /// Watches the stream for this long; at most 20 s.
    #[must_use]
    pub fn watch(self, watch: Duration) -> Self {
        Self { watch: watch.min(Duration::from_secs(20)), ..self }
    }

    /// Judges the stream.
    ///
    /// # Errors
    /// Nothing answers at the URL.
    pub fn run(&self) -> Result<Findings, Failure> {
        let mut findings = Findings::new(self.url.to_string());
        let Some(stream) = watch::open(self, &mut findings)? else { return Ok(findings) };
        let (watched, others) = std::thread::scope(|scope| {
            let others: Vec<_> = others::ALL.into_iter().map(|judge| scope.spawn(move || judge(self))).collect();
            let watched = watch::watch(self, stream);
            let others: Vec<_> = others.into_iter().filter_map(|other| other.join().ok()).collect();
            (watched, others)
        });
        findings.extend(watched);
        findings.extend(others);
        Ok(findings)
    }

    /// The request of an `EventSource`.
    fn request(&self) -> Request {
        let request = Request::get(&self.url.path).host(&self.url.host).header("accept", "text/event-stream");
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}
