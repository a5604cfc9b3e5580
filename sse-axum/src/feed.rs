//! A feed as a route.

use crate::{Error, Policy, Sse, Subscription};
use axum::routing::{MethodRouter, any};
use http::request::Parts;
use sse_core::Hub;
use sse_core::hub::IntoTopics;
use std::future::ready;

sse_core::adapter_feed!(
    "use sse_axum::*;",
    "let app: axum::Router = axum::Router::new().route(\"/news\", news.into_route());"
);

/// Subscribes every client of a route to these topics. [`Feed`] is the same with options.
///
/// The route answers every method: HEAD with the head of the stream, and methods that the policy does not list with 405. The
/// policy is an `Extension` of the route, or the default.
///
/// ```
/// use axum::Router;
/// use sse_axum::Hub;
///
/// let hub = Hub::new();
/// let app: Router = Router::new().route("/news", sse_axum::feed(&hub, ["news"]));
/// # let _ = app;
/// ```
pub fn feed<K, S>(hub: &Hub, topics: impl IntoTopics<K>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    Feed::new(hub, topics).into_route()
}

impl Feed {
    /// The feed as a route of axum, for every method.
    ///
    /// ```
    /// use axum::Router;
    /// use sse_axum::{Feed, Hub, Replay};
    ///
    /// let hub = Hub::new();
    /// let news = Feed::new(&hub, ["news"]).replay(Replay::Last(50));
    /// let app: Router = Router::new().route("/news", news.into_route());
    /// # let _ = app;
    /// ```
    pub fn into_route<S>(self) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        any(move |parts: Parts| ready(self.answer(&parts)))
    }

    fn answer(&self, parts: &Parts) -> Result<Subscription, Error> {
        let policy: Option<&Policy> = self.0.own_policy().or_else(|| parts.extensions.get());
        Ok(self.subscribe(Sse::check(policy, None, &parts.into())?))
    }
}
