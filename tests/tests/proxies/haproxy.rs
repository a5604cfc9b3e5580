//! HAProxy.

use crate::proxy::{Kind, Site, adapt, block};
use sse_test_support::Result;
use tokio::process::Command;

pub(crate) const KIND: Kind = Kind {
    name: "haproxy",
    program: "haproxy",
    optional: None,
    configure,
    http2: true,
    own_page: None,
    notices_at_once: true,
};

fn configure(site: &Site) -> Result<Command> {
    let [_, _, certificate] = site.certificate()?;
    let later = site.write("later.http", block("http")?)?;
    let configuration = adapt(
        block("haproxy")?,
        &[
            ("127.0.0.1:3000", &site.app.to_string()),
            ("bind :80\n", &format!("bind {}\n", site.http)),
            ("bind :443 ", &format!("bind {} ", site.https)),
            ("/etc/haproxy/example.com.pem", &certificate),
            ("/etc/haproxy/later.http", &later),
        ],
    )?;
    let file = site.write("haproxy.cfg", configuration)?;
    let mut command = Command::new("haproxy");
    // In the foreground, as one process.
    command.args(["-db", "-f", &file]);
    Ok(command)
}
