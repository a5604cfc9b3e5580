//! How it ends: within a second of a signal, with every reader told.

use crate::feed::Feed;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How long a framework may take after the streams have ended.
const PATIENCE: Duration = Duration::from_millis(300);

/// Two futures: the first goes into the framework's graceful shutdown, and is ready when a signal came and every stream
/// has ended; the second when the framework should have ended too.
pub(crate) fn on_signal(
    feed: Feed,
) -> io::Result<(impl Future<Output = ()> + Send + 'static, impl Future<Output = ()> + Send + 'static)> {
    let signal = example_common::stop_signal()?;
    let (drained, is_drained) = oneshot::channel();
    let stop = async move {
        signal.await;
        feed.drain().await;
        let _ = drained.send(());
    };
    let late = async {
        if is_drained.await.is_err() {
            // The framework ended by itself, and dropped the future it was given.
            std::future::pending::<()>().await;
        }
        sleep(PATIENCE).await;
    };
    Ok((stop, late))
}
