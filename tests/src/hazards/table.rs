//! The table of hazards: the fault, the prevention, and the tests that show the prevention.

use super::scan;
use crate::{Failure, cases};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// A hazard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HazardRow {
    /// The fault.
    pub hazard: String,
    /// The prevention.
    pub prevented: String,
    /// The user's part, where the libraries cannot prevent the fault alone.
    pub you: Option<String>,
    /// A correction of the first list of hazards, with the evidence.
    pub corrected: Option<String>,
    /// Cases of the conformance kit that show the prevention, `GROUP::NAME`.
    #[serde(default)]
    pub cases: Vec<String>,
    /// Tests that name the hazard, `FILE: NAME`.
    #[serde(skip)]
    pub tests: Vec<String>,
}

/// All hazards, by letter and number.
#[derive(Debug, Clone)]
pub struct Table {
    rows: BTreeMap<(char, u32), HazardRow>,
    /// Faults of the table.
    faults: Vec<String>,
}

impl Table {
    /// Reads `tests/hazards.toml` and the sources of this workspace.
    ///
    /// # Errors
    /// The workspace cannot be read, or the file has another format.
    pub fn read(workspace: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(workspace.join("tests/hazards.toml"))?;
        let named: BTreeMap<String, HazardRow> = toml::from_str(&text).map_err(Failure::new)?;
        let mut shown = scan::tree(workspace)?;
        let known: BTreeSet<String> =
            cases::all().iter().map(|case| format!("{}::{}", case.group.as_str(), case.name)).collect();

        let mut table = Self { rows: BTreeMap::new(), faults: Vec::new() };
        for (id, mut row) in named {
            row.tests = shown.remove(&id).unwrap_or_default();
            for case in row.cases.iter().filter(|case| !known.contains(*case)) {
                table.faults.push(format!("{id}: the kit has no case {case}"));
            }
            if row.tests.is_empty() && row.cases.is_empty() && row.you.is_none() {
                table.faults.push(format!("{id}: no test shows it, and nothing says what the user should do"));
            }
            let (letter, number) = id.split_at_checked(1).unwrap_or_default();
            match (letter.chars().next(), number.parse()) {
                (Some(letter), Ok(number)) => drop(table.rows.insert((letter, number), row)),
                _ => table.faults.push(format!("{id}: no letter and number")),
            }
        }
        table.faults.extend(shown.into_iter().map(|(id, tests)| format!("{id}: no row, but {}", tests.join(", "))));
        Ok(table)
    }

    /// Faults of the table, one sentence each.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The rows in order, each with the ID.
    pub fn rows(&self) -> impl Iterator<Item = (String, &HazardRow)> {
        self.rows.iter().map(|((letter, number), row)| (format!("{letter}{number}"), row))
    }
}

impl Table {
    /// One row in the format of the printed table.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<String> {
        self.rows().find(|(id, _)| id == name).map(|(id, row)| row.text(&id).trim_end().to_owned())
    }
}

impl HazardRow {
    fn text(&self, id: &str) -> String {
        let mut text = format!("{id:<4}{}\n    prevented by  {}\n", self.hazard, self.prevented);
        let cases = self.cases.iter().map(|case| format!("every adapter: {case}"));
        for test in self.tests.iter().cloned().chain(cases) {
            text += &format!("    shown by      {test}\n");
        }
        if let Some(corrected) = &self.corrected {
            text += &format!("    corrected     {corrected}\n");
        }
        text
    }

    /// Whether a test or a case shows that the hazard is prevented.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        !(self.tests.is_empty() && self.cases.is_empty())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, row) in self.rows() {
            f.write_str(&row.text(&id))?;
        }
        writeln!(f, "\nOut of our hands, wholly or in part:")?;
        for (id, row) in self.rows() {
            if let Some(you) = &row.you {
                writeln!(f, "{id:<4}{}{you}", if row.is_shown() { "" } else { "(no test) " })?;
            }
        }
        let (all, shown) = (self.rows.len(), self.rows.values().filter(|row| row.is_shown()).count());
        let yours = self.rows.values().filter(|row| row.you.is_some()).count();
        write!(
            f,
            "\n{all} hazards: {shown} shown prevented by tests, {} not; {yours} ask something of you",
            all - shown
        )
    }
}
