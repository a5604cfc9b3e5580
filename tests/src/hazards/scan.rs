//! Finds the tests that name a hazard: a comment `Hazard A1.` above a test or a trial, or at the head of a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Tests by the hazard that they name.
pub(super) type Shown = BTreeMap<String, Vec<String>>;

/// Scans every Rust source below this folder, except build output.
pub(super) fn tree(root: &Path) -> io::Result<Shown> {
    let mut shown = Shown::new();
    let mut folders = vec![root.to_owned()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    for path in files {
        let file = path.strip_prefix(root).unwrap_or(&path).display().to_string().replace('\\', "/");
        source(&file, &fs::read_to_string(&path)?, &mut shown);
    }
    Ok(shown)
}

fn source(file: &str, text: &str, shown: &mut Shown) {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        let Some((mark, rest)) = line.split_once(' ').filter(|(mark, _)| ["//", "///", "//!"].contains(mark)) else {
            continue;
        };
        let Some(rest) = rest.strip_prefix("Hazard ").or_else(|| rest.strip_prefix("Hazards ")) else { continue };
        let ids: Vec<&str> = rest.trim_end_matches('.').split([',', ' ']).filter(|id| is_id(id)).collect();
        let test = if mark == "//!" { Some(file.to_owned()) } else { lines.clone().find_map(name) };
        let test = match test {
            Some(test) if mark != "//!" => format!("{file}: {test}"),
            test => test.unwrap_or_else(|| file.to_owned()),
        };
        for id in ids {
            shown.entry(id.to_owned()).or_default().push(test.clone());
        }
    }
}

/// `A1` to `H99`.
fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|letter| letter.is_ascii_uppercase())
        && text.len() > 1
        && bytes.all(|digit| digit.is_ascii_digit())
}

/// The name of the test that begins on this line: the name of a function, or the text that names a trial.
fn name(line: &str) -> Option<String> {
    let line = line.trim_start();
    if line.starts_with("//") || line.starts_with('#') {
        return None;
    }
    let function = line.split_once("fn ").map(|(_, rest)| rest.split(['(', '<']).next().unwrap_or_default());
    let trial = || line.split('"').nth(1);
    function.or_else(trial).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_names_the_test_below_it() {
        let text = "//! Hazard A3.\n/// Words. \n/// Hazards A1, B12 and C3.\n#[test]\nasync fn it_holds() {}\n\n    \
                    // Hazard H2.\n    trials.add(\n        name(\"it_returns\"),\n// A hazard of another kind A4.\nfn no() {}";
        let mut shown = Shown::new();
        source("a.rs", text, &mut shown);
        let shown: Vec<_> = shown.iter().map(|(id, tests)| format!("{id} {}", tests.join(" "))).collect();
        assert_eq!(
            shown,
            ["A1 a.rs: it_holds", "A3 a.rs", "B12 a.rs: it_holds", "C3 a.rs: it_holds", "H2 a.rs: it_returns"]
        );
    }
}
