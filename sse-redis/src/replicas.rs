//! Replicas that must have an event before its publish returns.

use redis::aio::MultiplexedConnection;
use redis::{Value, cmd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// The events that one publish connection stored, and those that replicas have acknowledged. One `WAIT` at a time is for all
/// events that were stored before it, because the server answers nothing else on the connection meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Replication {
    stored: AtomicU64,
    last: Mutex<Acknowledged>,
}

/// The result of the last `WAIT`.
#[derive(Debug, Default)]
struct Acknowledged {
    connection: u64,
    /// The events up to this one were stored before.
    upto: u64,
    replicas: u64,
}

impl Replication {
    /// Waits until this many replicas have the event that was just stored on this connection, which has this number. Returns
    /// the number of replicas that have the event at the deadline.
    pub(crate) async fn wait(
        &self,
        (mut connection, number): (MultiplexedConnection, u64),
        replicas: u64,
        deadline: Instant,
    ) -> u64 {
        let event = self.stored.fetch_add(1, Ordering::SeqCst) + 1;
        let acknowledged = async {
            let mut last = self.last.lock().await;
            if last.connection == number && last.upto >= event && last.replicas >= replicas {
                return last.replicas;
            }
            let upto = self.stored.load(Ordering::SeqCst);
            // The answer needs time to arrive. Zero would wait without limit.
            let most = deadline.saturating_duration_since(Instant::now()).mul_f64(0.75);
            let most = u64::try_from(most.max(Duration::from_millis(1)).as_millis()).unwrap_or(u64::MAX);
            let found = match cmd("WAIT").arg(replicas).arg(most).query_async::<Value>(&mut connection).await {
                Ok(Value::Int(found)) => u64::try_from(found).unwrap_or(0),
                _ => 0,
            };
            *last = Acknowledged { connection: number, upto, replicas: found };
            found
        };
        timeout_at(deadline, acknowledged).await.unwrap_or(0)
    }
}
