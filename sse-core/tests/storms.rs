//! Crowds of clients that reconnect by themselves, by WHATWG HTML 9.2.3, under a simulated clock.

#[path = "storms/client.rs"]
mod client;

use client::{Client, Dice, Site};
use sse_core::hub::HubBuilder;
use sse_core::testing::Clock;
use sse_core::{CloseReason, Event, Hub};
use sse_test_support::reader::Habits;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

fn site(clock: &Clock, bounds: impl FnOnce(HubBuilder) -> HubBuilder) -> Site {
    Site::new(clock, bounds(Hub::builder()).build_on(clock.clone()))
}

/// The client with this number. The clients behave like each browser in turn.
fn in_turns(number: usize) -> Client {
    Client::new(Habits::BROWSERS[number % Habits::BROWSERS.len()])
}

/// Moves the clock and every client by one tick.
fn tick<'c>(clock: &Clock, site: &Site, clients: impl IntoIterator<Item = &'c mut Client>) {
    clock.advance(TICK);
    clients.into_iter().for_each(|client| client.live(site));
}

/// Hazards D4 and H5.
#[test]
fn ten_thousand_clients_move_to_another_server_without_a_storm() {
    const CLIENTS: usize = 10_000;
    let clock = Clock::new();
    let (old, new) = (site(&clock, |bounds| bounds), site(&clock, |bounds| bounds));
    let mut clients: Vec<Client> = (0..CLIENTS).map(in_turns).collect();
    tick(&clock, &old, &mut clients);
    assert_eq!(old.hub.stats().streams, CLIENTS);

    drop(old.hub.drain(30 * SECOND));
    let mut arrivals = Vec::new();
    for _ in 0..36 {
        let before: usize = clients.iter().map(|client| client.asked).sum();
        // Open streams stay on the old server. New requests go to the new server.
        clock.advance(SECOND);
        clients.iter_mut().for_each(|client| client.live(&new));
        arrivals.push(clients.iter().map(|client| client.asked).sum::<usize>() - before);
    }
    assert_eq!((old.hub.stats().streams, new.hub.stats().streams), (0, CLIENTS));
    // The mean over the window is 333.
    assert!(arrivals.iter().all(|&arrived| arrived <= 500), "a second of a storm: {arrivals:?}");
    assert!(clients.iter().all(|client| client.asked == 2), "each came back once");
    let waits = |client: &Client| (2 * SECOND..=4 * SECOND).contains(&client.retry);
    assert!(clients.iter().all(waits), "the drain's retry does not stick");
    assert!(clients.iter().all(|client| client.gaps() == 1), "and each hears that the new one does not know its id");
}

/// Hazard H2.
#[test]
fn a_client_answered_retry_later_is_served_when_there_is_room() {
    let clock = Clock::new();
    let site = site(&clock, |bounds| bounds.max_streams(10));
    let mut clients: Vec<Client> = (0..20).map(in_turns).collect();
    (0..600).for_each(|_| tick(&clock, &site, &mut clients));
    assert!(clients.iter().all(|client| !client.is_dead()), "nobody was told to go for good");
    assert_eq!(clients.iter().filter(|client| client.is_open()).count(), 10);

    clients.retain(|client| !client.is_open());
    (0..60).for_each(|_| tick(&clock, &site, &mut clients));
    assert!(clients.iter().all(Client::is_open));
    site.hub.publish("news", "x").unwrap();
    tick(&clock, &site, &mut clients);
    assert!(clients.iter().all(|client| client.data() == ["x"]));
}

/// Hazard H3.
#[test]
fn a_client_whose_stream_finished_reconnects_once_and_then_stops() {
    for habits in Habits::BROWSERS {
        let clock = Clock::new();
        let site = site(&clock, |bounds| bounds);
        let mut client = Client::new(habits);
        tick(&clock, &site, [&mut client]);
        let handle = client.sender().expect("it is open");
        site.hub.publish("news", "the last").unwrap();
        tick(&clock, &site, [&mut client]);
        assert!(handle.finish());
        (0..1_000).for_each(|_| tick(&clock, &site, [&mut client]));
        assert!(client.is_dead(), "{habits:?}");
        assert_eq!((client.asked, client.data()), (2, vec!["the last"]), "{habits:?}");
    }
}

