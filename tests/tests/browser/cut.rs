//! A browser whose connection is cut inside a frame. WebKit keeps the bytes of an unfinished frame after a reset, and
//! puts them before the next response.

use crate::tab::Tab;
use crate::{BACK, SOON, publish, start};
use sse_conformance::server::Adapter;
use sse_test_support::Result;
use sse_test_support::browser::Browser;
use sse_test_support::cable::{Cable, Cut};
use sse_test_support::trials::Trials;

/// The texts after which the connection is cut: in a field name, before the data, in the data, at the end of the data, in
/// the name of the ID, before the ID, in the ID, and before the blank line.
const PLACES: [&[&str]; 8] =
    [&["da"], &["data: "], &["0123456789012345"], &["}"], &["}\n"], &["\nid: "], &["\nid: ", "-"], &["\nid: ", "\n"]];

pub(crate) fn add(trials: &mut Trials, adapter: Adapter) {
    for cut in Cut::ALL {
        let promise = format!("{}::{}_inside_a_frame_changes_no_event", adapter.as_str(), cut.as_str());
        trials.add_in_each_browser(promise, async move |browser| cut_in_each_place(browser, adapter, cut).await);
    }
}

async fn cut_in_each_place(browser: &Browser, adapter: Adapter, cut: Cut) -> Result {
    let server = start(adapter, &[])?;
    let cable = Cable::to(server.target().address().to_string()).await?;
    let tab = Tab::open(browser, &cable.url(), "/topics?name=news").await?;
    tab.told("open", 1, SOON).await?;
    let mut expected = Vec::new();
    for (n, place) in PLACES.into_iter().enumerate() {
        // An opening may ask for some seconds.
        let soon = format!("reconnect {n} soon");
        publish(server.target(), [(&*soon, Some(200))])?;
        tab.told(&format!("message {soon}"), 1, SOON).await?;
        cable.cut_after(place, cut);
        let large = format!(r#"{{"n":{n},"text":"{}"}}"#, "0123456789".repeat(300));
        publish(server.target(), [(&*large, None)])?;
        cable.is_cut(SOON).await?;
        tab.told("lost", n + 1, SOON).await?;
        cable.plug();
        tab.told("open", n + 2, BACK).await?;
        expected.extend([format!("message {soon}"), format!("message {large}")]);
    }
    publish(server.target(), [("the last", None)])?;
    tab.told("message the last", 1, SOON).await?;
    expected.push("message the last".to_owned());
    let short =
        |events: Vec<String>| events.into_iter().map(|event| event.replace("0123456789", "")).collect::<Vec<_>>();
    assert_eq!(short(tab.events().await?), short(expected));
    tab.close().await
}
