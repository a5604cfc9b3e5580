//! Encoding: from fields in hand to bytes in a buffer, with the event built inside the loop.

use crate::measure::Case;
use crate::shapes::{self, Shape};
use crate::still::Still;
use axum::response::IntoResponse;
use bytes::BytesMut;
use futures_util::stream;
use russe::Message;
use serde::Serialize;
use sse_core::{Event, Events, IntoFrame};
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The bytes that are written before the buffer is emptied.
const BUFFER: usize = 64 * 1024;

pub fn cases() -> Vec<Case> {
    shapes::all().into_iter().flat_map(|shape| of(Rc::new(shape))).chain(typed()).collect()
}

#[derive(Clone, Serialize)]
struct Article {
    id: u32,
    text: String,
}

#[derive(Events)]
enum Feed {
    Article(Article),
}

/// A payload in hand, sent by hand and as a variant of an enum.
fn typed() -> [Case; 2] {
    const EVENTS: usize = 256;
    let article = Article { id: 48213, text: "The quick brown fox jumps over the lazy dog. ".repeat(3) };
    let feed = Feed::Article(article.clone());
    fn case<T: IntoFrame>(contender: &'static str, mut event: impl FnMut() -> T + 'static) -> Case {
        let (sender, response) = Still::new().sse().buffer(2 * BUFFER).channel();
        let mut body = Box::pin(response.into_body());
        Case::new("encode: a payload of two fields, with a type", contender, EVENTS, move || {
            for _ in 0..EVENTS {
                sender.try_send(event()).expect("room");
            }
            black_box(next(body.as_mut()));
        })
    }
    [
        case("ours, `Event::json(&payload).event(type)`", move || Event::json(black_box(&article)).event("article")),
        case("ours, a variant of an enum", move || black_box(&feed).to_event()).not_peer(),
    ]
}

fn of(shape: Rc<Shape>) -> Vec<Case> {
    // Writes as many events as the buffer of a stream holds, then reads all of them.
    let events = (BUFFER / (shape.data.len() + 512)).max(1);
    let case = |contender, run: Box<dyn FnMut(&Shape)>| {
        let (shape, mut run) = (shape.clone(), run);
        Case::new(&task(&shape), contender, events, move || run(black_box(&shape)))
    };
    vec![
        case("ours, `Sender::try_send`", sender(events)).not_peer(),
        stream_of_events(shape.clone()).not_peer(),
        case("ours, a `Frame` each", each(events, |shape| shapes::event(shape).frame().expect("a frame"))).not_peer(),
        case("axum 0.8, `Sse` body", axum_body(shape.clone(), events)),
        case("warp 0.4, `Event::to_string`", each(events, warp_event)),
        case("russe 0.3, into a `BytesMut`", russe_buffer(events)),
        case("russe 0.3, `into_bytestring`", each(events, |shape| russe_event(shape).into_bytestring().expect("text"))),
        case("sse-stream 0.3, `SseBody`", sse_stream_body(shape.clone(), events)),
        case("one memcpy", memcpy(events)).not_peer(),
    ]
}

fn each<T>(events: usize, mut encode: impl FnMut(&Shape) -> T + 'static) -> Box<dyn FnMut(&Shape)> {
    Box::new(move |shape| {
        for _ in 0..events {
            black_box(encode(black_box(shape)));
        }
    })
}

fn sender(events: usize) -> Box<dyn FnMut(&Shape)> {
    let (sender, response) = Still::new().sse().buffer(2 * BUFFER).channel();
    let mut body = Box::pin(response.into_body());
    Box::new(move |shape| {
        for _ in 0..events {
            sender.try_send(shapes::event(black_box(shape))).expect("room");
        }
        black_box(next(body.as_mut()));
    })
}

/// Each poll of the body fills one chunk.
fn stream_of_events(shape: Rc<Shape>) -> Case {
    let block = shapes::event(&shape).frame().expect("a frame").as_bytes().len();
    let (task, events) = (task(&shape), (BUFFER / block).max(1));
    let shape: &'static Shape = Box::leak(Box::new(shape));
    let items = stream::repeat_with(move || shapes::event(black_box(shape)));
    let mut body = Box::pin(Still::new().sse().stream(items).into_body());
    next(body.as_mut());
    Case::new(&task, "ours, `Sse::stream`", events, move || {
        black_box(next(body.as_mut()));
    })
}

