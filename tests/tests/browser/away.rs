//! A browser whose connection is lost for a while.

use crate::tab::Tab;
use crate::{BACK, SOON, publish, start};
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use sse_test_support::Result;
use sse_test_support::browser::Browser;
use sse_test_support::cable::Cable;
use sse_test_support::trials::Trials;

pub(crate) fn add(trials: &mut Trials, adapter: Adapter) {
    let name = |what: &str| format!("{}::{what}", adapter.as_str());

    // Hazard G1.
    trials.add_in_each_browser(name("back_it_goes_on_where_it_was"), async move |browser| {
        let server = start(adapter, &[])?;
        away(browser, &server, &["message 3", "message 4", "message 5", "message 6", "message 7"]).await
    });

    // Hazard G2.
    trials.add_in_each_browser(name("what_was_forgotten_meanwhile_is_a_gap"), async move |browser| {
        let server = start(adapter, &["--topic-events", "3"])?;
        let gap = r#"gap {"reason":"trimmed","topic":"news"}"#;
        away(browser, &server, &[gap, "message 5", "message 6", "message 7"]).await
    });
}

/// A tab that has seen two events loses its connection while five are published, and is told this when it is back.
async fn away(browser: &Browser, server: &Server, told: &[&str]) -> Result {
    let cable = Cable::to(server.target().address().to_string()).await?;
    let tab = Tab::open(browser, &cable.url(), "/topics?name=news&from=oldest").await?;
    // Each stream says 3 s at its start, and an event may say otherwise.
    publish(server.target(), [("1", None), ("2", Some(200))])?;
    tab.told("message 2", 1, SOON).await?;
    cable.pull();
    tab.told("lost", 1, SOON).await?;
    publish(server.target(), ["3", "4", "5", "6", "7"].map(|data| (data, None)))?;
    cable.plug();
    tab.told("open", 2, BACK).await?;
    publish(server.target(), [("8", None)])?;
    tab.sees(&[&["message 1", "message 2"], told, &["message 8"]].concat()).await?;
    tab.close().await
}
