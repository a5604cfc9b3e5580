//! The table of hazards is complete: a test shows each row, or the row gives the user's part.

use sse_conformance::hazards::Table;
use std::path::Path;

#[test]
fn every_hazard_has_a_test_or_says_what_to_do() {
    let table = Table::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("the table can be read");
    assert_eq!(table.faults(), Vec::<String>::new());
    assert!(table.rows().count() >= 73, "a row was lost");
}
