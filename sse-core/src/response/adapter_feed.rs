//! The methods of the type `Feed` that all adapters share.

/// Adds the type `Feed` to an adapter. The first argument is the import of the examples, the second the line of an example
/// that adds the feed `news` to an application.
#[macro_export]
macro_rules! adapter_feed {
    ($import:literal, $route:literal) => {
        /// A route that subscribes every client to the same topics, with options. [`feed`] is a feed without options.
        ///
        /// ```
        #[doc = $import]
        /// let hub = Hub::new();
        /// let news = Feed::new(&hub, ["news"]).replay(Replay::Last(50)).policy(Policy::local());
        #[doc = $route]
        /// ```
        #[derive(Debug, Clone)]
        #[must_use = "a feed does nothing until the application has the route"]
        pub struct Feed($crate::hub::Feed);

        impl Feed {
            /// Creates a feed of these topics. A feed with too many topics (more than 256 by default), or with a name of more
            /// than 256 bytes, answers every request with 400.
            ///
            /// ```
            #[doc = $import]
            /// let news = Feed::new(&Hub::new(), ["news", "weather"]);
            #[doc = $route]
            /// ```
            pub fn new<K>(hub: &$crate::Hub, topics: impl $crate::hub::IntoTopics<K>) -> Self {
                Self($crate::hub::Feed::new(hub, topics))
            }

            /// Sends stored events to a new client: none by default. A client that resumes receives the missed events
            /// instead.
            ///
            /// ```
            #[doc = $import]
            /// let news = Feed::new(&Hub::new(), ["news"]).replay(Replay::All);
            #[doc = $route]
            /// ```
            pub fn replay(self, replay: $crate::Replay) -> Self {
                Self(self.0.replay(replay))
            }

            /// Sets the interval of keep-alives: 15 s by default. `None` and zero turn keep-alives off.
            ///
            /// ```
            #[doc = $import]
            /// let news = Feed::new(&Hub::new(), ["news"]).keep_alive(std::time::Duration::from_secs(30));
            #[doc = $route]
            /// ```
            pub fn keep_alive(self, interval: impl Into<Option<::std::time::Duration>>) -> Self {
                Self(self.0.keep_alive(interval))
            }

            /// Writes to each client at most once per window, see [`Sse::pace`]. No window by default.
            ///
            /// ```
            #[doc = $import]
            /// let news = Feed::new(&Hub::new(), ["news"]).pace(std::time::Duration::from_millis(40));
            #[doc = $route]
            /// ```
            pub fn pace(self, window: ::std::time::Duration) -> Self {
                Self(self.0.pace(window))
            }

            /// Sets the policy of the feed. Without this call the policy is that of the application's route, or the default.
            ///
            /// ```
            #[doc = $import]
            /// let news = Feed::new(&Hub::new(), ["news"]).policy(Policy::fetch());
            #[doc = $route]
            /// ```
            pub fn policy(self, policy: $crate::Policy) -> Self {
                Self(self.0.policy(policy))
            }

            /// Subscribes one client.
            fn subscribe(&self, sse: Sse) -> Subscription {
                Subscription(self.0.subscribe(sse.0))
            }
        }
    };
}
