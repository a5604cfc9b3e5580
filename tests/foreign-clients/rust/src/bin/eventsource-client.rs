use clients::{serve, tell};
use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
use futures_util::StreamExt;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    serve(async |url| {
        let reconnect = ReconnectOptions::reconnect(true).delay(Duration::from_millis(100)).build();
        let client = ClientBuilder::for_url(url).expect("a URL").reconnect(reconnect).build_http();
        let mut events = client.stream();
        while let Some(event) = events.next().await {
            // An error is told, and it goes on by itself.
            if let Ok(SSE::Event(event)) = event
                && tell(&event.event_type, &event.data, event.id.as_deref().unwrap_or_default())
            {
                return;
            }
        }
    })
    .await;
}
