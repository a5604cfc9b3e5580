//! The news example over HTTP and in browsers, on each framework, and over HTTP on `sse-serve`.

mod endings;
mod input;
mod page;
mod posts;

use sse_test_support::Result;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use std::process::ExitCode;
use std::time::Duration;
use tokio::process::Command;

/// The longest wait for a result that should be immediate. The machine may be busy.
const SOON: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
struct News {
    framework: &'static str,
}

impl News {
    async fn start(self) -> Result<Server> {
        self.start_with(["--listen", "127.0.0.1:0"]).await
    }

    async fn start_with<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Result<Server> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_example-news"));
        match self.framework {
            "serve" => command.arg("--serve"),
            framework => command.args(["--framework", framework]),
        };
        command.args(args);
        Server::start(command).await
    }
}

fn main() -> ExitCode {
    let mut trials = Trials::that_wait();
    input::add(&mut trials);
    for framework in ["axum", "actix", "warp"] {
        let news = News { framework };
        posts::add(&mut trials, news);
        endings::add(&mut trials, news);
        page::add(&mut trials, news);
    }
    let serve = News { framework: "serve" };
    posts::add(&mut trials, serve);
    endings::add(&mut trials, serve);
    trials.run()
}

/// Posts a headline as a form, without a browser.
async fn post(server: &Server, headline: &str) -> Result {
    let url = format!("{}/headlines", server.url());
    reqwest::Client::new().post(url).form(&[("headline", headline)]).send().await?.error_for_status()?;
    Ok(())
}
