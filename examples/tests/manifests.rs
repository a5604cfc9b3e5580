//! The manifests of the examples: few dependencies, correct versions, and no reference to this workspace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// The largest number of crates that `cargo run -p news` may compile, including `news` and the crates of this workspace.
const NEWS_CRATES: usize = 90;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn manifest(path: &Path) -> Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// The manifests of the examples and of their common crate, by name.
fn examples() -> BTreeMap<String, Table> {
    let folders = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let manifests = folders.map(|folder| folder.join("Cargo.toml")).filter(|path| path.is_file());
    let named = manifests.map(|path| {
        let manifest = manifest(&path);
        (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
    });
    named.filter(|(name, _)| name != "sse-examples").collect()
}

#[test]
fn news_needs_at_most_90_crates() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--package", "news", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let output = command.args(["--offline", "--no-dedupe"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut crates: Vec<_> = tree.lines().collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.iter().any(|name| name.starts_with("axum v")), "{crates:#?}");
    assert!(crates.len() <= NEWS_CRATES, "{} crates: {crates:#?}", crates.len());
    for absent in ["actix-web", "warp", "redis", "reqwest", "sysinfo", "sse-actix", "sse-warp"] {
        assert!(!crates.iter().any(|name| name.starts_with(&format!("{absent} v"))), "{absent}");
    }
}

#[test]
fn every_example_is_a_package_of_its_own() {
    let names =
        "chat cluster completions custom-server example-common fragments http-servers monitor news proxy tutorial";
    assert_eq!(examples().into_keys().collect::<Vec<_>>().join(" "), names);
}

/// After a change of its paths, a copy of the folder works outside of this repository.
#[test]
fn no_manifest_of_an_example_refers_to_the_workspace() {
    fn refers(value: &Value) -> bool {
        match value {
            Value::Table(table) => table.contains_key("workspace") || table.values().any(refers),
            Value::Array(values) => values.iter().any(refers),
            _ => false,
        }
    }
    for (name, manifest) in examples() {
        assert!(!refers(&Value::Table(manifest)), "{name}");
    }
}

#[test]
fn examples_and_workspace_require_the_same_versions() {
    fn version(dependency: &Value) -> Option<&str> {
        dependency.as_str().or_else(|| dependency.get("version")?.as_str())
    }
    let workspace = manifest(&root().join("Cargo.toml"));
    let edition = &workspace["workspace"]["package"]["edition"];
    for (name, manifest) in examples() {
        assert_eq!(&manifest["package"]["edition"], edition, "{name}");
        for (dependency, asked) in manifest["dependencies"].as_table().unwrap() {
            if asked.get("path").is_none() {
                let wanted = &workspace["workspace"]["dependencies"][dependency];
                assert_eq!(version(asked), version(wanted), "{name}: {dependency}");
            }
        }
    }
}
