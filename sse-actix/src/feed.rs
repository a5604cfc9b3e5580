//! A feed as a route.

use crate::extract::{app_data, check_under};
use crate::{Error, Policy, Sse, Subscription};
use actix_web::{HttpRequest, Route, web};
use sse_core::Hub;
use sse_core::hub::IntoTopics;
use std::future::ready;

sse_core::adapter_feed!("use sse_actix::*;", "let app = actix_web::App::new().route(\"/news\", news.into_route());");

/// Subscribes every client of a route to these topics. [`Feed`] is the same with options.
///
/// The route answers every method: HEAD with the head of the stream, and methods that the policy does not list with 405. The
/// policy is the `app_data` of the route, or the default.
///
/// ```
/// use actix_web::App;
/// use sse_actix::Hub;
///
/// let hub = Hub::new();
/// let app = App::new().route("/news", sse_actix::feed(&hub, ["news"]));
/// # let _ = app;
/// ```
pub fn feed<K>(hub: &Hub, topics: impl IntoTopics<K>) -> Route {
    Feed::new(hub, topics).into_route()
}

impl Feed {
    /// The feed as a route of actix-web, for every method. A clone of the feed for each worker is cheap.
    ///
    /// ```
    /// use actix_web::{App, HttpServer};
    /// use sse_actix::{Feed, Hub, Replay};
    ///
    /// let hub = Hub::new();
    /// let news = Feed::new(&hub, ["news"]).replay(Replay::Last(50));
    /// let server = HttpServer::new(move || App::new().route("/news", news.clone().into_route()));
    /// # let _ = server;
    /// ```
    pub fn into_route(self) -> Route {
        web::to(move |request: HttpRequest| ready(self.answer(&request)))
    }

    fn answer(&self, request: &HttpRequest) -> Result<Subscription, Error> {
        let policy: Option<&Policy> = self.0.own_policy().or_else(|| app_data(request));
        Ok(self.subscribe(check_under(policy, None, request, Sse::check)?))
    }
}
