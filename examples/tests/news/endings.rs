//! The end of the server.

use crate::{News, SOON, post};
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

pub(crate) fn add(trials: &mut Trials, news: News) {
    let name = |what: &str| format!("{}::endings::{what}", news.framework);

    trials.add(name("end_of_input_does_not_end_the_server"), async move || {
        let mut server = news.start().await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        server.write("last words").await?;
        server.end_input();
        reader.until_field("headline", "text", "last words", SOON).await?;
        post(&server, "still here").await?;
        reader.until_field("headline", "text", "still here", SOON).await?;
        assert!(server.is_running()?);
        Ok(())
    });

    #[cfg(unix)]
    trials.add(name("sigterm_ends_the_server_within_a_second_with_clients_connected"), async move || {
        let server = news.start().await?;
        let mut readers = Vec::new();
        for _ in 0..8 {
            readers.push(Reader::open(format!("{}/events", server.url())).await?);
        }
        let idle = reqwest::Client::new();
        idle.get(server.url()).send().await?.text().await?;

        let (status, took) = server.terminate().await?;
        assert!(status.success(), "{status}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        for mut reader in readers {
            // The stream has a normal end, with a second `retry`.
            reader.to_end(SOON).await?;
            assert_eq!(reader.text().matches("retry: ").count(), 2, "{:?}", reader.text());
        }
        drop(idle);
        Ok(())
    });

    #[cfg(unix)]
    trials.add(name("client_that_reads_nothing_does_not_delay_the_end"), async move || {
        let mut server = news.start().await?;
        // A small buffer, so that few bytes fill everything between the server and this client.
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        let mut stalled = socket.connect(server.address().parse()?).await?;
        stalled.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n").await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        reader.until("readers", "2", SOON).await?;
        // More bytes than all buffers hold, in portions that a reading client can follow.
        let line = format!("{}\n", "x".repeat(1_900));
        for round in 0..80 {
            server.write(line.repeat(25)).await?;
            server.write(format!("round {round}\n")).await?;
            reader.until_field("headline", "text", &format!("round {round}"), SOON).await?;
        }
        let (status, took) = server.terminate().await?;
        assert!(status.success(), "{status}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        drop(stalled);
        Ok(())
    });
}
