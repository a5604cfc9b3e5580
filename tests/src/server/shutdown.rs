//! How a server goes down: signals, the drain, and a deadline over both.

use super::app::App;
use std::future::Future;
use std::io;
use std::pin::pin;
use tokio::sync::watch;

/// Told once the process was asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens to SIGTERM and SIGINT from now on.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let signals = signals()?;
        tokio::spawn(async move {
            signals.await;
            eprintln!("draining");
            // Whoever still listens hears of it; when nobody does, the server is down already.
            let _ = stop.send(true);
        });
        Ok(Self(stopped))
    }

    async fn asked(&mut self) {
        // The sender lives until it has sent.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }

    /// What a framework's graceful shutdown waits for: the signal, and then that no stream is open.
    pub(crate) fn drained(&self, app: &App) -> impl Future<Output = ()> + Send + 'static {
        let (mut shutdown, app) = (self.clone(), app.clone());
        async move {
            shutdown.asked().await;
            let left = app.hub.drain(app.options.drain_window()).await;
            eprintln!("drained; {left} streams left");
        }
    }

    /// Runs the server until it is down, or until the deadline after the signal is over.
    pub(crate) async fn enforce(mut self, app: &App, server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let mut server = pin!(server);
        tokio::select! {
            result = &mut server => return result,
            () = self.asked() => {}
        }
        tokio::time::timeout(app.options.drain_deadline(), server).await.unwrap_or_else(|_| {
            eprintln!("the deadline is over");
            Ok(())
        })
    }
}

#[cfg(unix)]
fn signals() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signals() -> io::Result<impl Future<Output = ()> + Send> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
