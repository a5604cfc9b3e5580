//! The inputs: standard input and a file. One framework is enough for these tests.

use crate::{News, SOON};
use sse_test_support::http::Reader;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use sse_test_support::{Result, need};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use tokio::process::Command;

const NEWS: News = News { framework: "axum" };

pub(crate) fn add(trials: &mut Trials) {
    trials.add("input::each_line_of_standard_input_is_a_headline", async || {
        let mut server = NEWS.start().await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        server.write("first\r\n\n<i>sec").await?;
        server.write("ond</i>\n").await?;
        reader.until_field("headline", "text", "<i>second</i>", SOON).await?;
        assert!(reader.field_of("headline", "text") == ["first", "<i>second</i>"]);
        Ok(())
    });

    trials.add("input::invalid_utf8_and_endless_lines_are_handled", async || {
        let mut server = NEWS.start().await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        server.write(b"caf\xe9 \0 \xff\n").await?;
        reader.until_field("headline", "text", "caf\u{fffd} \0 \u{fffd}", SOON).await?;
        for _ in 0..64 {
            server.write(vec![b'x'; 256 * 1024]).await?;
        }
        server.write("\nafter it\n").await?;
        reader.until_field("headline", "text", "after it", SOON).await?;
        let long = format!("{}…", "x".repeat(2_000));
        assert!(reader.field_of("headline", "text").contains(&long));
        Ok(())
    });

    trials.add("input::followed_file_starts_with_its_last_ten_lines", async || {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("log");
        let lines: String = (1..=30).map(|n| format!("line {n}.\n")).collect();
        fs::write(&file, lines)?;
        let (_server, mut reader) = follow(&file).await?;
        append(&file, "line 31.\n")?;
        reader.until_field("headline", "text", "line 21.", SOON).await?;
        reader.until_field("headline", "text", "line 31.", SOON).await?;
        assert!(!reader.text().contains("line 20."), "{}", reader.text());
        Ok(())
    });

    trials.add("input::followed_file_may_grow_be_truncated_and_be_rotated", async || {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("log");
        File::create(&file)?;
        let (_server, mut reader) = follow(&file).await?;

        append(&file, "one\ntw")?;
        reader.until_field("headline", "text", "one", SOON).await?;
        append(&file, "o\n")?;
        reader.until_field("headline", "text", "two", SOON).await?;

        // Truncated in place, to less than the old position.
        fs::write(&file, "three\n")?;
        reader.until_field("headline", "text", "three", SOON).await?;

        // Rotated: later lines of the old file are read, and the new file from its start.
        let old = dir.path().join("log.1");
        fs::rename(&file, &old)?;
        append(&old, "four, late\n")?;
        fs::write(&file, "five\n")?;
        reader.until_field("headline", "text", "five", SOON).await?;

        // The file is missing for a while.
        fs::remove_file(&file)?;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        fs::write(&file, "six\n")?;
        reader.until_field("headline", "text", "six", SOON).await?;
        let expected = ["one", "two", "three", "four, late", "five", "six"];
        assert!(reader.field_of("headline", "text") == expected, "{}", reader.text());
        Ok(())
    });

    trials.add("input::headlines_stay_stored_after_many_visits", async || {
        let mut server = NEWS.start().await?;
        server.write("still here\n").await?;
        let url = format!("{}/events", server.url());
        let mut watching = Reader::open(&url).await?;
        watching.until_field("headline", "text", "still here", SOON).await?;
        // More counts than the number of headlines that a new page receives.
        while watching.data_of("readers").count() < 60 {
            let mut visitor = Reader::open(&url).await?;
            let before = watching.data_of("readers").count();
            while watching.data_of("readers").count() == before {
                watching.next(SOON).await?;
            }
            visitor.next(SOON).await?;
        }
        let mut new = Reader::open(&url).await?;
        new.until_field("headline", "text", "still here", SOON).await?;
        assert!(new.data_of("readers").count() <= 2, "{}", new.text());
        Ok(())
    });

    trials.add("http2::news_serves_page_and_stream_over_http2_with_a_self_signed_certificate", async || {
        need("curl")?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_example-news"));
        command.args(["--listen", "127.0.0.1:0", "--http2"]);
        let server = Server::start(command).await?;
        assert!(server.url().starts_with("https://127.0.0.1:"), "{}", server.url());
        // `--insecure`, because no authority has signed the certificate.
        let curl = async |arguments: &[&str]| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--insecure", "--http2", "--no-buffer"]).args(arguments).kill_on_drop(true);
            Result::<String>::Ok(String::from_utf8(curl.output().await?.stdout)?)
        };
        assert_eq!(curl(&["--output", "/dev/null", "--write-out", "%{http_version}", server.url()]).await?, "2");
        let events = format!("{}/events", server.url());
        let stream = curl(&["--max-time", "2", "--include", "--header", "accept: text/event-stream", &events]).await?;
        assert!(stream.starts_with("HTTP/2 200") && stream.contains("event: now\n"), "{stream}");
        Ok(())
    });

    trials.add("input::followed_file_may_appear_later", async || {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("later");
        let (_server, mut reader) = follow(&file).await?;
        fs::create_dir(&file)?;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        fs::remove_dir(&file)?;
        fs::write(&file, "here I am\n")?;
        reader.until_field("headline", "text", "here I am", SOON).await
    });
}

async fn follow(file: &Path) -> Result<(Server, Reader)> {
    let file = file.to_str().ok_or("a temporary directory that is no text")?;
    let server = NEWS.start_with(["--listen", "127.0.0.1:0", "--follow", file]).await?;
    let mut reader = Reader::open(format!("{}/events", server.url())).await?;
    // The program reads the file every 200 ms, and counts its readers every 250 ms.
    while reader.data_of("readers").count() < 2 {
        reader.next(SOON).await?;
    }
    Ok((server, reader))
}

fn append(file: &Path, text: &str) -> Result {
    Ok(OpenOptions::new().append(true).open(file)?.write_all(text.as_bytes())?)
}
