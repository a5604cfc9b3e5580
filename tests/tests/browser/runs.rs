//! A stream with a burst of events, with a silence, and with a position without an event.

use crate::tab::{Tab, url};
use crate::{BACK, SOON, publish, start};
use sse_conformance::server::Adapter;
use sse_test_support::cable::Cable;
use sse_test_support::trials::Trials;

pub(crate) fn add(trials: &mut Trials, adapter: Adapter) {
    let name = |what: &str| format!("{}::{what}", adapter.as_str());

    trials.add_in_each_browser(name("burst_of_1500_arrives_whole_and_in_order"), async move |browser| {
        let server = start(adapter, &[])?;
        let tab = Tab::open(browser, &url(server.target()), "/topics?name=news").await?;
        tab.told("open", 1, SOON).await?;
        let numbers: Vec<String> = (0..1500).map(|n| n.to_string()).collect();
        publish(server.target(), numbers.iter().map(|n| (&**n, None)))?;
        tab.told("message 1499", 1, SOON).await?;
        let expected: Vec<String> = numbers.iter().map(|n| format!("message {n}")).collect();
        assert_eq!(tab.events().await?, expected);
        tab.close().await
    });

    trials.add_in_each_browser(name("keep_alives_are_no_events_and_keep_the_connection"), async move |browser| {
        let server = start(adapter, &["--keep-alive-ms", "100"])?;
        // Long enough for about fifteen keep-alives.
        let steps = r#"[{"send":{"data":"x"}},{"sleep":1500},{"send":{"data":"y"}}]"#;
        let tab = Tab::script(browser, &url(server.target()), steps).await?;
        tab.told("message y", 1, SOON).await?;
        assert_eq!(tab.log().await?, ["open", "message x", "message y"]);
        tab.close().await
    });

    trials.add_in_each_browser(name("checkpoint_is_the_last_event_id_of_the_next_request"), async move |browser| {
        let server = start(adapter, &[])?;
        let cable = Cable::to(server.target().address().to_string()).await?;
        let steps = r#"[{"send":{"retry":200,"data":"x"}},{"checkpoint":"8"},{"close":true}]"#;
        let tab = Tab::script(browser, &cable.url(), steps).await?;
        tab.told("open", 3, BACK).await?;
        assert_eq!(cable.requests("/script")[..3], ["", "8", "8"]);
        assert!(tab.events().await?.iter().all(|event| event == "message x"));
        tab.close().await
    });
}
