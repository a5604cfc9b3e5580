//! The engine: a `redis-server` of this program's own, or one that is there already.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Runs the engine for as long as this program holds the shell's input open, so that it never outlives the program, not
/// even one that was killed.
const LEASH: &str = r#""$@" & read -r _; kill -9 $!; wait"#;

pub(crate) struct Engine {
    pub(crate) url: String,
    own: Option<Own>,
}

struct Own {
    port: u16,
    folder: PathBuf,
    shell: Mutex<Option<Child>>,
}

impl Engine {
    pub(crate) const fn given(url: String) -> Self {
        Self { url, own: None }
    }

    pub(crate) fn start() -> io::Result<Self> {
        let there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        there.map_err(|error| io::Error::new(error.kind(), format!("redis-server: {error}")))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("sse-cluster-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let own = Own { port, folder, shell: Mutex::new(None) };
        own.run()?;
        Ok(Self { url: format!("redis://127.0.0.1:{port}"), own: Some(own) })
    }

    /// Whether it runs; `None` if it is not this program's.
    pub(crate) fn runs(&self) -> Option<bool> {
        self.own.as_ref().map(|own| own.shell().is_some())
    }

    /// Starts it again, with what it had written down.
    pub(crate) fn run(&self) -> io::Result<()> {
        self.own.as_ref().map_or(Ok(()), Own::run)
    }

    /// Kills it, as a crash does.
    pub(crate) fn kill(&self) {
        let shell = self.own.as_ref().and_then(|own| own.shell().take());
        if let Some(mut shell) = shell {
            drop(shell.stdin.take());
            // It ends when the engine has.
            let _ = shell.wait();
        }
    }
}

impl Own {
    fn shell(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> io::Result<()> {
        let mut shell = self.shell();
        if shell.is_none() {
            let mut command = Command::new("sh");
            command.args(["-c", LEASH, "sh", "redis-server", "--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
            command.args(["--save", "", "--appendonly", "yes", "--dir"]).arg(&self.folder);
            *shell = Some(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
        if let Some(own) = &self.own {
            let _ = std::fs::remove_dir_all(&own.folder);
        }
    }
}
