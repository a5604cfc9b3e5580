use clients::{serve, tell};
use futures_util::StreamExt;
use reqwest_eventsource::{Event, EventSource, ReadyState};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    serve(async |url| {
        let mut source = EventSource::get(url);
        while let Some(event) = source.next().await {
            match event {
                Ok(Event::Open) => {}
                Ok(Event::Message(event)) => {
                    if tell(&event.event, &event.data, &event.id) {
                        source.close();
                    }
                }
                // It goes on by itself, but for an answer that is no stream.
                Err(_) if source.ready_state() == ReadyState::Closed => return,
                Err(_) => {}
            }
        }
    })
    .await;
}
