//! A browser that reads a compressed stream: event by event, across lost connections, and across ends without the trailer
//! of gzip.

use crate::tab::Tab;
use crate::{BACK, SOON, publish, start};
use sse_conformance::server::Adapter;
use sse_test_support::cable::{Cable, Cut};
use sse_test_support::trials::Trials;

pub(crate) fn add(trials: &mut Trials, adapter: Adapter) {
    let name = |what: &str| format!("{}::{what}", adapter.as_str());

    for cut in Cut::ALL {
        let promise = name(&format!("compressed_events_arrive_at_once_and_none_is_lost_{}", cut.as_str()));
        trials.add_in_each_browser(promise, async move |browser| {
            let server = start(adapter, &["--gzip"])?;
            let cable = Cable::to(server.target().address().to_string()).await?;
            let tab = Tab::open(browser, &cable.url(), "/topics?name=news").await?;
            tab.has_position(SOON).await?;
            // Each is seen before the next one is published.
            for n in ["1", "2", "3"] {
                publish(server.target(), [(n, None)])?;
                tab.told(&format!("message {n}"), 1, SOON).await?;
            }
            cable.cut(cut);
            tab.told("lost", 1, SOON).await?;
            publish(server.target(), [("4", None), ("5", None)])?;
            cable.plug();
            tab.told("open", 2, BACK).await?;
            publish(server.target(), [("6", None)])?;
            tab.sees(&["message 1", "message 2", "message 3", "message 4", "message 5", "message 6"]).await?;
            tab.close().await
        });
    }

    trials.add_in_each_browser(name("end_of_a_compressed_stream_loses_no_event"), async move |browser| {
        let server = start(adapter, &["--gzip", "--max-lifetime-ms", "1500"])?;
        let cable = Cable::to(server.target().address().to_string()).await?;
        let tab = Tab::open(browser, &cable.url(), "/topics?name=news").await?;
        tab.has_position(SOON).await?;
        publish(server.target(), [("1", None)])?;
        tab.told("message 1", 1, SOON).await?;
        tab.told("open", 2, BACK).await?;
        publish(server.target(), [("2", None)])?;
        tab.sees(&["message 1", "message 2"]).await?;
        tab.close().await
    });
}
