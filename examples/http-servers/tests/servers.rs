//! Each server over HTTP: the feed resumes, requests that open no stream keep their answers, and a drain ends the streams.

use reqwest::{Client, Method, Response};
use sse_core::Hub;
use sse_test_support::http::Reader;
use sse_test_support::{Result, eventually};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The longest wait for a result that should be immediate.
const LIVENESS: Duration = Duration::from_secs(30);

struct Server {
    url: String,
    hub: Hub,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start<F: Future<Output = io::Result<()>> + Send + 'static>(serve: fn(TcpListener, Hub) -> F) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/news", listener.local_addr().unwrap());
        let hub = Hub::new();
        Self { url, hub: hub.clone(), task: tokio::spawn(serve(listener, hub)) }
    }

    async fn ask(&self, method: Method, headers: &[(&str, &str)]) -> Result<Response> {
        let request = Client::new().request(method, &self.url).timeout(LIVENESS);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Ok(request.send().await?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn resumes(server: Server) -> Result {
    let mut reader = Reader::open(&server.url).await?;
    server.hub.publish("news", "first")?;
    reader.until("message", "first", LIVENESS).await?;
    let id = reader.last_event_id().to_owned();
    drop(reader);
    server.hub.publish("news", "missed")?;
    let headers = [("accept", "text/event-stream"), ("last-event-id", &*id)];
    let mut reader = Reader::of(server.ask(Method::GET, &headers).await?);
    reader.until("message", "missed", LIVENESS).await?;
    assert_eq!(reader.data_of("message").collect::<Vec<_>>(), ["missed"]);
    Ok(())
}

/// poem notices at the second write, the other servers at once.
async fn notices_that_a_client_left(server: Server) -> Result {
    let reader = Reader::open(&server.url).await?;
    assert_eq!(server.hub.stats().streams, 1);
    drop(reader);
    let noticed = async || {
        server.hub.publish("news", "a write")?;
        Ok(server.hub.stats().streams == 0)
    };
    eventually("the server notices that the client left", LIVENESS, noticed).await
}

async fn answers_requests_that_open_no_stream(server: Server) -> Result {
    let rows = [
        (Method::POST, ("accept", "text/event-stream"), 405, "this route opens an event stream only for"),
        (Method::GET, ("accept", "text/html"), 406, "the Accept header of the request"),
        (Method::GET, ("last-event-id", "end"), 204, ""),
        (Method::HEAD, ("accept", "text/event-stream"), 200, ""),
    ];
    for (method, header, status, text) in rows {
        let response = server.ask(method.clone(), &[header]).await?;
        assert_eq!(response.status(), status, "{method}");
        if method == Method::HEAD {
            assert_eq!(response.headers()["content-type"], "text/event-stream");
            assert!(!response.headers().contains_key("content-length"));
        }
        let body = response.text().await?;
        assert!(body.starts_with(text) && body.is_empty() == text.is_empty(), "{method}: {body}");
    }
    Ok(())
}

async fn drain_ends_the_streams(server: Server) -> Result {
    let mut response = server.ask(Method::GET, &[("accept", "text/event-stream")]).await?;
    server.hub.drain(Duration::ZERO).await;
    while response.chunk().await?.is_some() {}
    assert_eq!(server.hub.stats().streams, 0);
    Ok(())
}

macro_rules! each_server {
    ($($server:ident)*) => {$(
        mod $server {
            use super::*;

            #[tokio::test]
            async fn resumes_after_the_last_event_id() {
                resumes(Server::start(http_servers::$server::serve).await).await.unwrap();
            }

            #[tokio::test]
            async fn notices_that_a_client_left() {
                super::notices_that_a_client_left(Server::start(http_servers::$server::serve).await).await.unwrap();
            }

            #[tokio::test]
            async fn answers_requests_that_open_no_stream() {
                super::answers_requests_that_open_no_stream(Server::start(http_servers::$server::serve).await).await.unwrap();
            }

            #[tokio::test]
            async fn drain_ends_the_streams() {
                super::drain_ends_the_streams(Server::start(http_servers::$server::serve).await).await.unwrap();
            }
        }
    )*};
}

each_server!(bare_hyper tower_service on_poem on_salvo);

#[test]
fn document_shows_each_server_in_at_most_25_lines() {
    let document = include_str!("../../../docs/other-servers.md");
    for text in [
        include_str!("../src/bare_hyper.rs"),
        include_str!("../src/tower_service.rs"),
        include_str!("../src/on_poem.rs"),
        include_str!("../src/on_salvo.rs"),
    ] {
        assert!(text.lines().count() <= 25, "{text}");
        assert!(document.contains(&format!("```rust,ignore\n{text}```")), "docs/other-servers.md lacks:\n{text}");
    }
}
