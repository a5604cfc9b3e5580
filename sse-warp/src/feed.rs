//! A feed as a filter.

use crate::{Sse, Subscription, sse};
use sse_core::Hub;
use sse_core::hub::IntoTopics;
use std::convert::Infallible;
use warp::Filter;
use warp::filters::BoxedFilter;

sse_core::adapter_feed!(
    "use sse_warp::*;",
    "let route = warp::Filter::and(warp::path!(\"news\"), news.into_filter());"
);

/// Subscribes every client of a route to these topics. [`Feed`] is the same with options.
///
/// The filter takes every method: HEAD is answered with the head of the stream, and methods other than GET with 405.
///
/// ```
/// use sse_warp::Hub;
/// use warp::Filter;
///
/// let hub = Hub::new();
/// let news = warp::path!("news").and(sse_warp::feed(&hub, ["news"]));
/// # let _ = warp::serve(news);
/// ```
pub fn feed<K>(hub: &Hub, topics: impl IntoTopics<K>) -> BoxedFilter<(Subscription,)> {
    // Boxed, because an `impl Filter` would borrow the hub and the names.
    Feed::new(hub, topics).into_filter().boxed()
}

impl Feed {
    /// The feed as a filter of warp, for every method.
    ///
    /// ```
    /// use sse_warp::{Feed, Hub, Replay};
    /// use warp::Filter;
    ///
    /// let feed = Feed::new(&Hub::new(), ["news"]).replay(Replay::Last(50));
    /// let news = warp::path!("news").and(feed.into_filter());
    /// # let _ = warp::serve(news);
    /// ```
    pub fn into_filter(self) -> impl Filter<Extract = (Subscription,), Error = Infallible> + Clone {
        let policy = self.0.own_policy().cloned().unwrap_or_default();
        sse(policy).map(move |sse: Sse| self.subscribe(sse))
    }
}
