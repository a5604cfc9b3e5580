//! The tables of `docs/observing.md`, which list the events for `tracing`.

use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../docs/observing.md");

/// Name, level and fields of an event.
pub type Row = (String, String, Vec<String>);

/// The rows of the table for a target, such as `sse_core`.
///
/// # Panics
/// If the document has no section for the target.
#[must_use]
pub fn documented_events(target: &str) -> BTreeSet<Row> {
    let heading = format!("### `{target}`\n");
    let (_, section) = DOCUMENT.split_once(&heading).expect("a section for the target");
    let section = section.split("\n#").next().unwrap_or_default();
    section.lines().filter_map(row).collect()
}

/// The row in this line. The head of a table has no code in its first cell.
fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix("| `")?.split('|');
    let name = cells.next()?.trim().trim_end_matches('`').to_owned();
    let level = cells.next()?.trim().to_owned();
    let fields = cells.next()?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name, level, fields))
}
