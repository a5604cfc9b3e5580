//! Apache httpd.

use crate::proxy::{Kind, Site, adapt, block};
use sse_test_support::Result;
use std::path::Path;
use tokio::process::Command;

pub(crate) const KIND: Kind = Kind {
    name: "apache",
    program: "apache2",
    optional: None,
    configure,
    http2: true,
    own_page: None,
    notices_at_once: false,
};

/// Where Debian puts the modules that `a2enmod` enables.
const MODULES: &str = "/usr/lib/apache2/modules";

fn configure(site: &Site) -> Result<Command> {
    let [certificate, key, _] = site.certificate()?;
    let later = site.write("later.asis", block("asis")?)?;
    let https = adapt(
        block("apache")?,
        &[
            ("http://127.0.0.1:3000/", &format!("http://{}/", site.app)),
            ("<VirtualHost *:443>", &format!("<VirtualHost {}>", site.https)),
            ("/etc/ssl/certs/example.com.pem", &certificate),
            ("/etc/ssl/private/example.com.key", &key),
            ("/etc/apache2/later.asis", &later),
        ],
    )?;
    // The same host once more, without TLS.
    let http = https.replace(&site.https.to_string(), &site.http.to_string());
    let http: String =
        http.lines().filter(|line| !line.trim().starts_with("SSL")).map(|line| format!("{line}\n")).collect();

    let modules = ["mpm_event", "authz_core", "mime", "alias", "proxy", "proxy_http", "asis", "ssl", "http2"];
    let modules = modules.map(|name| (name, format!("{MODULES}/mod_{name}.so")));
    // A module may be part of the program.
    let modules = modules.iter().filter(|(_, file)| Path::new(file).is_file());
    let modules: String = modules.map(|(name, file)| format!("LoadModule {name}_module {file}\n")).collect();
    let at = site.path().display();
    let own = format!(
        "ServerRoot {at}\nServerName localhost\nPidFile {at}/pid\nErrorLog {at}/proxy.log\nMutex file:{at}\n\
        TypesConfig /dev/null\nSSLSessionCache none\nListen {}\nListen {}\n",
        site.http, site.https
    );
    let file = site.write("apache.conf", format!("{modules}{own}{https}{http}"))?;
    let mut command = Command::new("apache2");
    command.args(["-D", "FOREGROUND", "-f", &file]);
    Ok(command)
}
