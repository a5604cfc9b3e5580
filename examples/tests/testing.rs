//! A handler of each framework, with the modules `testing` of the adapters: the same tests for three applications.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// The tests of one framework. `$app` makes the application for a hub, `$post` is a POST of its stream, and `$poll` a request
/// that the application answers when the hub drains.
macro_rules! tests {
    ($test:meta, $app:expr, $post:expr, $poll:expr) => {
        #[$test]
        async fn reader_receives_events_and_resumes() {
            pause();
            let hub = Hub::new();
            let app = ($app)(hub.clone()).await;
            let mut client = get(&app, "/news").await;
            assert_eq!(client.status(), 200);
            assert_eq!(client.header("Content-Type"), Some("text/event-stream"));
            hub.publish("news", ("article", "one")).unwrap();
            let event = client.next().await.unwrap();
            assert_eq!((&*event.event_type, &*event.data), ("article", "one"));
            assert!(client.available().is_empty());

            let id = client.last_event_id().to_owned();
            drop(client);
            assert_eq!(hub.stats().streams, 0);
            hub.publish("news", "two").unwrap();
            hub.publish("news", "three").unwrap();
            let mut client = get_after(&app, "/news", &id).await;
            let missed: Vec<_> = client.available().into_iter().map(|event| event.data.into_owned()).collect();
            assert_eq!(missed, ["two", "three"]);
        }

        #[$test]
        async fn reader_without_an_event_returns_an_error_after_its_bound() {
            pause();
            let app = ($app)(Hub::new()).await;
            let mut client = get(&app, "/news").await;
            // Keep-alives are no events.
            assert_eq!(client.next().await, Err(ReadError::Nothing(Duration::from_secs(30))));
        }

        #[$test]
        async fn advance_moves_the_lifetime_of_a_stream() {
            pause();
            let app = ($app)(Hub::new()).await;
            let mut client = get(&app, "/hour").await;
            advance(Duration::from_secs(3000)).await;
            assert!(client.available().is_empty());
            advance(Duration::from_secs(600)).await;
            assert_eq!(client.ended().await, Ok(Vec::new()));
            assert_eq!(client.next().await, Err(ReadError::Ended));
        }

        #[$test]
        async fn handler_that_waits_for_draining_answers_when_the_drain_starts() {
            pause();
            let hub = Hub::new();
            let app = ($app)(hub.clone()).await;
            let mut answer = std::pin::pin!(send(&app, $poll));
            tokio::select! {
                biased;
                _ = &mut answer => panic!("the hub does not drain"),
                () = advance(HOUR) => {}
            }
            let (response, left) = tokio::join!(answer, hub.drain(Duration::ZERO));
            assert_eq!((response.status(), left), (200, 0));
            assert_eq!(response.text().await.unwrap(), "bye");
        }

        #[$test]
        async fn rejected_request_has_status_and_text_and_no_event() {
            pause();
            let app = ($app)(Hub::new()).await;
            let mut response = send(&app, $post).await;
            assert_eq!(response.status(), 405);
            assert_eq!(response.header("allow"), Some("GET, HEAD"));
            assert_eq!(response.next().await, Err(ReadError::Status(405)));
            assert!(response.text().await.unwrap().starts_with("this route opens an event stream only for"));
            assert_eq!(get_after(&app, "/news", "end").await.status(), 204);
        }
    };
}

mod on_axum {
    use super::HOUR;
    use axum::routing::{any, get as get_route};
    use axum::{Router, body::Body, extract::Request};
    use sse_axum::testing::{ReadError, advance, get, get_after, pause, send};
    use sse_axum::{Hub, Sse, feed};
    use std::time::Duration;

    tests! {
        tokio::test,
        async |hub: Hub| {
            let hour = any(async |sse: Sse| sse.max_lifetime(HOUR).stream(futures_util::stream::pending::<&str>()));
            let news = feed(&hub, ["news"]);
            let poll = get_route(async move || {
                hub.draining().await;
                "bye"
            });
            Router::new().route("/news", news).route("/hour", hour).route("/poll", poll)
        },
        Request::post("/news").body(Body::empty()).unwrap(),
        Request::get("/poll").body(Body::empty()).unwrap()
    }
}

mod on_actix {
    use super::HOUR;
    use actix_web::{App, web};
    use sse_actix::testing::{ReadError, TestRequest, advance, get, get_after, init_service, pause, send};
    use sse_actix::{Hub, Sse};
    use std::time::Duration;

    tests! {
        actix_web::test,
        async |hub: Hub| {
            let news = async |sse: Sse, hub: web::Data<Hub>| sse.subscribe(&hub, ["news"]);
            let poll = async |hub: web::Data<Hub>| {
                hub.draining().await;
                "bye"
            };
            let app = App::new().app_data(web::Data::new(hub)).route("/news", web::to(news)).route("/poll", web::get().to(poll));
            init_service(app.route("/hour", web::to(async |sse: Sse| sse.max_lifetime(HOUR).stream(futures_util::stream::pending::<&str>())))).await
        },
        TestRequest::post().uri("/news"),
        TestRequest::get().uri("/poll")
    }
}

mod on_warp {
    use super::HOUR;
    use sse_warp::testing::{ReadError, advance, get, get_after, pause, send};
    use sse_warp::{Hub, Sse, sse};
    use std::time::Duration;
    use warp::Filter;
    use warp::http::Request;

    tests! {
        tokio::test,
        async |hub: Hub| {
            let drained = hub.clone();
            let poll = warp::path!("poll").and(warp::any().map(move || drained.clone())).then(async |hub: Hub| {
                hub.draining().await;
                "bye"
            });
            let news = warp::path!("news").and(sse(())).map(move |sse: Sse| sse.subscribe(&hub, ["news"]));
            poll.or(news).or(warp::path!("hour").and(sse(())).map(|sse: Sse| sse.max_lifetime(HOUR).stream(futures_util::stream::pending::<&str>())))
        },
        Request::post("/news").body(String::new()).unwrap(),
        Request::get("/poll").body(String::new()).unwrap()
    }
}
