//! The table: what goes wrong, what prevents it, and what shows that.

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
pub struct Row {
    /// What goes wrong.
    pub hazard: String,
    /// What keeps it from happening.
    pub prevented: String,
    /// What the user should do, where it is not ours alone.
    pub you: Option<String>,
    /// What was wrong in the list that this began with, and how we know.
    pub corrected: Option<String>,
    /// Cases of the conformance kit that show it, `GROUP::NAME`.
    #[serde(default)]
    pub cases: Vec<String>,
    /// The tests that name it, `FILE: NAME`.
    #[serde(skip)]
    pub tests: Vec<String>,
}

/// All hazards, by letter and number.
#[derive(Debug, Clone)]
pub struct Table {
    rows: BTreeMap<(char, u32), Row>,
    /// What is wrong with it.
    faults: Vec<String>,
}

impl Table {
    /// Reads `tests/hazards.toml` of this workspace, and its sources.
    ///
    /// # Errors
    /// The workspace cannot be read, or the file is none.
    pub fn read(workspace: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(workspace.join("tests/hazards.toml"))?;
        let named: BTreeMap<String, Row> = toml::from_str(&text).map_err(Failure::new)?;
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

    /// What is wrong with it, a sentence each.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The rows in their order, each with its id.
    pub fn rows(&self) -> impl Iterator<Item = (String, &Row)> {
        self.rows.iter().map(|((letter, number), row)| (format!("{letter}{number}"), row))
    }
}

impl Table {
    /// One row as the table prints it.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<String> {
        self.rows().find(|(id, _)| id == name).map(|(id, row)| row.text(&id).trim_end().to_owned())
    }
}

impl Row {
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

    /// Whether a test or a case shows it prevented.
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
