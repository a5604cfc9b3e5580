//! The common part of all proxies: configuration from the document, start and stop.

use sse_test_support::{Error, Optional, Result, eventually, need};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};

const DOCUMENT: &str = include_str!("../../../docs/proxies.md");

/// The path of the stream in the document. The tests use `/topics`, the conformance server's path.
const PATH: &str = "/events";

/// A proxy, and how the tests run it.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The program. The trials are ignored without it.
    pub(crate) program: &'static str,
    /// How to install a program that no run of the tests requires.
    pub(crate) optional: Option<&'static str>,
    /// Writes the configuration, and returns the command that serves it.
    pub(crate) configure: fn(&Site) -> Result<Command>,
    /// The proxy also listens for HTTPS, and offers HTTP/2 there.
    pub(crate) http2: bool,
    /// A page that the proxy serves by itself. The other proxies pass every request on.
    pub(crate) own_page: Option<&'static str>,
    /// The server notices a client that disconnected before the next write.
    pub(crate) notices_at_once: bool,
}

/// The proxy's addresses, the server behind the proxy, and the folder of the proxy's files.
pub(crate) struct Site {
    directory: TempDir,
    pub(crate) app: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
}

impl Site {
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a file in the folder of this site, as a configuration spells it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// Writes a file, and returns its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<String> {
        fs::write(self.path().join(name), text)?;
        Ok(self.file(name))
    }

    /// Makes a certificate for the loopback. Returns the paths of the certificate, the key, and both in one file.
    pub(crate) fn certificate(&self) -> Result<[String; 3]> {
        need("openssl")?;
        let [certificate, key] = [self.file("cert.pem"), self.file("key.pem")];
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
            .args(["-keyout", &key, "-out", &certificate])
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into());
        }
        let both = self.write("both.pem", [fs::read(&certificate)?, fs::read(&key)?].concat())?;
        Ok([certificate, key, both])
    }
}

/// The one block of the document in this language.
pub(crate) fn block(language: &str) -> Result<&'static str> {
    let fence = format!("```{language}\n");
    let mut parts = DOCUMENT.split(&*fence);
    match (parts.nth(1), parts.next()) {
        (Some(rest), None) => rest.split("```").next().ok_or_else(|| Error::from("a block without an end")),
        _ => Err(format!("not exactly one block of {language} in docs/proxies.md").into()),
    }
}

/// Replaces every one of these, each of which must occur, and the path of the stream.
pub(crate) fn adapt(text: &str, replacements: &[(&str, &str)]) -> Result<String> {
    let mut text = text.to_owned();
    for (from, to) in replacements.iter().chain(&[(PATH, "/topics")]) {
        if !text.contains(from) {
            return Err(format!("no {from:?} in the configuration of docs/proxies.md:\n{text}").into());
        }
        text = text.replace(from, to);
    }
    Ok(text)
}

/// A running proxy. Dropping this value stops the proxy.
pub(crate) struct Proxy {
    site: Site,
    child: Child,
}

impl Proxy {
    /// Starts a proxy in front of the server at this address.
    pub(crate) async fn before(kind: Kind, app: &str) -> Result<Self> {
        match (need(kind.program), kind.optional) {
            (Err(missing), Some(install)) => return Err(Optional(format!("{missing}: {install}")).into()),
            (needed, _) => needed?,
        }
        let [http, https] = [free()?, free()?];
        let site = Site { directory: tempfile::tempdir()?, app: app.parse()?, http, https };
        let mut command = (kind.configure)(&site)?;
        let log = fs::File::create(site.path().join("proxy.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let mut proxy = Self { child: command.spawn()?, site };
        let listens = eventually("the proxy listens", Duration::from_secs(20), async || {
            match kind.own_page {
                // Vite listens for a moment to find out whether the port is free, so an answer is needed.
                Some(page) => Ok(reqwest::get(format!("http://{http}{page}")).await.is_ok()),
                None => Ok(tokio::net::TcpStream::connect(http).await.is_ok()),
            }
        });
        let listens = tokio::select! {
            listens = listens => listens,
            ended = proxy.child.wait() => Err(format!("{} ended: {:?}", kind.program, ended?).into()),
        };
        match listens {
            Ok(()) => Ok(proxy),
            Err(error) => Err(format!("{error}\n{}", proxy.log()).into()),
        }
    }

    /// The URL of a path, over HTTP.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.site.http)
    }

    /// The URL of a path, as a browser reaches it best.
    pub(crate) fn browser_url(&self, kind: Kind, path: &str) -> String {
        if kind.http2 { format!("https://{}{path}", self.site.https) } else { self.url(path) }
    }

    /// The output of the proxy.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.site.path().join("proxy.log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A proxy ends its workers at this signal. SIGKILL would leave them running.
        #[cfg(unix)]
        if let Some(pid) = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A free address of the loopback. A proxy cannot report the port that it chose, so the port is chosen here: outside of the
/// range from which the system chooses, and never twice.
fn free() -> Result<SocketAddr> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + (std::process::id().wrapping_mul(101).wrapping_add(given)) % 20_000)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err("no free port".into())
}
