//! The configuration in docs/proxies.md, with a real nginx.

use crate::{BACK, LIVE, SOON, answers, start, start_at};
use sse_test_support::http::Reader;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use sse_test_support::{Result, eventually, need};
use std::net::TcpListener;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-monitor");
const DOCUMENT: &str = include_str!("../../../docs/proxies.md");

/// An nginx on the loopback, killed when this is dropped.
struct Nginx {
    url: String,
    _process: Child,
    _directory: TempDir,
}

impl Nginx {
    /// Before a server at this address, as the document says.
    async fn before(server: &Server) -> Result<Self> {
        need("nginx")?;
        let after = DOCUMENT.split("```nginx\n").nth(1).ok_or("no configuration")?;
        let site = after.split("```").next().unwrap_or_default();
        assert!(site.contains("127.0.0.1:3000") && site.contains("listen 80;"));
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let site = site.replace("127.0.0.1:3000", server.address());
        let site = site.replace("listen 80;", &format!("listen {address};"));

        let directory = tempfile::tempdir()?;
        let at = directory.path().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = temporary.iter().map(|name| format!("{name}_temp_path {at}/{name};\n")).collect();
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
            events {{}}\nhttp {{ access_log off; gzip on; {temporary} {site} }}\n"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, configuration)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-e").arg(directory.path().join("error.log"));
        let process = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        let url = format!("http://{address}");
        eventually("nginx answers", SOON, async || Ok(reqwest::get(&url).await.is_ok())).await?;
        Ok(Self { url, _process: process, _directory: directory })
    }
}

pub(crate) fn add(trials: &mut Trials) {
    trials.add("nginx::passes_events_on_at_once_and_tells_who_left", async || {
        let server = start(PROGRAM, &[]).await?;
        let nginx = Nginx::before(&server).await?;
        let mut reader = Reader::open(format!("{}/events", nginx.url)).await?;
        while reader.data_of("sample").count() < 3 {
            reader.next(SOON).await?;
        }
        answers(format!("{}/metrics", nginx.url), "\nsse_streams 1\n").await?;
        drop(reader);
        answers(format!("{}/metrics", nginx.url), "\nsse_ended_total{reason=\"gone\"} 1\n").await
    });

    trials.add("nginx::says_later_while_no_server_is_up", async || {
        let server = start(PROGRAM, &[]).await?;
        let address = server.address().to_owned();
        let nginx = Nginx::before(&server).await?;
        let mut reader = Reader::open(format!("{}/events", nginx.url)).await?;
        reader.next(SOON).await?;
        server.terminate().await?;
        reader.to_end(SOON).await?;
        assert_eq!(reader.text().matches("retry: ").count(), 2, "{:?}", reader.text());

        let mut later = Reader::open(format!("{}/events", nginx.url)).await?;
        later.to_end(SOON).await?;
        assert_eq!(later.text(), "retry: 2000\n\n");
        assert_eq!(reqwest::get(format!("{}/metrics", nginx.url)).await?.status(), 502);
        let _server = start_at(PROGRAM, &address, &[]).await?;
        let back = async || Ok(Reader::open(format!("{}/events", nginx.url)).await?.next(SOON).await.is_ok());
        eventually("nginx finds the server again", SOON, back).await
    });

    trials.add_in_chromium("nginx::page_comes_back_after_a_deploy", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let address = server.address().to_owned();
        let nginx = Nginx::before(&server).await?;
        let page = browser.open(&nginx.url).await?;
        page.wait(LIVE, SOON).await?;
        server.terminate().await?;
        page.wait("document.body.dataset.state === 'reconnecting'", SOON).await?;
        // Long enough to have been told "later" once.
        tokio::time::sleep(std::time::Duration::from_secs(6)).await;
        let _server = start_at(PROGRAM, &address, &[]).await?;
        page.run("window.before = samples.length").await?;
        page.wait("document.body.dataset.state === 'live' && samples.length > before", BACK).await?;
        page.close().await
    });
}
