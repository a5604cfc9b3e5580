//! The README's share of `docs/benchmarks.md`: what somebody asks for first.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

const BEGINS: &str = "<!-- benchmarks: by `-- readme` -->\n";
const ENDS: &str = "<!-- /benchmarks -->";

/// How the line of a target begins, and what it says to somebody who does not know the targets.
const ROWS: [(&str, &str); 12] = [
    ("burst on axum", "a burst, deliveries a second: times axum's `Sse` over a broadcast of tokio"),
    ("burst on warp", "the same: times warp's `sse`"),
    ("burst on actix", "the same: times actix-web-lab's `sse` over channels"),
    ("paced on axum, CPU of its recipe", "an event each 40 ms, the server's CPU time: of axum's `Sse`"),
    ("paced on warp, CPU of its recipe", "the same: of warp's `sse`"),
    ("paced on actix, CPU of its recipe", "the same: of actix-web-lab's `sse`"),
    ("encode into a stream, JSON", "time to encode JSON of 160 B with id and type: of the fastest peer's"),
    ("encode into a stream, 4 KiB", "the same, 4 KiB of HTML in 64 lines"),
    ("encode into a stream, 64 KiB", "the same, one line of 64 KiB"),
    ("decode JSON of 160 B, id and type", "time to decode JSON of 160 B with id and type: of the fastest peer's"),
    ("decode 4 KiB", "the same, 4 KiB of HTML in 64 lines"),
    ("decode a recorded stream", "the same, a recorded answer of a model"),
];

/// Puts them between their marks.
pub fn write() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (figures, readme) = (fs::read_to_string(root.join("docs/benchmarks.md"))?, root.join("README.md"));
    let mut table = String::from("| what | ours |\n|---|---:|\n");
    for (target, says) in ROWS {
        // | target | asked | measured | |
        let line = figures.lines().find(|line| line.strip_prefix("| ").is_some_and(|line| line.starts_with(target)));
        if let Some(measured) = line.and_then(|line| line.split(" | ").nth(2)) {
            let _ = writeln!(table, "| {says} | {measured} |");
        }
    }
    let whole = fs::read_to_string(&readme)?;
    let parts = whole.split_once(BEGINS).and_then(|(before, rest)| Some((before, rest.split_once(ENDS)?.1)));
    let (before, after) = parts.ok_or_else(|| io::Error::other("the README has no marks"))?;
    fs::write(readme, format!("{before}{BEGINS}{table}{ENDS}{after}"))
}
