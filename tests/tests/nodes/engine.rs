//! A Redis server for the tests: on a free port, in a temporary folder, ended by process ID.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program that every trial here needs: `redis-server`, or the value of `SSE_REDIS_SERVER`, for example `valkey-server`.
pub(crate) static PROGRAM: LazyLock<String> =
    LazyLock::new(|| std::env::var("SSE_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned()));

pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl RedisServer {
    pub(crate) fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        // The port was free a moment ago, and the system does not give the same port out again so soon.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(PROGRAM.as_str());
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"]).arg(folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut engine = Self { child, port, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if engine.child.try_wait()?.is_some() || begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other("the Redis server does not listen"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(engine)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
