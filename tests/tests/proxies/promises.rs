//! The promises of docs/proxies.md, in the same words for each proxy.

use crate::app::{App, KEEP_ALIVE};
use crate::proxy::{Kind, Proxy};
use crate::{BACK, SOON};
use sse_conformance::server::Adapter;
use sse_test_support::eventually;
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const STREAM: &str = "/topics?name=news&from=oldest";

pub(crate) fn add(trials: &mut Trials, kind: Kind) {
    let name = |promise: &str| format!("{}::{promise}", kind.name);

    // Trials in a browser wait longest, so they go first.
    trials.add_in_chromium(name("event_source_survives_a_restart_of_the_server"), async move |browser| {
        let app = App::start(Adapter::Axum).await?;
        let proxy = Proxy::before(kind, app.address()).await?;
        let page = browser.open(&proxy.browser_url(kind, kind.own_page.unwrap_or("/about"))).await?;
        page.run(&format!(
            "count = {{ open: 0, error: 0 }}; seen = [];
             source = new EventSource('{STREAM}');
             source.onopen = () => count.open += 1;
             source.onerror = () => count.error += 1;
             source.onmessage = (event) => seen.push(event.data);"
        ))
        .await?;
        page.wait("count.open === 1", SOON).await?;
        let protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol";
        assert_eq!(page.eval::<String>(protocol).await? == "h2", kind.http2);
        // Each event is published only after the page has seen the one before.
        for data in ["1", "2", "3"] {
            app.publish(data).await?;
            page.wait(&format!("seen.at(-1) === '{data}'"), SOON).await?;
        }
        let address = app.address().to_owned();
        app.terminate().await?;
        // The first error is the end of the stream. The second one is the end of the proxy's own answer.
        page.wait("count.error >= 2", BACK).await?;
        assert_eq!(page.eval::<u8>("source.readyState").await?, 0, "the event source gave up");
        let app = App::start_at(Adapter::Axum, &address).await?;
        app.has_streams(1).await?;
        app.publish("4").await?;
        page.wait("seen.at(-1) === '4'", SOON).await?;
        assert_eq!(page.eval::<Vec<String>>("seen").await?, ["1", "2", "3", "4"]);
        page.close().await?;
        app.has_streams(0).await
    });

    trials.add(name("client_is_asked_to_retry_while_the_server_is_down"), async move || {
        let app = App::start(Adapter::Axum).await?;
        let proxy = Proxy::before(kind, app.address()).await?;
        let mut reader = Reader::open(proxy.url(STREAM)).await?;
        reader.next(SOON).await?;
        let address = app.address().to_owned();
        app.kill().await?;
        // A stream whose server was killed ends, in order or not.
        if let Err(error) = reader.to_end(SOON).await
            && error.to_string().contains("not ended")
        {
            return Err("the stream stayed open without its server".into());
        }

        let request = reqwest::Client::new().get(proxy.url(STREAM)).header("accept", "text/event-stream");
        let answer = request.send().await?;
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("content-type"), Some("text/event-stream"));
        assert_eq!(header("cache-control"), Some("no-store"));
        assert_eq!(answer.text().await?, "retry: 2000\n\n");
        if kind.own_page.is_none() {
            // Other requests receive the proxy's error response.
            let other = reqwest::get(proxy.url("/stats")).await?.status();
            assert!(other.is_server_error(), "{other}");
        }

        let _app = App::start_at(Adapter::Axum, &address).await?;
        let stream = async || {
            let mut reader = Reader::open(proxy.url(STREAM)).await?;
            reader.next(SOON).await?;
            Ok(reader.text() != "retry: 2000\n\n")
        };
        eventually("the proxy finds the server again", SOON, stream).await
    });

    // Hazard E1.
    trials.add(name("event_passes_before_the_next_is_published_and_a_client_that_left_is_noticed"), async move || {
        for adapter in Adapter::ALL {
            // With long keep-alives the server writes nothing that could reveal the disconnected client.
            let keep_alive = if kind.notices_at_once { SOON * 6 } else { KEEP_ALIVE };
            let app = App::start_with(adapter, keep_alive).await?;
            let proxy = Proxy::before(kind, app.address()).await?;
            let mut reader = Reader::open(proxy.url(STREAM)).await?;
            // The head and the opening come before any event.
            reader.next(SOON).await?;
            for data in ["1", "2", "3"] {
                app.publish(data).await?;
                reader.until("message", data, SOON).await.map_err(|error| format!("{}: {error}", adapter.as_str()))?;
            }
            app.has_streams(1).await?;
            drop(reader);
            app.has_streams(0)
                .await
                .map_err(|error| format!("{}, after the client left: {error}", adapter.as_str()))?;
        }
        Ok(())
    });

    trials.add(name("client_resumes_by_its_last_event_id"), async move || {
        let app = App::start(Adapter::Axum).await?;
        let proxy = Proxy::before(kind, app.address()).await?;
        let mut reader = Reader::open(proxy.url(STREAM)).await?;
        app.publish("1").await?;
        reader.until("message", "1", SOON).await?;
        let id = reader.last_event_id().to_owned();
        drop(reader);
        app.publish("2").await?;
        let request = reqwest::Client::new().get(proxy.url(STREAM)).header("last-event-id", &id);
        let answer = request.header("accept", "text/event-stream").send().await?;
        let resumption = answer.headers().get("x-resumption").and_then(|value| value.to_str().ok());
        assert_eq!(resumption, Some("resumed"));
        let mut reader = Reader::of(answer);
        reader.until("message", "2", SOON).await?;
        assert_eq!(reader.data_of("message").collect::<Vec<_>>(), ["2"]);
        Ok(())
    });

    trials.add(name("server_receives_the_host_that_the_client_named"), async move || {
        let app = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Proxy::before(kind, &app.local_addr()?.to_string()).await?;
        let client = tokio::spawn(reqwest::get(proxy.url(STREAM)));
        let (mut socket, _) = app.accept().await?;
        let mut request = String::new();
        while !request.contains("\r\n\r\n") {
            let mut bytes = [0; 4096];
            let read = socket.read(&mut bytes).await?;
            assert_ne!(read, 0, "the request ended after {request:?}");
            request.push_str(&String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()));
        }
        socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await?;
        assert_eq!(client.await??.status(), 204);
        let host = request.lines().find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned));
        let expected = proxy.url("");
        assert_eq!(host.as_deref(), expected.strip_prefix("http://"), "{request}");
        Ok(())
    });
}
