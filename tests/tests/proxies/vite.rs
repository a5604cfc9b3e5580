//! Vite's development server, from npm: `npm install vite`, then `PATH=$PWD/node_modules/.bin:$PATH`.

use crate::proxy::{Kind, Site, adapt, block};
use sse_test_support::Result;
use tokio::process::Command;

pub(crate) const KIND: Kind = Kind {
    name: "vite",
    program: "vite",
    optional: Some("npm install vite, and node_modules/.bin in PATH"),
    configure,
    http2: false,
    own_page: Some("/"),
    notices_at_once: true,
};

fn configure(site: &Site) -> Result<Command> {
    let configuration = adapt(block("js")?, &[("127.0.0.1:3000", &site.app.to_string())])?;
    site.write("vite.config.mjs", configuration)?;
    site.write("index.html", "<!doctype html><title>A page of Vite's own</title>")?;
    let mut command = Command::new("vite");
    command.args(["--strictPort", "--host", "127.0.0.1", "--port", &site.http.port().to_string()]);
    command.current_dir(site.path());
    Ok(command)
}
