//! A stream that one future writes.

use sse_core::testing::Clock;
use sse_core::{CloseReason, Event, FrameError, Hub, Policy, Request, SendError, Sender, Sse};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

const OPEN: &str = ":\nevent: sse-open\n\n";
const END: &str = "event: sse-end\nid: end\ndata: {}\n\n";

/// Sets its cell when dropped.
struct Dropped(Rc<Cell<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// The options of a GET, and a receiver of the stream's end.
fn reported(clock: &Clock) -> (Sse<Clock>, mpsc::Receiver<(CloseReason, Option<FrameError>)>) {
    let (ended, ends) = mpsc::channel();
    (clock.sse().on_end(move |reason, error| drop(ended.send((reason, error.cloned())))), ends)
}

#[test]
fn ok_sends_all_events_and_finishes_the_stream() {
    let clock = Clock::new();
    let (sse, ends) = reported(&clock);
    let mut reader = clock.read(sse.run(async move |events| {
        events.send("1").await?;
        events.try_send(("note", "2"))?;
        Ok(())
    }));
    assert_eq!(reader.text(), format!("{OPEN}data: 1\n\nevent: note\ndata: 2\n\n{END}"));
    assert!(reader.has_ended());
    assert_eq!(ends.recv().unwrap(), (CloseReason::Finished, None));
}

#[test]
fn over_post_ok_closes_the_stream() {
    let clock = Clock::new();
    let accepted = Policy::default().methods(["POST"]).check(&Request::new("POST", None, [])).unwrap();
    let sse = Sse::new(clock.clone(), accepted);
    let mut reader = clock.read(sse.run(async move |events| Ok(events.send("1").await?)));
    assert_eq!(reader.text(), ":\ndata: 1\n\n");
    assert!(reader.has_ended());
}

#[test]
fn nothing_runs_before_the_first_poll() {
    let clock = Clock::new();
    let started = Rc::new(Cell::new(0));
    let response = clock.sse().run(|events: Sender| {
        started.set(1);
        let started = &started;
        async move {
            started.set(2);
            Ok(events.try_send("x")?)
        }
    });
    assert_eq!(started.get(), 0);
    let mut reader = clock.read(response);
    assert_eq!(started.get(), 0);
    assert_eq!(reader.text(), format!("{OPEN}data: x\n\n{END}"));
    assert_eq!(started.get(), 2);
}

#[test]
fn send_waits_while_the_client_does_not_read() {
    let clock = Clock::new();
    let sent = Cell::new(0);
    let mut reader = clock.read(clock.sse().buffer(30).run(async |events| {
        for _ in 0..100 {
            events.send("0123456789").await?;
            sent.set(sent.get() + 1);
        }
        Ok(())
    }));
    // Each chunk has at most the bytes of the buffer, and the future is one chunk ahead.
    for chunks in 0..10 {
        assert!(matches!(reader.poll(), Poll::Ready(Some(chunk)) if chunk.len() <= 30));
        assert!(sent.get() <= 2 * chunks, "{} events in {chunks} chunks", sent.get());
    }
    let rest = reader.text();
    assert!(rest.ends_with(END) && sent.get() == 100);
}

#[test]
fn a_client_that_leaves_drops_the_future() {
    let clock = Clock::new();
    let (sse, ends) = reported(&clock);
    let dropped = Rc::new(Cell::new(false));
    let guard = Dropped(dropped.clone());
    let mut reader = clock.read(sse.run(async move |events| {
        let _guard = guard;
        events.send("1").await?;
        pending().await
    }));
    assert_eq!(reader.text(), format!("{OPEN}data: 1\n\n"));
    assert!(!dropped.get());
    drop(reader);
    assert!(dropped.get());
    assert_eq!(ends.recv().unwrap(), (CloseReason::ClientLeft, None));
}

#[test]
fn a_client_that_leaves_before_the_first_poll_drops_the_work() {
    let clock = Clock::new();
    let dropped = Rc::new(Cell::new(false));
    let guard = Dropped(dropped.clone());
    let response = clock.sse().run(async move |_| {
        let _guard = guard;
        Ok(())
    });
    drop(response);
    assert!(dropped.get());
}

#[test]
fn err_ends_the_stream_as_failed_and_the_client_receives_no_text() {
    let clock = Clock::new();
    let (sse, ends) = reported(&clock);
    let mut reader = clock.read(sse.run(async move |events| {
        events.send("1").await?;
        Err("MARKER: password=hunter2".into())
    }));
    let text = reader.text();
    let retry = text.strip_prefix(&format!("{OPEN}data: 1\n\nretry: ")).and_then(|rest| rest.strip_suffix("\n\n"));
    assert!(matches!(retry.unwrap().parse(), Ok(10_000..=30_000_u64)), "{text}");
    let (reason, error) = ends.recv().unwrap();
    assert_eq!((reason, error), (CloseReason::Failed, Some(FrameError::Source("MARKER: password=hunter2".into()))));
}

#[test]
fn an_event_that_cannot_be_sent_ends_the_stream_by_the_operator() {
    let clock = Clock::new();
    let (sse, ends) = reported(&clock);
    let mut reader = clock.read(sse.run(async move |events| {
        events.send(Event::data("x").id("a\nb")).await?;
        Ok(())
    }));
    assert!(reader.text().starts_with(&format!("{OPEN}retry: ")));
    assert_eq!(ends.recv().unwrap().0, CloseReason::Failed);
}

#[test]
fn a_panic_ends_the_stream_as_failed_and_stays_inside() {
    let clock = Clock::new();
    let (sse, ends) = reported(&clock);
    let dropped = Rc::new(Cell::new(false));
    let guard = Dropped(dropped.clone());
    let mut reader = clock.read(sse.run(async move |events| {
        let _guard = guard;
        events.send("1").await?;
        panic!("the answer of the model")
    }));
    assert!(reader.text().starts_with(&format!("{OPEN}data: 1\n\nretry: ")));
    assert!(reader.has_ended() && dropped.get());
    assert_eq!(ends.recv().unwrap(), (CloseReason::Failed, Some(FrameError::Panic("the answer of the model".into()))));
}

#[test]
fn a_panic_of_the_function_itself_stays_inside() {
    let clock = Clock::new();
    let mut reader = clock.read(clock.sse().run(|_| -> std::future::Ready<_> { panic!("{}", 1 + 1) }));
    assert!(reader.text().starts_with(&format!("{OPEN}retry: ")));
    assert!(reader.has_ended());
}

#[test]
fn the_future_wakes_its_stream() {
    let clock = Clock::new();
    let waker = RefCell::new(None);
    let go = Cell::new(false);
    let mut reader = clock.read(clock.sse().run(async |events| {
        poll_fn(|cx| {
            *waker.borrow_mut() = Some(cx.waker().clone());
            if go.get() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Ok(events.send("late").await?)
    }));
    assert_eq!(reader.text(), OPEN);
    let wakes = reader.wakes();
    go.set(true);
    waker.take().unwrap().wake();
    assert_eq!(reader.wakes(), wakes + 1);
    assert_eq!(reader.text(), format!("data: late\n\n{END}"));
}

#[test]
fn keep_alives_are_sent_while_the_future_waits() {
    let clock = Clock::new();
    let mut reader = clock.read(clock.sse().run(async move |_| pending().await));
    assert_eq!(reader.text(), OPEN);
    clock.advance(Duration::from_secs(15));
    assert_eq!(reader.text(), ":\n");
}

#[test]
fn a_drain_lets_the_future_send_its_last_events() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut reader = clock.read(clock.sse().attach(&hub).run(async move |events| {
        events.draining().await;
        events.send(("goodbye", "a new version starts")).await?;
        Ok(())
    }));
    assert_eq!(reader.text(), OPEN);
    let drain = hub.drain(Duration::from_secs(10));
    assert_eq!(reader.text(), format!("event: goodbye\ndata: a new version starts\n\n{END}"));
    assert!(reader.has_ended());
    drop(drain);
}

#[test]
fn a_response_that_opens_no_stream_drops_the_work_and_runs_nothing() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    drop(hub.drain(Duration::ZERO));
    let dropped = Rc::new(Cell::new(false));
    let guard = Dropped(dropped.clone());
    let response = clock.sse().attach(&hub).run(async move |_| {
        let _guard = guard;
        panic!("the work of a rejected request ran")
    });
    assert!(response.is_rejected() && dropped.get());
    assert!(clock.read(response).text().contains("sse-later"));
}

#[test]
fn a_stream_that_the_future_closed_itself_keeps_that_reason() {
    let clock = Clock::new();
    let (sse, ends) = reported(&clock);
    let mut reader = clock.read(sse.run(async move |events| {
        events.send("1").await?;
        events.close();
        assert_eq!(events.send("2").await, Err(SendError::Closed));
        events.send("3").await?;
        Ok(())
    }));
    assert_eq!(reader.text(), format!("{OPEN}data: 1\n\n"));
    assert_eq!(ends.recv().unwrap(), (CloseReason::Closed, None));
}
