//! The adapter's own rules; the protocol is tested in sse-core and by the conformance kit.

use super::*;
use actix_web::http::Method;
use actix_web::test::{self, TestRequest};
use actix_web::{App, FromRequest, HttpResponse, ResponseError, web};
use futures_util::StreamExt;
use std::rc::Rc;

#[actix_web::test]
async fn the_policy_of_a_route_is_app_data() {
    let posted = Policy::default().methods(["POST"]);
    let post = || TestRequest::post().insert_header(("accept", "*/*"));
    let status = async |request: TestRequest| {
        let taken = Sse::extract(&request.to_http_request()).await;
        taken.map(drop).map_err(|error| error.status_code().as_u16())
    };
    assert_eq!(status(post()).await, Err(405));
    assert_eq!(status(post().app_data(posted.clone())).await, Ok(()));
    assert_eq!(status(post().app_data(web::Data::new(posted))).await, Ok(()));
}

/// Hazard E9.
#[actix_web::test]
async fn an_option_is_decided_by_accept_alone() {
    let status = async |request: TestRequest| {
        let taken = OptionalSse::extract(&request.to_http_request()).await;
        taken.map(|optional| optional.0.is_some()).map_err(|error| error.status_code().as_u16())
    };
    let named = |request: TestRequest| request.insert_header(("accept", "application/json, text/event-stream"));
    let page = |request: TestRequest| request.insert_header(("accept", "text/html, */*;q=0.8"));
    assert_eq!(status(page(TestRequest::get())).await, Ok(false));
    assert_eq!(status(page(TestRequest::post())).await, Ok(false));
    assert_eq!(status(named(TestRequest::get())).await, Ok(true));
    assert_eq!(status(named(TestRequest::post())).await, Err(405));
    let posted = Policy::default().methods(["POST"]);
    assert_eq!(status(named(TestRequest::post()).app_data(posted)).await, Ok(true));
    assert_eq!(status(named(TestRequest::default().method(Method::HEAD))).await, Err(200));
    assert_eq!(status(named(TestRequest::get()).insert_header(("last-event-id", "end"))).await, Err(204));
    assert_eq!(status(named(TestRequest::get()).app_data(Policy::local())).await, Err(403));
}

/// Hazard E18.
#[actix_web::test]
async fn an_error_of_a_handler_is_a_500_that_repeats_nothing() {
    async fn header(sse: Sse) -> Result<SseResponse, Error> {
        Ok(sse.header("content-type", "text/secret")?.channel().1)
    }
    async fn publish(sse: Sse, hub: web::Data<Hub>) -> Result<Subscription, Error> {
        hub.publish("secret".repeat(100), Event::data("x"))?;
        Ok(sse.subscribe(&hub, ["news"]))
    }
    async fn send(sse: Sse) -> Result<SseResponse, Error> {
        let (events, response) = sse.channel();
        events.try_send(Event::data("x").event("\nsecret"))?;
        Ok(response)
    }
    async fn frame(sse: Result<Sse, Error>) -> Result<SseResponse, Error> {
        let frame = Event::data("x").id("secret\0").frame()?;
        Ok(sse?.prelude([frame]).channel().1)
    }
    let app = App::new().app_data(web::Data::new(Hub::new()));
    let app = app.route("/header", web::to(header)).route("/publish", web::to(publish));
    let app = test::init_service(app.route("/send", web::to(send)).route("/frame", web::to(frame))).await;
    for path in ["/header", "/publish", "/send", "/frame"] {
        let answer = test::call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert_eq!(answer.status().as_u16(), 500, "{path}");
        assert_eq!(answer.headers().get("cache-control").unwrap(), "no-store");
        assert_eq!(test::read_body(answer).await, Error::BODY);
    }
    let answer = test::call_service(&app, TestRequest::post().uri("/header").to_request()).await;
    assert_eq!(answer.status().as_u16(), 405);
}

/// Hazard E11.
#[actix_web::test]
async fn a_strict_policy_looks_at_host_authority_and_origin() {
    let status = async |uri: &str, headers: &[(&'static str, &str)]| {
        let mut request = TestRequest::get().uri(uri).app_data(Policy::local());
        for header in headers {
            request = request.insert_header(*header);
        }
        let taken = Sse::extract(&request.to_http_request()).await;
        taken.map(drop).map_err(|error| error.status_code().as_u16())
    };
    assert_eq!(status("/", &[("host", "localhost:3000")]).await, Ok(()));
    assert_eq!(status("http://127.0.0.1:3000/", &[]).await, Ok(()), "as HTTP/2 has it");
    assert_eq!(status("/", &[("host", "evil.example")]).await, Err(403));
    assert_eq!(status("/", &[("host", "localhost"), ("origin", "https://evil.example")]).await, Err(403));
}

#[actix_web::test]
async fn a_future_that_is_not_send_writes_the_body() {
    async fn count(sse: Sse) -> SseResponse {
        let text = Rc::new("held across sends".to_owned());
        sse.run(async move |events| {
            actix_web::rt::task::yield_now().await;
            events.send(&*text).await?;
            Ok(())
        })
    }
    let app = test::init_service(App::new().route("/", web::to(count))).await;
    let request = TestRequest::get().insert_header(("accept", "text/event-stream"));
    let body = test::call_and_read_body(&app, request.to_request()).await;
    let expected = ":\nevent: sse-open\n\ndata: held across sends\n\nevent: sse-end\nid: end\ndata: {}\n\n";
    assert_eq!(body, expected);
}

#[actix_web::test]
async fn fetch_takes_a_post_of_any_accept() {
    let post = || TestRequest::post().insert_header(("accept", "application/json"));
    assert!(Sse::extract(&post().app_data(Policy::fetch()).to_http_request()).await.is_ok());
    let rejected = Sse::extract(&post().to_http_request()).await.map(drop).unwrap_err().error_response();
    let body = actix_web::body::to_bytes(rejected.into_body()).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("`Policy::fetch()`"));
}

#[actix_web::test]
async fn a_feed_is_a_route() {
    let hub = Hub::new();
    hub.publish("news", "rain").unwrap();
    let options = Feed::new(&hub, ["news"]).replay(Replay::All).policy(Policy::fetch());
    let app = App::new().route("/news", feed(&hub, ["news"])).route("/all", options.into_route());
    let app = test::init_service(app).await;
    let read = async |method: Method, path: &str, chunks: usize| {
        let request = TestRequest::default().method(method).uri(path).insert_header(("accept", "text/event-stream"));
        let answer = test::call_service(&app, request.to_request()).await;
        let (status, mut body) = (answer.status().as_u16(), std::pin::pin!(answer.into_body()));
        let mut text = String::new();
        for _ in 0..chunks {
            let chunk = std::future::poll_fn(|cx| actix_web::body::MessageBody::poll_next(body.as_mut(), cx)).await;
            let data = chunk.map(Result::unwrap).unwrap_or_default();
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
        (status, text)
    };
    assert!(matches!(read(Method::GET, "/news", 1).await, (200, text) if text.starts_with(":\nevent: sse-position\n")));
    assert_eq!(read(Method::HEAD, "/news", 1).await, (200, String::new()));
    assert_eq!(read(Method::POST, "/news", 1).await.0, 405);
    assert!(matches!(read(Method::POST, "/all", 2).await, (200, text) if text.starts_with(":\ndata: rain\n")));
}

#[test]
fn a_stream_that_is_not_send_is_a_response() {
    fn _compiles(sse: Sse) -> HttpResponse {
        let text = Rc::new("held across events".to_owned());
        sse.stream(futures_util::stream::repeat(()).map(move |()| (*text).clone())).into()
    }
}