fn task(shape: &Shape) -> String {
    format!("encode: {}", shape.name)
}

fn next<T>(body: Pin<&mut (impl futures_core::Stream<Item = T> + ?Sized)>) -> Option<T> {
    match body.poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(chunk) => chunk,
        Poll::Pending => None,
    }
}

fn next_frame<B: axum::body::HttpBody>(body: Pin<&mut B>) {
    if let Poll::Ready(frame) = body.poll_frame(&mut Context::from_waker(Waker::noop())) {
        black_box(frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok()));
    }
}

fn axum_event(shape: &Shape) -> axum::response::sse::Event {
    let mut event = axum::response::sse::Event::default();
    if let Some(id) = &shape.id {
        event = event.id(id);
    }
    if let Some(event_type) = &shape.event {
        event = event.event(event_type);
    }
    event.data(&shape.data)
}

fn axum_body(shape: Rc<Shape>, events: usize) -> Box<dyn FnMut(&Shape)> {
    // A response's body must be `Send`, and so must its events.
    let fields = (shape.id.clone(), shape.event.clone(), shape.data.clone());
    let shape = Shape { name: shape.name, id: fields.0, event: fields.1, data: fields.2 };
    let items = stream::repeat_with(move || Ok::<_, Infallible>(axum_event(black_box(&shape))));
    let mut body = axum::response::Sse::new(items).into_response().into_body();
    Box::new(move |_| (0..events).for_each(|_| next_frame(Pin::new(&mut body))))
}

fn warp_event(shape: &Shape) -> String {
    let mut event = warp::sse::Event::default();
    if let Some(id) = &shape.id {
        event = event.id(id.as_str());
    }
    if let Some(event_type) = &shape.event {
        event = event.event(event_type.as_str());
    }
    event.data(shape.data.as_str()).to_string()
}

fn russe_event(shape: &Shape) -> russe::Event {
    russe::Event::Message(Message {
        data: shape.data.as_str().into(),
        event: shape.event.as_deref().map(Into::into),
        retry: None,
        id: shape.id.as_deref().map(Into::into),
    })
}

fn russe_buffer(events: usize) -> Box<dyn FnMut(&Shape)> {
    use tokio_util::codec::Encoder;
    let mut buffer = BytesMut::with_capacity(2 * BUFFER);
    Box::new(move |shape| {
        buffer.clear();
        for _ in 0..events {
            russe::Encoder::default().encode(russe_event(black_box(shape)), &mut buffer).expect("an event");
        }
        black_box(&buffer);
    })
}

fn sse_stream_body(shape: Rc<Shape>, events: usize) -> Box<dyn FnMut(&Shape)> {
    let items = stream::repeat_with(move || {
        let shape = black_box(&shape);
        let mut event = sse_stream::Sse::default().data(shape.data.as_str());
        event.id = shape.id.clone();
        event.event = shape.event.clone();
        Ok::<_, Infallible>(event)
    });
    let mut body = Box::pin(sse_stream::SseBody::<_, sse_stream::NeverTimer>::new(items));
    Box::new(move |_| (0..events).for_each(|_| next_frame(body.as_mut())))
}

fn memcpy(events: usize) -> Box<dyn FnMut(&Shape)> {
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * BUFFER);
    Box::new(move |shape| {
        buffer.clear();
        for _ in 0..events {
            buffer.extend_from_slice(black_box(shape).data.as_bytes());
        }
        black_box(&buffer);
    })
}

/// The event of each shape must match the description in the tables.
#[test]
fn all_contenders_write_the_same_data() {
    let shape = &shapes::all()[0];
    let ours = shapes::event(shape).frame().expect("a frame");
    let theirs = russe_event(shape).into_bytestring().expect("text");
    assert_eq!(ours.as_bytes(), theirs.as_bytes());
}
