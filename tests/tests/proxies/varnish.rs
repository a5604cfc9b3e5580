//! Varnish, which has no TLS.

use crate::proxy::{Kind, Site, adapt, block};
use sse_test_support::Result;
use tokio::process::Command;

pub(crate) const KIND: Kind = Kind {
    name: "varnish",
    program: "varnishd",
    optional: None,
    configure,
    http2: false,
    own_page: None,
    notices_at_once: false,
};

fn configure(site: &Site) -> Result<Command> {
    let [host, port] = [site.app.ip().to_string(), site.app.port().to_string()];
    let configuration = adapt(block("vcl")?, &[("127.0.0.1", &host), ("\"3000\"", &format!("\"{port}\""))])?;
    let file = site.write("default.vcl", configuration)?;
    let mut command = Command::new("varnishd");
    // In the foreground, without other users of the system, and with little shared memory.
    command.args(["-F", "-j", "none", "-f", &file, "-n", &site.file("work"), "-l", "2m", "-s", "malloc,8m"]);
    command.args(["-a", &site.http.to_string()]);
    Ok(command)
}
