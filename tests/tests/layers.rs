//! Middleware around a handler in each framework: compression, a timeout, and CORS.

use sse_conformance::Target;
use sse_conformance::client::Request;
use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;

/// The promise is 100 ms. A middleware that waits for more bytes would never send the event.
const PROMPT: Duration = Duration::from_secs(1);

type Feed = std::pin::Pin<Box<dyn futures_util::Stream<Item = &'static str> + Send>>;

/// An event at once, and then one every 200 ms.
fn events() -> Feed {
    Box::pin(futures_util::stream::unfold(false, async |begun| {
        if begun {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Some(("tick", true))
    }))
}

/// Runs a server on a thread of its own, until the process ends.
fn serve<F: Future>(server: impl FnOnce(TcpListener) -> F + Send + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = Target::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            server(listener).await;
        });
    });
    target
}

fn axum(layer: impl FnOnce(axum::Router) -> axum::Router + Send + 'static) -> Target {
    let handler = async |sse: sse_axum::Sse| sse.stream(events());
    serve(async move |listener| {
        let routes = layer(axum::Router::new().route("/", axum::routing::any(handler)));
        axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), routes).await
    })
}

fn actix_behind_compress() -> Target {
    use actix_web::{App, HttpServer, middleware::Compress, web};
    serve(async move |listener| {
        let app = || {
            App::new().wrap(Compress::default()).route("/", web::to(async |sse: sse_actix::Sse| sse.stream(events())))
        };
        HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run().await
    })
}

fn warp(wrap: fn(Routes<Answer>) -> Routes<warp::reply::Response>) -> Target {
    use warp::{Filter, Reply};
    serve(async move |listener| {
        let routes = warp::path::end().and(sse_warp::sse(()));
        let routes = routes.map(|sse: sse_warp::Sse| sse.stream(events()).into_response());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        warp::serve(wrap(routes.boxed())).incoming(listener).run().await;
    })
}

type Routes<R> = warp::filters::BoxedFilter<(R,)>;
type Answer = warp::reply::Response;

fn ask() -> Request {
    Request::get("/").header("accept", "text/event-stream").header("accept-encoding", "gzip, br")
}

/// Hazard E2.
#[test]
fn the_first_event_passes_compression_at_once_and_as_it_is() {
    for target in [axum(|routes| routes.layer(CompressionLayer::new())), actix_behind_compress()] {
        let asked = Instant::now();
        let mut stream = target.ask(&ask()).unwrap();
        assert_eq!(stream.head.header("content-encoding").unwrap_or("identity"), "identity", "{}", stream.head);
        stream.read_until("data: tick\n\n", PROMPT).unwrap();
        println!("after {:?}", asked.elapsed());
    }
}

/// Hazard E2: warp compresses the wrapped routes, and flushes each event.
#[test]
fn the_first_event_passes_warps_compression_at_once() {
    use warp::{Filter, Reply};
    let target = warp(|routes| routes.with(warp::compression::gzip()).map(Reply::into_response).boxed());
    let asked = Instant::now();
    let mut stream = target.ask(&ask()).unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"data: tick\n\n") {
        assert!(asked.elapsed() < PROMPT, "{:?}", String::from_utf8_lossy(&text));
        stream.read_for(Duration::from_millis(20)).unwrap();
        text.clear();
        // The body ends in the middle of the compressed data, so the error comes after all readable text.
        let _ = flate2::read::MultiGzDecoder::new(stream.body()).read_to_end(&mut text);
    }
    println!("after {:?}", asked.elapsed());
}

/// Hazard E16.
#[test]
fn a_timeout_of_the_response_does_not_cut_a_stream() {
    let timeout = TimeoutLayer::with_status_code(http::StatusCode::REQUEST_TIMEOUT, Duration::from_millis(300));
    let mut stream = axum(move |routes| routes.layer(timeout)).ask(&ask()).unwrap();
    let body = stream.read_for(Duration::from_secs(2)).unwrap();
    assert!(body.ends_with(b"data: tick\n\n") && body.len() > 5 * "data: tick\n\n".len());
    assert!(!stream.is_ended());
}

/// Hazard E10.
#[test]
fn a_page_of_another_origin_may_resume_where_the_layer_allows_it() {
    use warp::{Filter, Reply};
    let page = "https://page.example";
    let origin = page.parse::<http::HeaderValue>().unwrap();
    let headers = [http::HeaderName::from_static("last-event-id"), http::header::CACHE_CONTROL];
    let layer = CorsLayer::new().allow_origin(origin).allow_headers(headers).allow_methods([http::Method::GET]);
    let on_warp = warp(|routes| {
        let cors = warp::cors().allow_origin("https://page.example").allow_method("GET");
        let cors = cors.allow_headers(["last-event-id", "cache-control"]);
        routes.map(Reply::into_response).with(cors).map(Reply::into_response).boxed()
    });
    for target in [axum(move |routes| routes.layer(layer)), on_warp] {
        let preflight = Request::new("OPTIONS", "/").header("origin", page);
        let preflight = preflight.header("access-control-request-method", "GET");
        let preflight = preflight.header("access-control-request-headers", "cache-control,last-event-id");
        let allowed = target.read(&preflight).unwrap();
        assert_eq!(allowed.head.status, 200, "{}", allowed.head);
        let names = allowed.head.header("access-control-allow-headers").unwrap_or_default();
        assert!(names.contains("last-event-id"), "{}", allowed.head);

        let mut stream = target.ask(&ask().header("origin", page).header("last-event-id", "7")).unwrap();
        assert_eq!(stream.head.header("access-control-allow-origin"), Some(page), "{}", stream.head);
        stream.read_until("data: tick\n\n", PROMPT).unwrap();
    }
    // Without a CORS layer, a stream allows no other origin.
    let head = axum(|routes| routes).ask(&ask().header("origin", page)).unwrap().head;
    assert!(!head.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{head}");
}
