//! The hazards of `tests/hazards.toml`, and the tests of this tree that show each one prevented.

mod scan;
mod table;

pub use table::{HazardRow, Table};
