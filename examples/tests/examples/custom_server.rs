//! HTTP without a library.

use crate::{BACK, LIVE, SOON, shows, start};
use sse_test_support::Result;
use sse_test_support::cable::Cable;
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-custom-server");

pub(crate) fn add(trials: &mut Trials) {
    trials.add("custom_server::publishes_the_time_and_resumes", async || {
        let server = start(PROGRAM, &[]).await?;
        let url = format!("{}/events", server.url());
        let mut reader = Reader::open(&url).await?;
        while reader.data_of("tick").count() < 1 {
            reader.next(SOON).await?;
        }
        let id = reader.last_event_id().to_owned();
        let next = {
            reader.next(SOON).await?;
            reader.data_of("tick").last().unwrap_or_default().to_owned()
        };
        let mut back = Reader::of(reqwest::Client::new().get(&url).header("last-event-id", id).send().await?);
        back.until("tick", &next, SOON).await?;
        assert_eq!(back.data_of("tick").next(), Some(&*next));
        Ok(())
    });

    trials.add("custom_server::answers_requests_that_open_no_stream", async || {
        let server = start(PROGRAM, &[]).await?;
        let rows = [
            ("HEAD /events HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 200 ", "content-type: text/event-stream"),
            ("POST /events HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 405 ", "allow: GET, HEAD"),
            ("GET /events HTTP/1.1\r\naccept: text/html\r\n\r\n", "HTTP/1.1 406 ", "text/event-stream"),
            ("GET /events HTTP/1.1\r\nlast-event-id: end\r\n\r\n", "HTTP/1.1 204 ", ""),
            ("GET /other HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "there is only / and /events"),
            ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", "<title>"),
            ("hello\r\n\r\n", "HTTP/1.1 400 ", ""),
        ];
        for (request, status, words) in rows {
            let answer = ask(server.address(), request).await?;
            assert!(answer.starts_with(status) && answer.contains(words), "{request:?}: {answer}");
        }
        let endless = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(10_000));
        assert!(ask(server.address(), &endless).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 400")));
        Ok(())
    });

    trials.add("custom_server::http_1_0_client_receives_no_chunks", async || {
        let server = start(PROGRAM, &[]).await?;
        let mut socket = TcpStream::connect(server.address()).await?;
        socket.write_all(b"GET /events HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        let read = async {
            while !text.contains("event: tick\ndata: {") {
                let mut bytes = [0; 1024];
                let n = socket.read(&mut bytes).await?;
                text.push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
            Result::<()>::Ok(())
        };
        timeout(SOON, read).await??;
        assert!(!text.contains("transfer-encoding"), "{text}");
        Ok(())
    });

    trials.add_in_each_browser("custom_server::page_shows_the_time_and_counts_readers", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let cable = Cable::to(server.address()).await?;
        let page = browser.open(&cable.url()).await?;
        page.wait(LIVE, SOON).await?;
        shows(&page, "#readers", "1 reader").await?;
        page.wait("/^\\d\\d:\\d\\d:\\d\\d$/.test(time.textContent)", SOON).await?;
        cable.pull();
        page.wait("document.body.dataset.state === 'reconnecting'", SOON).await?;
        cable.plug();
        page.wait(LIVE, BACK).await?;
        shows(&page, "#readers", "1 reader").await?;
        page.picture("custom-server").await?;
        page.close().await
    });
}

/// Sends one request, and returns the whole answer.
async fn ask(address: &str, request: &str) -> Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    timeout(SOON, socket.read_to_end(&mut answer)).await??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
