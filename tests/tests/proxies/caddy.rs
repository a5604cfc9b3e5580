//! Caddy.

use crate::proxy::{Kind, Site, adapt, block};
use sse_test_support::Result;
use tokio::process::Command;

pub(crate) const KIND: Kind = Kind {
    name: "caddy",
    program: "caddy",
    optional: None,
    configure,
    http2: true,
    own_page: None,
    notices_at_once: true,
};

fn configure(site: &Site) -> Result<Command> {
    let [certificate, key, _] = site.certificate()?;
    let configuration = adapt(block("caddyfile")?, &[("127.0.0.1:3000", &site.app.to_string())])?;
    // The site once without TLS, and once with a certificate that Caddy does not have to fetch.
    let http = format!("http://:{} {{\n  bind {}", site.http.port(), site.http.ip());
    let http = adapt(&configuration.replace("/topics", "/events"), &[("example.com {", &http)])?;
    let https = format!("https://:{} {{\n  bind {}\n  tls {certificate} {key}", site.https.port(), site.https.ip());
    let https = adapt(&configuration.replace("/topics", "/events"), &[("example.com {", &https)])?;
    let options = "{\n  admin off\n  auto_https disable_redirects\n}\n";
    let file = site.write("Caddyfile", format!("{options}{http}{https}"))?;
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", &file]);
    command.env("XDG_DATA_HOME", site.path()).env("XDG_CONFIG_HOME", site.path()).env("HOME", site.path());
    Ok(command)
}
