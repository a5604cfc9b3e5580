//! Posted headlines and their answers.

use crate::{News, SOON};
use reqwest::{Client, StatusCode, redirect};
use sse_test_support::Result;
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) fn add(trials: &mut Trials, news: News) {
    let name = |what: &str| format!("{}::posts::{what}", news.framework);

    trials.add(name("form_and_json_are_headlines"), async move || {
        let server = news.start().await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        let url = format!("{}/headlines", server.url());

        let form = Client::new().post(&url).form(&[("headline", "Bread & <b>Butter</b>")]).send().await?;
        assert_eq!(form.status(), StatusCode::NO_CONTENT);
        let json = serde_json::json!({"headline": " \u{2028}Ünïcode\ntwo lines "});
        let json = Client::new().post(&url).json(&json).send().await?;
        assert_eq!(json.status(), StatusCode::NO_CONTENT);

        reader.until_field("headline", "text", "Bread & <b>Butter</b>", SOON).await?;
        reader.until_field("headline", "text", "Ünïcode\ntwo lines", SOON).await
    });

    trials.add(name("body_in_chunks_is_a_headline"), async move || {
        let server = news.start().await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        assert_eq!(post_chunk(server.address(), b"headline=No+length").await?, "204");
        reader.until_field("headline", "text", "No length", SOON).await?;
        let huge = [b"headline=".as_slice(), &b"a".repeat(100_000)].concat();
        assert_eq!(post_chunk(server.address(), &huge).await?, "413");
        Ok(())
    });

    trials.add(name("browser_without_script_is_redirected_to_the_page"), async move || {
        let server = news.start().await?;
        let client = Client::builder().redirect(redirect::Policy::none()).build()?;
        let request = client.post(format!("{}/headlines", server.url())).header("accept", "text/html,*/*;q=0.8");
        let answer = request.form(&[("headline", "x")]).send().await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers().get("location").map(|value| value.as_bytes()), Some(&b"/"[..]));
        Ok(())
    });

    trials.add(name("invalid_headline_is_rejected_with_a_reason"), async move || {
        let server = news.start().await?;
        let form = "application/x-www-form-urlencoded";
        let long = format!("headline={}", "a".repeat(2_001));
        let huge = format!("headline={}", "a".repeat(100_000));
        let rows: [(&str, &[u8], u16, &str); 9] = [
            (form, b"headline=", 400, "needs some text"),
            (form, b"headline=%0A+", 400, "needs some text"),
            (form, b"title=x", 400, "no field `headline`"),
            (form, long.as_bytes(), 413, "2000 bytes"),
            (form, huge.as_bytes(), 413, ""),
            ("application/json", b"{\"headline\":1}", 400, "`headline`"),
            ("application/json; charset=utf-8", b"{\"headline\":\"", 400, "`headline`"),
            ("application/json", b"\xff\xfe", 400, "`headline`"),
            ("text/plain", b"headline=x", 415, "as a form or as JSON"),
        ];
        for (content_type, body, status, reason) in rows {
            let request =
                Client::new().post(format!("{}/headlines", server.url())).header("content-type", content_type);
            let answer = request.body(body.to_vec()).send().await?;
            let shown = String::from_utf8_lossy(body.get(..40).unwrap_or(body)).into_owned();
            assert_eq!(answer.status().as_u16(), status, "{content_type} {shown}");
            let text = answer.text().await?;
            assert!(text.contains(reason), "{shown}: {text}");
        }
        Ok(())
    });

    trials.add(name("page_loads_nothing_from_other_servers"), async move || {
        let server = news.start().await?;
        let page = reqwest::get(server.url()).await?;
        assert_eq!(
            page.headers().get("content-type").map(|value| value.as_bytes()),
            Some(&b"text/html; charset=utf-8"[..])
        );
        let page = page.text().await?;
        assert!(page.contains(r#"follow("/events""#));
        for elsewhere in ["<link rel=\"stylesheet\"", " src=", "url(", "@import", "https://", "innerHTML"] {
            assert!(!page.contains(elsewhere), "{elsewhere}");
        }
        Ok(())
    });
}

/// Posts a form as one chunk, without a length, and returns the status of the answer.
async fn post_chunk(address: &str, form: &[u8]) -> Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    let head = "POST /headlines HTTP/1.1\r\nhost: news\r\ntransfer-encoding: chunked\r\n\
        content-type: application/x-www-form-urlencoded\r\n\r\n";
    let request = [head.as_bytes(), format!("{:x}\r\n", form.len()).as_bytes(), form, b"\r\n0\r\n\r\n"].concat();
    let (mut read, mut write) = socket.split();
    let mut answer = [0; "HTTP/1.1 204".len()];
    // A server that rejects the body may close before the whole body is written.
    let (_, read) = tokio::join!(write.write_all(&request), read.read_exact(&mut answer));
    read?;
    Ok(String::from_utf8_lossy(answer.last_chunk::<3>().unwrap_or(b"???")).into_owned())
}
