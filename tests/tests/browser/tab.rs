//! A tab with an event source.

use crate::SOON;
use sse_conformance::Target;
use sse_conformance::client::Request;
use sse_test_support::Result;
use sse_test_support::browser::{Browser, Page};
use std::time::Duration;

/// A page whose `log` holds the event source's callbacks in order: `open`, `lost`, `closed`, or an event's type and
/// data. `at` holds the times.
#[derive(Debug)]
pub(crate) struct Tab(Page);

impl Tab {
    /// Opens an event source on this path of a server.
    pub(crate) async fn open(browser: &Browser, origin: &str, path: &str) -> Result<Self> {
        // A page of the same origin that opens no stream. Firefox shows JSON in a page whose policy allows no
        // connection.
        let page = browser.open(&format!("{origin}/optional")).await?;
        page.run(&format!(
            "log = []; at = []; positions = 0;
             note = (what) => {{ log.push(what); at.push(performance.now()); }};
             source = new EventSource({});
             source.onopen = () => note('open');
             source.onerror = () => note(source.readyState === EventSource.CLOSED ? 'closed' : 'lost');
             for (const type of ['message', 'gap']) source.addEventListener(type, (event) => note(`${{type}} ${{event.data}}`));
             source.addEventListener('sse-position', () => positions += 1);
             count = (what) => log.filter((entry) => entry === what).length;",
            serde_json::Value::from(path)
        ))
        .await?;
        Ok(Self(page))
    }

    /// Opens an event source that runs these steps at every connection.
    pub(crate) async fn script(browser: &Browser, origin: &str, steps: &str) -> Result<Self> {
        Self::open(browser, origin, &Request::script_path(steps)).await
    }

    /// Waits until `log` holds this entry this many times.
    pub(crate) async fn told(&self, what: &str, times: usize, bound: Duration) -> Result {
        let entry = serde_json::Value::from(what);
        match self.0.wait(&format!("count({entry}) >= {times}"), bound).await {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("{error}\nthe event source was told {:?}", self.log().await?).into()),
        }
    }

    /// Waits until the page has read a position of the server.
    pub(crate) async fn has_position(&self, bound: Duration) -> Result {
        self.0.wait("positions > 0", bound).await
    }

    /// The whole log.
    pub(crate) async fn log(&self) -> Result<Vec<String>> {
        self.0.eval("log").await
    }

    /// The events alone.
    pub(crate) async fn events(&self) -> Result<Vec<String>> {
        self.0.eval("log.filter((entry) => !['open', 'lost', 'closed'].includes(entry))").await
    }

    /// The time between losing and reopening the connection, each time, in milliseconds.
    pub(crate) async fn absences(&self) -> Result<Vec<f64>> {
        self.0.eval("at.map((time, n) => time - at[n - 1]).filter((_, n) => log[n - 1] === 'lost')").await
    }

    /// Waits for the last of these events, and checks that the log holds exactly these: none missing and none twice.
    pub(crate) async fn sees(&self, events: &[&str]) -> Result {
        if let Some(last) = events.last() {
            self.told(last, 1, SOON).await?;
        }
        assert_eq!(self.events().await?, events);
        Ok(())
    }

    pub(crate) async fn close(self) -> Result {
        self.0.close().await
    }
}

/// The server's URL.
pub(crate) fn url(target: &Target) -> String {
    format!("http://{}", target.address())
}
