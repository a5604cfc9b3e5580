//! Ends the program within a second after a signal, and ends every stream before that.

use crate::feed::Feed;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// The longest time that a framework may take after all streams have ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(300);

/// Returns two futures. The first is for the framework's graceful shutdown, and returns after a signal, when every stream has
/// ended. The second returns when the framework has had its time to end.
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
            // The framework ended by itself, and dropped the first future.
            std::future::pending::<()>().await;
        }
        sleep(SHUTDOWN_TIMEOUT).await;
    };
    Ok((stop, late))
}
