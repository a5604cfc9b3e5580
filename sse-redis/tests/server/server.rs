//! A server of this test: on a free port, in a temporary folder, ended by its process ID.

use sse_test_support::cable::Cable;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The program of the server: `redis-server`, or the value of `SSE_REDIS_SERVER`, for example `valkey-server`.
fn program() -> String {
    std::env::var("SSE_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// The reason why no server can be started here.
pub(crate) fn missing() -> Option<String> {
    lacks(&program(), "--version")
}

/// The reason why this program does not run.
pub(crate) fn lacks(program: &str, version: &str) -> Option<String> {
    let asked = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match asked {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("{program} {version}: {status}")),
        Err(error) => Some(format!("{program}: {error}")),
    }
}

/// The document with the rights that a node of the tested crate needs. The tests of sse-runs include this file.
fn page() -> &'static str {
    match env!("CARGO_PKG_NAME") {
        "sse-runs" => concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runs.md"),
        _ => concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scaling.md"),
    }
}

/// The rights of the line in the [`page`], for logs of every name. Every node of the tests has these rights only.
static RIGHTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let line = user_line().replace("~{NAME}:*", "~*{*}:*");
    line.split(' ').skip(3).map(str::to_owned).collect()
});

/// The line of the [`page`] that creates the user of a node, with a password.
pub(crate) fn user_line() -> String {
    let docs = std::fs::read_to_string(page()).expect("the document");
    let line = docs.lines().find(|line| line.starts_with("ACL SETUSER sse on ")).expect("the line");
    line.replace("PASSWORD", "secret")
}

/// The URL of a server at this address, with the user of a node.
fn login(address: &str) -> String {
    format!("redis://sse:secret@{address}")
}

pub(crate) struct Server {
    program: String,
    child: Option<Child>,
    pub(crate) port: u16,
    pub(crate) dir: PathBuf,
    arguments: Vec<String>,
    /// The configuration of a sentinel.
    sentinel: Option<PathBuf>,
}

impl Server {
    /// A server that keeps its data in a file (`appendonly`), or a server that loses its data when it ends.
    pub(crate) fn start(keeps: bool) -> Self {
        let appends = if keeps { "yes" } else { "no" };
        Self::with(|_| vec!["--appendonly".to_owned(), appends.to_owned()])
    }

    /// A server with these arguments. The closure may create files in the folder of the server.
    pub(crate) fn with(arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        Self::of(program(), arguments)
    }

    /// A server of this program.
    pub(crate) fn of(program: String, arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sse-redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("a temporary folder");
        let arguments = arguments(&dir);
        let mut server = Self { program, child: None, port: free_port(), dir, arguments, sentinel: None };
        server.run();
        server
    }

    /// A sentinel with this configuration.
    pub(crate) fn sentinel(configuration: &str) -> Self {
        let mut server = Self::with(|_| Vec::new());
        server.kill();
        let file = server.dir.join("sentinel.conf");
        std::fs::write(&file, configuration).expect("a file");
        server.sentinel = Some(file);
        server.run();
        server
    }

    /// A server of a cluster, which has no slots yet, and its port for other servers.
    pub(crate) fn of_cluster() -> (Self, u16) {
        let bus = free_port();
        let server = Self::with(|_| {
            let bus = bus.to_string();
            let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "500"];
            let more = ["--cluster-replica-validity-factor", "0", "--appendonly", "yes"];
            arguments.into_iter().chain(more).map(str::to_owned).collect()
        });
        (server, bus)
    }

    /// Starts the server, also after `kill`.
    pub(crate) fn run(&mut self) {
        // A sentinel does not know the commands of a node, and an older server does not know all of them.
        let has_user = self.sentinel.is_none() && self.program == program();
        let user = ["--user", "sse"].into_iter().chain(RIGHTS.iter().map(String::as_str)).filter(|_| has_user);
        let child = Command::new(&self.program)
            .args(self.sentinel.iter().flat_map(|file| [file.as_os_str(), "--sentinel".as_ref()]))
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .args(["--repl-diskless-sync-delay", "0", "--repl-backlog-size", "16mb"])
            .args(&self.arguments)
            .args(user)
            .arg("--dir")
            .arg(&self.dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        self.child = Some(child);
        self.wait_for("PONG", || self.cli(&["PING"]));
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        login(&self.address())
    }

    /// A cable that leads to this server.
    pub(crate) async fn cable(&self) -> Cable {
        Cable::to(self.address()).await.expect("a port")
    }

    /// Ends the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal to this server only.
    pub(crate) fn signal(&self, signal: &str) {
        let Some(child) = &self.child else { return };
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Sends one command over a connection of its own, and returns the reply as text.
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        use std::io::{Read, Write};
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return String::new() };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut request = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| request += &format!("${}\r\n{word}\r\n", word.len()));
        request += "*1\r\n$4\r\nQUIT\r\n";
        let _ = stream.write_all(request.as_bytes());
        if self.sentinel.is_some() {
            // A sentinel does not know QUIT.
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The commands and keys that the server has denied to the user of a node.
    fn denied(&self) -> Vec<String> {
        let log = self.cli(&["ACL", "LOG"]);
        let entries = log.split("\r\nreason\r\n").skip(1).map(str::to_owned);
        entries.filter(|entry| !entry.contains("\r\nauth\r\n") && entry.contains("\r\nsse\r\n")).collect()
    }

    pub(crate) fn wait_for(&self, wanted: &str, mut ask: impl FnMut() -> String) {
        let begun = Instant::now();
        loop {
            let answer = ask();
            if answer.contains(wanted) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "no {wanted:?} but {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes this server a replica of another, and waits until both have the same data.
    pub(crate) fn follow(&self, master: &Self) {
        self.cli(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
        self.wait_for("master_link_status:up", || self.cli(&["INFO", "replication"]));
        self.wait_for("state=online", || master.cli(&["INFO", "replication"]));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let denied = if self.child.is_some() { self.denied() } else { Vec::new() };
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
        assert!(std::thread::panicking() || denied.is_empty(), "denied to the user of {}: {denied:?}", page());
    }
}

/// The URL of the server at the other end of a cable.
pub(crate) fn url_over(cable: &Cable) -> String {
    login(cable.address())
}

/// A port that is free at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}
