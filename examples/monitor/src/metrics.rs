//! The counters of a hub in the format of Prometheus.

use sse_warp::Stats;
use std::fmt::Write;

/// The text exposition format, version 0.0.4.
pub(crate) fn text(stats: &Stats) -> String {
    let mut text = String::new();
    let mut write = |name: &str, kind: &str, value: u64| {
        let _ = writeln!(text, "# TYPE sse_{name} {kind}\nsse_{name} {value}");
    };
    write("streams", "gauge", stats.streams as u64);
    write("topics", "gauge", stats.topics as u64);
    write("held_events", "gauge", stats.held_events as u64);
    write("held_bytes", "gauge", stats.held_bytes as u64);
    write("published_total", "counter", stats.published);
    write("delivered_total", "counter", stats.delivered);
    write("lagged_total", "counter", stats.lagged);
    write("resumed_total", "counter", stats.resumed);
    write("gaps_total", "counter", stats.gaps);
    text.push_str("# TYPE sse_ended_total counter\n");
    for (reason, streams) in stats.ends() {
        let _ = writeln!(text, "sse_ended_total{{reason=\"{}\"}} {streams}", reason.as_str());
    }
    text
}
