//! Enums of events: the derive macros, both ways.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use sse_core::{DecodeEvents, Decoder, Event, Events, Field, FrameError, IntoFrame, MessageEvent, RESERVED_TYPES};
use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Article {
    title: String,
    tags: Vec<String>,
    views: Option<u64>,
    rank: i32,
}

#[derive(Debug, Clone, PartialEq, Events, DecodeEvents)]
enum Feed {
    ArticleAdded(Article),
    #[event("readers now")]
    Readers(u32),
    #[event("message")]
    Text(String),
    Pair((bool, char)),
    Cleared,
}

fn any_feed() -> impl Strategy<Value = Feed> {
    let text = || any::<String>();
    let article = (text(), proptest::collection::vec(text(), 0..4), any::<Option<u64>>(), any::<i32>())
        .prop_map(|(title, tags, views, rank)| Article { title, tags, views, rank });
    prop_oneof![
        article.prop_map(Feed::ArticleAdded),
        any::<u32>().prop_map(Feed::Readers),
        text().prop_map(Feed::Text),
        any::<(bool, char)>().prop_map(Feed::Pair),
        Just(Feed::Cleared),
    ]
}

fn decode(bytes: &[u8]) -> Vec<Feed> {
    let (mut decoder, mut input, mut out) = (Decoder::new(), bytes, Vec::new());
    while let Some(event) = decoder.decode(&mut input) {
        out.push(Feed::decode(&event.unwrap()).unwrap().expect("a variant"));
    }
    out
}

proptest! {
    #[test]
    fn decoded_event_equals_the_encoded_one(feed in proptest::collection::vec(any_feed(), 1..8)) {
        let bytes: Vec<u8> = feed.iter().flat_map(|event| event.into_frame().unwrap().as_bytes().to_vec()).collect();
        prop_assert_eq!(decode(&bytes), feed);
    }
}

#[test]
fn typed_event_has_the_bytes_of_event_json_with_the_type() {
    let article = Article { title: "<b>\n\"é\"".into(), tags: vec!["a".into()], views: None, rank: -1 };
    let by_hand = Event::json(&article).event("article_added");
    let feed = Feed::ArticleAdded(article.clone());
    assert_eq!(feed.to_event(), by_hand);
    assert_eq!((&feed).into_frame(), by_hand.frame());
    assert_eq!((&&feed).into_frame(), by_hand.frame());
    assert_eq!(feed.into_frame(), by_hand.frame());
    assert_eq!(Feed::Cleared.into_frame().unwrap(), "event: cleared\ndata: {}\n\n");
    assert_eq!(Feed::TYPES, ["article_added", "readers now", "message", "pair", "cleared"]);
    assert_eq!(<&Feed>::TYPES, Feed::TYPES);
}

#[test]
fn another_type_decodes_to_none_and_wrong_data_to_an_error_that_names_the_type() {
    let message = |event_type: &'static str, data: &'static str| MessageEvent {
        event_type: event_type.into(),
        data: data.into(),
        last_event_id: "".into(),
    };
    for event_type in RESERVED_TYPES.into_iter().chain(["gap", "Cleared", "readers"]) {
        assert_eq!(Feed::decode(&message(event_type, "{}")), Ok(None), "{event_type}");
    }
    let error = Feed::decode(&message("article_added", r#"{"title":"x"}"#)).unwrap_err();
    assert_eq!((error.event_type(), error.reason()), ("article_added", "missing field `tags` at line 1 column 13"));
    // A server that gives the event a payload later does not break a client that knows none.
    assert_eq!(Feed::decode(&message("cleared", r#"{"by":"ann"}"#)), Ok(Some(Feed::Cleared)));
}

#[test]
fn payload_that_cannot_be_serialised_is_a_frame_error() {
    #[derive(Events)]
    enum Broken {
        Map(std::collections::HashMap<Vec<u8>, u8>),
    }
    let error = Broken::Map([(vec![1], 1)].into()).into_frame().unwrap_err();
    assert!(matches!(error, FrameError::Json(_)) && error.field() == Some(Field::Data), "{error}");
}

#[test]
fn enum_may_be_generic_borrow_or_be_empty_and_may_name_its_crate() {
    mod renamed {
        pub(crate) use sse_core as events;
    }

    #[derive(Debug, PartialEq, Events, DecodeEvents)]
    #[events(crate = renamed::events, gap = "missed")]
    enum Borrowing<'a, T: Serialize + serde::de::DeserializeOwned>
    where
        Cow<'a, str>: serde::de::DeserializeOwned,
    {
        Gap(Cow<'a, str>),
        Item(T),
        r#Type,
    }
    let event = Borrowing::<u8>::Gap("x".into()).to_event();
    assert_eq!(event, Event::json("x").event("gap"));
    assert_eq!(Borrowing::<u8>::TYPES, ["gap", "item", "type"]);
    let message = MessageEvent { event_type: "item".into(), data: "7".into(), last_event_id: "".into() };
    assert_eq!(Borrowing::<u8>::decode(&message), Ok(Some(Borrowing::Item(7))));

    #[derive(Events, DecodeEvents)]
    enum Nothing {}
    assert!(Nothing::TYPES.is_empty());
    assert!(Nothing::decode(&message).unwrap().is_none());
}

/// The implementation for every enum of events leaves room for implementations of an application.
#[test]
fn types_of_an_application_may_still_implement_into_frame() {
    struct Price(u32);
    impl IntoFrame for Price {
        fn into_frame(self) -> Result<sse_core::Frame, FrameError> {
            (&self).into_frame()
        }
    }
    impl IntoFrame for &Price {
        fn into_frame(self) -> Result<sse_core::Frame, FrameError> {
            Event::data(self.0.to_string()).event("price").frame()
        }
    }
    struct Wrapped<T>(T);
    impl<T: IntoFrame> IntoFrame for Wrapped<T> {
        fn into_frame(self) -> Result<sse_core::Frame, FrameError> {
            self.0.into_frame()
        }
    }
    assert_eq!(Wrapped(Price(7)).into_frame().unwrap(), "event: price\ndata: 7\n\n");
    assert_eq!(Ok::<_, String>(Feed::Readers(1)).into_frame().unwrap(), "event: readers now\ndata: 1\n\n");
}
