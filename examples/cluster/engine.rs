//! The engine: a `redis-server` of this program's own, or one that is there already.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

pub(crate) struct Engine {
    pub(crate) url: String,
    own: Option<Own>,
}

struct Own {
    port: u16,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Engine {
    pub(crate) const fn given(url: String) -> Self {
        Self { url, own: None }
    }

    pub(crate) fn start() -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("sse-cluster-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let own = Own { port, folder, child: Mutex::new(None) };
        own.run()?;
        Ok(Self { url: format!("redis://127.0.0.1:{port}"), own: Some(own) })
    }

    /// Whether it runs; `None` if it is not this program's.
    pub(crate) fn runs(&self) -> Option<bool> {
        self.own.as_ref().map(|own| own.child().is_some())
    }

    /// Starts it again, with what it had written down.
    pub(crate) fn run(&self) {
        if let Some(own) = &self.own
            && let Err(error) = own.run()
        {
            eprintln!("cluster: the engine does not start: {error}");
        }
    }

    /// Kills it, as a crash does.
    pub(crate) fn stop(&self) {
        let child = self.own.as_ref().and_then(|own| own.child().take());
        if let Some(mut child) = child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Own {
    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> io::Result<()> {
        let mut child = self.child();
        if child.is_none() {
            let started = Command::new("redis-server")
                .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
                .arg("--dir")
                .arg(&self.folder)
                .stdout(Stdio::null())
                .spawn();
            *child = Some(started.map_err(|error| io::Error::new(error.kind(), format!("redis-server: {error}")))?);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        if let Some(own) = &self.own {
            let _ = std::fs::remove_dir_all(&own.folder);
        }
    }
}
