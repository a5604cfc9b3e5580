//! The shutdown of a server: signals, the drain, and a deadline for both.

use super::app::App;
use std::future::Future;
use std::io;
use std::pin::pin;
use tokio::sync::watch;

/// Completes once the process was asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for SIGTERM and SIGINT from now on.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let signals = signals()?;
        tokio::spawn(async move {
            signals.await;
            eprintln!("draining");
            // Without a receiver the server has already stopped.
            let _ = stop.send(true);
        });
        Ok(Self(stopped))
    }

    async fn asked(&mut self) {
        // The sender exists until the value was sent.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }

    /// For a framework's graceful shutdown: completes when the signal came and no stream is open.
    pub(crate) fn drained(&self, app: &App) -> impl Future<Output = ()> + Send + 'static {
        let (mut shutdown, app) = (self.clone(), app.clone());
        async move {
            shutdown.asked().await;
            let left = app.hub.drain(app.options.drain_window()).await;
            eprintln!("drained; {left} streams left");
        }
    }

    /// Runs the server until the server has stopped, or until the deadline after the signal.
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
