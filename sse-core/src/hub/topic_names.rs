//! The types that [`Sse::subscribe`](crate::Sse::subscribe) accepts as names of topics.

/// The topics of a subscription: the name of one topic, or names of many.
///
/// A name is `&str`, `String`, `&String` or anything else that is `AsRef<str>`. Many names are an array, a slice, a `Vec` or an
/// iterator. To mix `&str` and `String` in an array, borrow the `String`.
///
/// ```
/// use sse_core::Hub;
/// use sse_core::testing::Clock;
///
/// let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// let user = format!("user/{}", 7);
/// let one = clock.sse().subscribe(&hub, "news");
/// let own = clock.sse().subscribe(&hub, &user);
/// let many = clock.sse().subscribe(&hub, ["news", &user]);
/// assert_eq!(hub.stats().topics, 2);
/// # drop((one, own, many));
/// ```
///
/// The parameter `Kind` only separates one name from many. Rust infers it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither the name of a topic nor a list of names",
    label = "not a topic name",
    note = "pass one name, as `\"news\"` or `format!(\"user/{{id}}\")`, or an array, a slice, a `Vec` or an iterator of names"
)]
pub trait IntoTopics<Kind> {
    #[doc(hidden)]
    fn into_topics(self) -> impl Iterator<Item: AsRef<str>>;
}

/// One name, for [`IntoTopics`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum One {}

/// Many names, for [`IntoTopics`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Many {}

impl<T: AsRef<str>> IntoTopics<One> for T {
    fn into_topics(self) -> impl Iterator<Item: AsRef<str>> {
        std::iter::once(self)
    }
}

impl<T: IntoIterator<Item: AsRef<str>>> IntoTopics<Many> for T {
    fn into_topics(self) -> impl Iterator<Item: AsRef<str>> {
        self.into_iter()
    }
}
