//! What lies between a node and its engine: it can be cut, swallow what it is given, delay, and lead elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Default)]
struct Ways {
    to: AtomicU16,
    delay_ms: AtomicU64,
    bytes_a_second: AtomicU64,
    swallow: [AtomicBool; 2],
    refuse: AtomicBool,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    ways: Arc<Ways>,
    cut: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let proxy = Self { port, ways: Arc::default(), cut: watch::Sender::new(0) };
        proxy.lead_to(to);
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if accepting.ways.refuse.load(Ordering::SeqCst) {
                    continue;
                }
                let proxy = accepting.clone();
                tokio::spawn(async move {
                    let to = proxy.ways.to.load(Ordering::SeqCst);
                    let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                    let mut cut = proxy.cut.subscribe();
                    tokio::select! {
                        () = proxy.carry(near_read, far_write, 0) => {}
                        () = proxy.carry(far_read, near_write, 1) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: usize) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let delay = self.ways.delay_ms.load(Ordering::SeqCst);
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            let rate = self.ways.bytes_a_second.load(Ordering::SeqCst);
            if let Some(micros) = (read as u64 * 1_000_000).checked_div(rate) {
                tokio::time::sleep(Duration::from_micros(micros)).await;
            }
            if self.ways.swallow[way].load(Ordering::SeqCst) {
                continue;
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    }

    /// Where connections lead from now on.
    pub(crate) fn lead_to(&self, to: u16) {
        self.ways.to.store(to, Ordering::SeqCst);
    }

    /// Ends every connection.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Turns new connections away, and ends those there are.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.ways.refuse.store(refuse, Ordering::SeqCst);
        if refuse {
            self.cut();
        }
    }

    /// Swallows what goes to the engine, and what comes from it.
    pub(crate) fn swallow(&self, to: bool, from: bool) {
        self.ways.swallow[0].store(to, Ordering::SeqCst);
        self.ways.swallow[1].store(from, Ordering::SeqCst);
        if !to && !from {
            // What was swallowed is missing in the middle: such a connection is of no more use.
            self.cut();
        }
    }

    /// Holds every piece up, and lets no more than this through.
    pub(crate) fn slow(&self, delay: Duration, bytes_a_second: u64) {
        self.ways.delay_ms.store(delay.as_millis() as u64, Ordering::SeqCst);
        self.ways.bytes_a_second.store(bytes_a_second, Ordering::SeqCst);
    }
}
