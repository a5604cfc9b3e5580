//! A server that shuts down under a browser, and a successor on the same port.

use crate::tab::{Tab, url};
use crate::{BACK, SOON, Scope, publish, start};
use sse_conformance::client::Request;
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use sse_test_support::Result;
use sse_test_support::browser::Browser;
use sse_test_support::trials::Trials;

pub(crate) fn add(trials: &mut Trials, adapter: Adapter, scope: Scope) {
    let name = |what: &str| format!("{}::{what}", adapter.as_str());

    // Hazard H2.
    scope.add(trials, name("drained_it_is_refused_until_a_successor_is_there"), async move |browser| {
        let (server, tab) = seen_two(browser, adapter).await?;
        let answer = server.target().read(&Request::new("POST", "/drain").body(""))?;
        assert_eq!(answer.head.status, 202);
        // One loss comes from the drain, and one from the retry-later answer of the draining server.
        tab.told("lost", 2, BACK).await?;
        assert_eq!(tab.log().await?[3..], ["lost", "open", "lost"]);
        handed_over(server, adapter, tab).await
    });

    // Hazard B11.
    #[cfg(unix)]
    scope.add(trials, name("sigterm_hands_it_to_a_successor"), async move |browser| {
        let (server, tab) = seen_two(browser, adapter).await?;
        handed_over(server, adapter, tab).await
    });
}

/// A tab that has seen two events of a server.
async fn seen_two(browser: &Browser, adapter: Adapter) -> Result<(Server, Tab)> {
    let server = start(adapter, &[])?;
    let tab = Tab::open(browser, &url(server.target()), "/topics?name=news&from=oldest").await?;
    publish(server.target(), [("1", None), ("2", None)])?;
    tab.sees(&["message 1", "message 2"]).await?;
    Ok((server, tab))
}

/// Ends the server, starts another on the same port, and checks for missing and repeated events. The other server has
/// another history, so the tab receives a gap because of its last event ID.
async fn handed_over(mut server: Server, adapter: Adapter, tab: Tab) -> Result {
    let address = server.target().address().to_string();
    server.terminate()?;
    let status = server.wait(SOON)?;
    assert!(status.success(), "{status}");
    tab.told("lost", 1, SOON).await?;
    let server = start(adapter, &["--listen", &address])?;
    publish(server.target(), [("3", None)])?;
    tab.told("message 3", 1, BACK).await?;
    publish(server.target(), [("4", None)])?;
    tab.sees(&["message 1", "message 2", r#"gap {"reason":"unknown"}"#, "message 3", "message 4"]).await?;
    tab.close().await
}
