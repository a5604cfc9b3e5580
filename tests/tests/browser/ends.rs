//! The end of a stream in a browser: the browser reconnects after `close`, and stays away after `finish`.

use crate::tab::{Tab, url};
use crate::{BACK, SOON, Scope, start};
use sse_conformance::client::Request;
use sse_conformance::server::Adapter;
use sse_test_support::cable::Cable;
use sse_test_support::trials::Trials;
use std::time::Duration;
use tokio::time::sleep;

pub(crate) fn add(trials: &mut Trials, adapter: Adapter, scope: Scope) {
    let name = |what: &str| format!("{}::{what}", adapter.as_str());

    // Hazard H2.
    trials.add_in_each_browser(name("refused_softly_it_asks_until_there_is_room"), async move |browser| {
        let server = start(adapter, &["--max-streams", "1"])?;
        let target = server.target();
        let taken = target.script("[]")?;
        let tab = Tab::script(browser, &url(target), r#"[{"send":{"data":"there is room"}}]"#).await?;
        tab.told("lost", 2, BACK).await?;
        assert_eq!(tab.log().await?, ["open", "lost", "open", "lost"]);
        drop(taken);
        tab.told("message there is room", 1, BACK).await?;
        assert!(tab.absences().await?.iter().all(|ms| *ms > 980.0), "a refusal says 1 s at least");
        tab.close().await
    });

    scope.add(trials, name("it_waits_as_long_as_it_was_told"), async move |browser| {
        let server = start(adapter, &[])?;
        let steps = r#"[{"send":{"retry":1000,"data":"x"}},{"close":true}]"#;
        let tab = Tab::script(browser, &url(server.target()), steps).await?;
        tab.told("open", 3, BACK).await?;
        // Without `retry` the browser would wait 3 s. On a busy machine one reconnect may be late, and none may be
        // early.
        let absences = tab.absences().await?;
        assert!(absences.iter().all(|ms| *ms > 980.0), "{absences:?}");
        assert!(absences.iter().any(|ms| *ms < 2000.0), "{absences:?}");
        tab.close().await
    });

    // Hazard H3.
    trials.add_in_each_browser(name("finish_is_one_more_request_and_then_none"), async move |browser| {
        let server = start(adapter, &[])?;
        let cable = Cable::to(server.target().address().to_string()).await?;
        let steps = r#"[{"send":{"retry":300,"data":"x"}},{"finish":true}]"#;
        let tab = Tab::script(browser, &cable.url(), steps).await?;
        let closed = tab.told("closed", 1, SOON).await;
        assert_eq!(cable.requests("/script"), ["", "end"], "requests within {SOON:?}, by their Last-Event-ID");
        closed?;
        assert_eq!(tab.log().await?, ["open", "message x", "lost", "closed"]);
        // Ten reconnection times.
        sleep(Duration::from_secs(3)).await;
        assert_eq!(cable.requests("/script").len(), 2);
        tab.close().await
    });

    scope.add(trials, name("the_page_of_the_routes_shows_what_comes"), async move |browser| {
        let server = start(adapter, &[])?;
        let steps = r#"[{"send":{"data":"plain"}},{"send":{"id":"7","event":"tick","data":"two\nlines"}},
            {"send":{"data":"<b>\ud83e\udd80</b>"}},{"send":{"id":"a\nb","data":"refused"}}]"#;
        let script = Request::script_path(steps);
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("url", script.as_str()), ("types", "tick,refused")])
            .finish();
        let page = browser.open(&format!("{}/?{query}", url(server.target()))).await?;
        page.wait("state.value === 'open' && events.children.length === 4", SOON).await?;
        let shown: Vec<String> = page.eval("[...events.children].map((row) => row.textContent)").await?;
        assert_eq!(shown, ["plain", "two\nlines", "<b>\u{1f980}</b>", "id"]);
        page.picture(&format!("conformance-{}", adapter.as_str())).await?;
        page.close().await
    });
}
