//! nginx.

use crate::proxy::{Kind, Site, adapt, block};
use sse_test_support::Result;
use tokio::process::Command;

pub(crate) const KIND: Kind = Kind {
    name: "nginx",
    program: "nginx",
    optional: None,
    configure,
    http2: true,
    own_page: None,
    notices_at_once: true,
};

fn configure(site: &Site) -> Result<Command> {
    let [certificate, key, _] = site.certificate()?;
    let sites = adapt(
        block("nginx")?,
        &[
            ("127.0.0.1:3000", &site.app.to_string()),
            ("listen 80;", &format!("listen {};", site.http)),
            ("listen 443 ssl", &format!("listen {} ssl", site.https)),
            ("/etc/ssl/certs/example.com.pem", &certificate),
            ("/etc/ssl/private/example.com.key", &key),
        ],
    )?;
    let at = site.path().display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.iter().map(|name| format!("{name}_temp_path {at}/{name};\n")).collect();
    // Buffering and compression are on, and no directive excludes the stream.
    let configuration = format!(
        "daemon off; master_process off; pid {at}/pid; error_log stderr;\n\
        events {{}}\nhttp {{ access_log off; gzip on; {temporary} {sites} }}\n"
    );
    let file = site.write("nginx.conf", configuration)?;
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-c", &file]);
    Ok(command)
}
