//! The hazards of `tests/hazards.toml`, and which tests of this tree show each prevented.

mod scan;
mod table;

pub use table::{Row, Table};
