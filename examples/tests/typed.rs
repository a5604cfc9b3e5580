//! An enum of events through a handler of each framework, and back into the enum.

use serde::{Deserialize, Serialize};
use sse_core::Decoder;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Headline {
    text: String,
}

/// The same enum with the macros of one adapter: they name the crate that they are imported from.
macro_rules! feed {
    ($adapter:ident) => {
        use super::Headline;
        use $adapter::{DecodeEvents, Events, Hub};

        #[derive(Debug, Clone, PartialEq, Events, DecodeEvents)]
        enum Feed {
            Headline(Headline),
            #[event("reader-count")]
            Readers(u32),
            Cleared,
        }

        /// A hub to which each variant was published, by value and by reference.
        fn hub() -> Hub {
            let hub = Hub::new();
            let [headline, readers, cleared] = events();
            hub.publish("news", &headline).unwrap();
            hub.publish_all([("news", readers), ("news", cleared)]).unwrap();
            hub
        }

        fn events() -> [Feed; 3] {
            [Feed::Headline(Headline { text: "Rain\n☔".into() }), Feed::Readers(3), Feed::Cleared]
        }

        fn check(body: &[u8]) {
            assert_eq!(Feed::TYPES, ["headline", "reader-count", "cleared"]);
            let mut events: Vec<Feed> = super::decode(body, Feed::decode);
            assert_eq!(events.remove(0), Feed::Readers(7), "the event of the prelude");
            assert_eq!(events, self::events());
        }
    };
}

/// The events of a body that an enum has.
fn decode<T>(
    mut body: &[u8],
    decode: fn(&sse_core::MessageEvent<'_>) -> Result<Option<T>, sse_core::PayloadError>,
) -> Vec<T> {
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    while let Some(event) = decoder.decode(&mut body) {
        out.extend(decode(&event.unwrap()).unwrap());
    }
    out
}

mod axum {
    feed!(sse_axum);
    use ::axum::body::Body;
    use ::axum::extract::State;
    use ::axum::response::IntoResponse;
    use ::axum::{Router, routing::any};
    use futures_util::StreamExt;
    use sse_axum::{Replay, Sse};
    use tower::ServiceExt;

    async fn news(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
        sse.subscribe(&hub, "news").replay(Replay::All).prelude([Feed::Readers(7)])
    }

    #[tokio::test]
    async fn axum_handler_sends_an_enum_that_a_client_decodes() {
        let app = Router::new().route("/news", any(news)).with_state(hub());
        let request = ::axum::http::Request::get("/news").body(Body::empty()).unwrap();
        let mut body = app.oneshot(request).await.unwrap().into_body().into_data_stream();
        check(&super::read(async || Some(body.next().await?.unwrap().to_vec())).await);
    }
}

mod actix {
    feed!(sse_actix);
    use actix_web::body::MessageBody;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::web::{self, Data};
    use actix_web::{App, Responder};
    use sse_actix::{Replay, Sse};
    use std::future::poll_fn;
    use std::pin::pin;

    async fn news(sse: Sse, hub: Data<Hub>) -> impl Responder {
        sse.subscribe(&hub, "news").replay(Replay::All).prelude([Feed::Readers(7)])
    }

    #[actix_web::test]
    async fn actix_handler_sends_an_enum_that_a_client_decodes() {
        let app = init_service(App::new().app_data(Data::new(hub())).route("/news", web::to(news))).await;
        let answer = call_service(&app, TestRequest::get().uri("/news").to_request()).await;
        let mut body = pin!(answer.into_body());
        let chunk = async || Some(poll_fn(|cx| body.as_mut().poll_next(cx)).await?.unwrap().to_vec());
        check(&super::read(chunk).await);
    }
}

mod warp {
    feed!(sse_warp);
    use ::warp::{Filter, Reply, path};
    use futures_util::StreamExt;
    use sse_warp::{Replay, Sse, Subscription};

    fn news(sse: Sse, hub: &Hub) -> Subscription {
        sse.subscribe(hub, "news").replay(Replay::All).prelude([Feed::Readers(7)])
    }

    #[tokio::test]
    async fn warp_handler_sends_an_enum_that_a_client_decodes() {
        let hub = hub();
        let routes = path("news").and(sse_warp::sse(())).map(move |sse| news(sse, &hub));
        let answer = ::warp::test::request().path("/news").filter(&routes).await.unwrap().into_response();
        let mut body = http_body_util::BodyStream::new(answer.into_body());
        let chunk = async || Some(body.next().await?.unwrap().into_data().unwrap().to_vec());
        check(&super::read(chunk).await);
    }
}

/// Chunks of a stream that does not end, until the last event of the feed.
async fn read(mut chunk: impl AsyncFnMut() -> Option<Vec<u8>>) -> Vec<u8> {
    let mut body = Vec::new();
    while !String::from_utf8_lossy(&body).contains("event: cleared\n") || !body.ends_with(b"\n\n") {
        body.extend(chunk().await.expect("the stream does not end"));
    }
    body
}
