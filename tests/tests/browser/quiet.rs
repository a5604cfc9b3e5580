//! A browser that loses the connection before the first event. Only the opening has given the browser a position.

use crate::tab::Tab;
use crate::{BACK, SOON, Scope, publish, start};
use sse_conformance::server::Adapter;
use sse_test_support::Result;
use sse_test_support::browser::Browser;
use sse_test_support::cable::{Cable, Cut};
use sse_test_support::trials::Trials;

pub(crate) fn add(trials: &mut Trials, adapter: Adapter, scope: Scope) {
    let name = |what: &str| format!("{}::{what}", adapter.as_str());

    // Hazard G1.
    for cut in Cut::ALL {
        let promise = name(&format!("loss_before_the_first_event_loses_none_{}", cut.as_str()));
        trials.add_in_each_browser(promise, async move |browser| {
            lost_before_the_first_event(browser, adapter, &[], cut, &["message 1", "message 2", "message 3"]).await
        });
    }
    if scope == Scope::Wire {
        return;
    }

    // Hazard G2.
    trials.add_in_each_browser(
        name("loss_before_the_first_event_and_a_trimmed_history_are_a_gap"),
        async move |browser| {
            let gap = r#"gap {"reason":"trimmed","topic":"news"}"#;
            lost_before_the_first_event(browser, adapter, &["--topic-events", "1"], Cut::Fin, &[gap, "message 3"]).await
        },
    );

    trials.add_in_each_browser(name("restart_before_the_first_event_is_a_gap"), async move |browser| {
        let mut server = start(adapter, &[])?;
        let address = server.target().address().to_string();
        let cable = Cable::to(&address).await?;
        let tab = opened(browser, &cable, Cut::Fin).await?;
        server.terminate()?;
        let _ = server.wait(SOON)?;
        let server = start(adapter, &["--listen", &address])?;
        publish(server.target(), [("1", None)])?;
        cable.plug();
        tab.told("open", 2, BACK).await?;
        publish(server.target(), [("2", None)])?;
        tab.told("message 2", 1, SOON).await?;
        assert_eq!(tab.events().await?[0], r#"gap {"reason":"unknown"}"#);
        tab.close().await
    });
}

/// A tab whose connection is cut after the opening of a stream.
async fn opened(browser: &Browser, cable: &Cable, cut: Cut) -> Result<Tab> {
    let tab = Tab::open(browser, &cable.url(), "/topics?name=news").await?;
    // A RST discards bytes that the client's system has and the client has not read yet.
    tab.has_position(SOON).await?;
    cable.cut(cut);
    tab.told("lost", 1, SOON).await?;
    Ok(tab)
}

/// Three events are published while the tab is disconnected. The fourth event proves that no other event follows.
async fn lost_before_the_first_event(
    browser: &Browser,
    adapter: Adapter,
    options: &[&str],
    cut: Cut,
    received: &[&str],
) -> Result {
    let server = start(adapter, options)?;
    let cable = Cable::to(server.target().address().to_string()).await?;
    let tab = opened(browser, &cable, cut).await?;
    publish(server.target(), [("1", None), ("2", None), ("3", None)])?;
    cable.plug();
    tab.told("open", 2, BACK).await?;
    publish(server.target(), [("4", None)])?;
    tab.sees(&[received, &["message 4"]].concat()).await?;
    tab.close().await
}
