//! A browser that loses the connection for a while.

use crate::tab::Tab;
use crate::{BACK, SOON, Scope, publish, start};
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use sse_test_support::Result;
use sse_test_support::browser::Browser;
use sse_test_support::cable::{Cable, Cut};
use sse_test_support::trials::Trials;

pub(crate) fn add(trials: &mut Trials, adapter: Adapter, scope: Scope) {
    let name = |what: &str| format!("{}::{what}", adapter.as_str());

    // Hazard G1.
    for cut in Cut::ALL {
        let promise = name(&format!("resume_after_{}_goes_on_where_it_was", cut.as_str()));
        trials.add_in_each_browser(promise, async move |browser| {
            let server = start(adapter, &[])?;
            let missed = ["message 3", "message 4", "message 5", "message 6", "message 7"];
            away(browser, &server, cut, &missed).await
        });
    }

    // Hazard G2.
    scope.add(trials, name("resume_from_a_trimmed_id_is_a_gap"), async move |browser| {
        let server = start(adapter, &["--topic-events", "3"])?;
        let gap = r#"gap {"reason":"trimmed","topic":"news"}"#;
        away(browser, &server, Cut::Fin, &[gap, "message 5", "message 6", "message 7"]).await
    });
}

/// A tab that has seen two events loses the connection while five events are published. After the reconnect the tab
/// must have received `expected`.
async fn away(browser: &Browser, server: &Server, cut: Cut, told: &[&str]) -> Result {
    let cable = Cable::to(server.target().address().to_string()).await?;
    let tab = Tab::open(browser, &cable.url(), "/topics?name=news&from=oldest").await?;
    // Each stream starts with a reconnection time of about 3 s, and an event can set another one.
    publish(server.target(), [("1", None), ("2", Some(200))])?;
    tab.told("message 2", 1, SOON).await?;
    cable.cut(cut);
    tab.told("lost", 1, SOON).await?;
    publish(server.target(), ["3", "4", "5", "6", "7"].map(|data| (data, None)))?;
    cable.plug();
    tab.told("open", 2, BACK).await?;
    publish(server.target(), [("8", None)])?;
    tab.sees(&[&["message 1", "message 2"], told, &["message 8"]].concat()).await?;
    tab.close().await
}
