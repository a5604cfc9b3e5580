//! The reader over real sockets: against sse-axum, and against a server that fails as told.

use axum::Router;
use axum::routing::any;
use futures_util::{StreamExt, stream};
use sse_axum::{CloseReason, Event, Hub, Replay, Sse};
use sse_client::{EventReader, Lost, Signal, StopReason, Stopped, get};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const BOUND: Duration = Duration::from_secs(20);

/// Serves an application on a free port, until the test's runtime ends.
async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// Answers each connection with the next of these texts, then closes it, and returns the heads of the requests. Without a
/// further text a connection stays open and silent.
async fn scripted(answers: Vec<String>) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        let mut silent = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let _ = sender.send(String::from_utf8(head).unwrap().to_lowercase());
            match answers.next() {
                Some(answer) => socket.write_all(answer.as_bytes()).await.unwrap(),
                None => silent.push(socket),
            }
        }
    });
    (format!("http://{address}"), requests)
}

fn stream_of(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{text}")
}

fn quick(reader: EventReader) -> EventReader {
    reader.configure(|source| source.retry_bounds(Duration::from_millis(1), Duration::from_millis(20)))
}

async fn bounded<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, test).await.expect("the test takes less than its bound")
}

#[tokio::test]
async fn reads_a_stream_to_its_end() {
    let route = any(async |sse: Sse| sse.stream(stream::iter(["one", "two"])));
    let url = serve(Router::new().route("/", route)).await;
    let mut events = get(url);
    bounded(async {
        assert_eq!(events.next_event().await.unwrap().unwrap().data, "one");
        assert_eq!(events.next_event().await.unwrap().unwrap().data, "two");
        assert_eq!(events.next_event().await, Ok(None));
        assert_eq!(events.next_event().await, Ok(None));
    })
    .await;
    assert_eq!(events.stopped(), Some(&Stopped::Source(StopReason::Finished)));
}

#[tokio::test]
async fn resumes_a_topic_where_the_connection_was_cut() {
    let hub = Hub::builder().max_topics(10).build();
    let followed = hub.clone();
    let route = any(async move |sse: Sse| {
        let lifetime = Duration::from_millis(50);
        sse.max_lifetime(lifetime).subscribe(&followed, ["news"]).replay(Replay::All)
    });
    let url = serve(Router::new().route("/", route)).await;
    let publisher = tokio::spawn(async move {
        for n in 0..100 {
            hub.publish("news", Event::data(n.to_string())).unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut events = quick(get(url));
    bounded(async {
        for n in 0..100 {
            assert_eq!(events.next_event().await.unwrap().unwrap().data, n.to_string());
        }
    })
    .await;
    publisher.await.unwrap();
}

#[tokio::test]
async fn reports_each_loss_and_sends_the_last_event_id() {
    let answers = [
        stream_of("id: 1\ndata: a\n\ndata: cut off"),
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_owned(),
        stream_of("event: gap\ndata: {}\n\nevent: sse-end\nid: end\ndata: {}\n\n"),
    ];
    let (url, mut requests) = scripted(answers.into()).await;
    let mut signals = quick(get(url)).configure(|source| source.retry_statuses([503]));
    bounded(async {
        assert!(matches!(signals.next().await, Some(Signal::Open)));
        assert!(matches!(signals.next().await, Some(Signal::Event(event)) if event.data == "a"));
        assert!(matches!(signals.next().await, Some(Signal::Lost { cause: Lost::Ended, .. })));
        assert!(matches!(signals.next().await, Some(Signal::Lost { cause: Lost::Status(503), .. })));
        assert!(matches!(signals.next().await, Some(Signal::Open)));
        assert!(matches!(signals.next().await, Some(Signal::Gap(_))));
        assert!(signals.next().await.is_none());
        let first = requests.recv().await.unwrap();
        assert!(first.contains("accept: text/event-stream\r\n") && !first.contains("last-event-id"), "{first}");
        for _ in 0..2 {
            assert!(requests.recv().await.unwrap().contains("last-event-id: 1\r\n"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_silent_server_is_lost() {
    let (url, _requests) = scripted(vec![]).await;
    let mut signals = quick(get(url)).configure(|source| source.max_silence(Duration::from_millis(50)));
    let lost = bounded(signals.next()).await;
    assert!(matches!(lost, Some(Signal::Lost { cause: Lost::Silent, .. })), "{lost:?}");
}

#[tokio::test]
async fn a_refused_connection_is_lost_and_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut signals = quick(get(format!("http://{free}/")));
    for _ in 0..3 {
        let lost = bounded(signals.next()).await;
        assert!(matches!(lost, Some(Signal::Lost { cause: Lost::Failed(_), .. })), "{lost:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: /there\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (url, mut requests) = scripted(vec![moved.to_owned(), stream_of("data: a\n\n")]).await;
    let mut events = get(url);
    bounded(async {
        assert_eq!(events.next_event().await.unwrap().unwrap().data, "a");
        assert!(requests.recv().await.unwrap().starts_with("get / "));
        assert!(requests.recv().await.unwrap().starts_with("get /there "));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_no_stream_stops_the_reader_once() {
    let not_found = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n".to_owned();
    for (answer, reason) in [(not_found, StopReason::Status(404)), (page, StopReason::ContentType("text/html".into()))]
    {
        let (url, _requests) = scripted(vec![answer]).await;
        let mut events = get(url);
        assert_eq!(bounded(events.next_event()).await, Err(Stopped::Source(reason.clone())));
        assert_eq!(bounded(events.next_event()).await, Ok(None));
        assert_eq!(events.stopped(), Some(&Stopped::Source(reason)));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_stops_the_reader() {
    let stopped = bounded(get("no url").next_event()).await;
    assert!(matches!(stopped, Err(Stopped::Request(_))), "{stopped:?}");
    let body = reqwest::Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>("x")]));
    let request = reqwest::Client::new().post("http://127.0.0.1:1/").body(body);
    assert_eq!(bounded(EventReader::new(request).next_event()).await, Err(Stopped::StreamingBody));
}

#[tokio::test]
async fn a_dropped_reader_closes_its_connection() {
    let (sender, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let route = any(async move |sse: Sse| {
        let (events, response) = sse.prelude(["hello"]).channel();
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(events.closed().await) });
        response
    });
    let url = serve(Router::new().route("/", route)).await;
    let mut events = get(url);
    assert_eq!(bounded(events.next_event()).await.unwrap().unwrap().data, "hello");
    drop(events);
    assert_eq!(bounded(ended.recv()).await, Some(CloseReason::ClientLeft));
}
