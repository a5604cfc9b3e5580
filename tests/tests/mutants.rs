//! The list of deliberate faults still fits the code, so that `tests/mutants/run`, which takes minutes, can apply each
//! fault.

use serde::Deserialize;
use std::fs;
use std::path::Path;

#[derive(Deserialize)]
struct List {
    mutant: Vec<Mutant>,
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
    file: String,
    old: String,
}

#[test]
fn every_fault_can_be_put_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a file of the workspace");
    let list: List = toml::from_str(&read("tests/mutants/list.toml")).expect("a list");
    assert!(!list.mutant.is_empty());
    for mutant in list.mutant {
        assert_eq!(read(&mutant.file).matches(&mutant.old).count(), 1, "{} in {}", mutant.name, mutant.file);
    }
}
