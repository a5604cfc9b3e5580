//! Open streams that belong to no hub: no drain ends them, and a graceful shutdown waits for them without end.

use std::sync::atomic::{AtomicUsize, Ordering};

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Counts one open stream without a hub, until it is dropped.
#[derive(Debug)]
pub(crate) struct Unowned(());

impl Unowned {
    pub(crate) fn new() -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Unowned {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reports the streams of this process that a drain, which starts now, does not end: to `tracing`, and in debug builds once
/// on standard error.
pub(crate) fn report() {
    let streams = OPEN.load(Ordering::Relaxed);
    if streams == 0 {
        return;
    }
    crate::runtime::trace::drain_leaves(streams);
    #[cfg(debug_assertions)]
    {
        use std::io::Write;
        static REPORTED: std::sync::Once = std::sync::Once::new();
        // Not `eprintln!`, which panics when standard error is closed.
        REPORTED.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "warning: sse-core: streams that belong to no hub are open ({streams}), and the drain does not end them. Give the hub \
                 to their routes (axum: a layer `Extension(hub)`, actix-web: `app_data`, warp: `sse(hub)`), or call \
                 `Sse::attach`."
            );
        });
    }
}
