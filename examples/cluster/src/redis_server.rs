//! The Redis server: a child process of this program, or a server that runs already.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Runs the command while this program holds the shell's input open. So the Redis server ends with this program, also if this
/// program is killed.
const SHELL_SCRIPT: &str = r#""$@" & read -r _; kill -9 $!; wait"#;

pub(crate) struct RedisServer {
    pub(crate) url: String,
    child: Option<RedisProcess>,
}

struct RedisProcess {
    port: u16,
    folder: PathBuf,
    shell: Mutex<Option<Child>>,
}

impl RedisServer {
    pub(crate) const fn given(url: String) -> Self {
        Self { url, child: None }
    }

    pub(crate) fn start() -> io::Result<Self> {
        let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        found.map_err(|error| io::Error::new(error.kind(), format!("redis-server: {error}")))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("sse-cluster-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let child = RedisProcess { port, folder, shell: Mutex::new(None) };
        child.run()?;
        Ok(Self { url: format!("redis://127.0.0.1:{port}"), child: Some(child) })
    }

    /// Whether the Redis server runs, or `None` for a server that this program did not start.
    pub(crate) fn runs(&self) -> Option<bool> {
        self.child.as_ref().map(|child| child.shell().is_some())
    }

    /// Starts the Redis server again, with the data in its folder.
    pub(crate) fn run(&self) -> io::Result<()> {
        self.child.as_ref().map_or(Ok(()), RedisProcess::run)
    }

    /// Kills the Redis server, as a crash does.
    pub(crate) fn kill(&self) {
        let shell = self.child.as_ref().and_then(|child| child.shell().take());
        if let Some(mut shell) = shell {
            drop(shell.stdin.take());
            // The shell ends after the Redis server.
            let _ = shell.wait();
        }
    }
}

impl RedisProcess {
    fn shell(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> io::Result<()> {
        let mut shell = self.shell();
        if shell.is_none() {
            let mut command = Command::new("sh");
            command.args([
                "-c",
                SHELL_SCRIPT,
                "sh",
                "redis-server",
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
            ]);
            command.args(["--save", "", "--appendonly", "yes", "--dir"]).arg(&self.folder);
            *shell = Some(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
        }
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        if let Some(child) = &self.child {
            let _ = std::fs::remove_dir_all(&child.folder);
        }
    }
}