/// Hazards B6 and G7.
#[test]
fn open_clients_miss_nothing_while_a_hundred_thousand_connect_and_leave() {
    let clock = Clock::new();
    let site = site(&clock, |bounds| bounds);
    let mut dice = Dice::new(7);
    let mut stay: Vec<Client> = (0..100).map(in_turns).collect();
    tick(&clock, &site, &mut stay);
    // 2,000 in each second. Some are never read, and some leave after half of their bytes.
    for n in 0..500 {
        let mut others: Vec<Client> = (0..200).map(in_turns).collect();
        for other in &mut others {
            match dice.below(3) {
                0 => other.ask(&site),
                1 => other.live(&site),
                _ => {
                    other.live(&site);
                    other.cut();
                    other.ask(&site);
                }
            }
        }
        site.hub.publish("news", n.to_string()).unwrap();
        assert_eq!(site.hub.stats().streams, 300);
        drop(others);
        tick(&clock, &site, &mut stay);
    }
    let all: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    assert!(stay.iter().all(|client| client.data() == all && client.asked == 1));
    let stats = site.hub.stats();
    assert_eq!((stats.streams, stats.topics, stats.ended(CloseReason::ClientLeft) >= 100_000), (100, 1, true));
    drop(stay);
    assert_eq!(site.hub.stats().streams, 0);
}

/// Hazards G1 and G2.
#[test]
fn a_thousand_clients_that_lag_receive_a_gap_for_every_missing_event() {
    for seed in 0..1_000 {
        let mut dice = Dice::new(seed);
        let clock = Clock::new();
        let gap = seed % 2 == 1;
        let site =
            site(&clock, |bounds| if gap { bounds.topic_events(8).gap_on_lag() } else { bounds.topic_events(8) });
        let mut client = in_turns(seed as usize / 2);
        client.live(&site);
        let mut published = 0;
        for _ in 0..30 {
            for _ in 0..dice.below(14) {
                site.hub.publish("news", Event::data(published.to_string())).unwrap();
                published += 1;
            }
            match dice.below(3) {
                0 => client.cut(),
                1 => (0..40).for_each(|_| tick(&clock, &site, [&mut client])),
                _ => client.live(&site),
            }
        }
        (0..100).for_each(|_| tick(&clock, &site, [&mut client]));
        client.assert_each_hole_is_told(published);
    }
}

/// Hazard G6.
#[test]
fn a_source_that_panics_ends_its_own_stream_and_no_other() {
    let clock = Clock::new();
    let site = site(&clock, |bounds| bounds);
    let mut others: Vec<Client> = (0..99).map(in_turns).collect();
    tick(&clock, &site, &mut others);
    for n in 0..1_000 {
        if n == 500 {
            let source = futures_util::stream::poll_fn(|_| -> Poll<Option<String>> { panic!("in user code") });
            let mut body = Box::pin(clock.sse().attach(&site.hub).stream(source).into_body());
            let mut cx = Context::from_waker(Waker::noop());
            let poll = std::panic::AssertUnwindSafe(|| {
                while futures_util::Stream::poll_next(body.as_mut(), &mut cx).is_ready() {}
            });
            assert!(std::panic::catch_unwind(poll).is_err());
            drop(body);

            struct Rude;
            impl sse_core::IntoFrame for Rude {
                fn into_frame(self) -> Result<sse_core::Frame, sse_core::FrameError> {
                    panic!("in user code too")
                }
            }
            let publish = std::panic::AssertUnwindSafe(|| site.hub.publish("news", Rude));
            assert!(std::panic::catch_unwind(publish).is_err());
        }
        site.hub.publish("news", n.to_string()).unwrap();
        tick(&clock, &site, &mut others);
    }
    assert!(others.iter().all(|client| client.data().len() == 1_000 && client.asked == 1));
    assert_eq!(site.hub.stats().streams, 99);
}
