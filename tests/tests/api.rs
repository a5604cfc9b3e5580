//! The public API of each library, as the file `api.txt` of the crate lists it. A change of the API shows in a review.
//!
//! `BLESS_API=1 cargo test -p sse-conformance --test api` writes the files.

use public_api::Builder;
use sse_test_support::trials::Trials;
use sse_test_support::{Optional, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

/// The libraries, with the features of docs.rs.
const CRATES: [(&str, &str); 8] = [
    ("sse-core", "adapter,derive,gzip,http,http-body,json,socket,testing,tokio,tracing"),
    ("sse-axum", "derive,gzip,testing,tracing"),
    ("sse-actix", "derive,gzip,testing,tracing"),
    ("sse-warp", "derive,gzip,testing,tracing"),
    ("sse-redis", "tls,tracing"),
    ("sse-client", ""),
    ("sse-serve", "axum,http2,tracing"),
    ("sse-runs", "redis"),
];

/// The format of rustdoc's JSON that the crate `public-api` reads.
const FORMAT: u64 = 57;

fn main() -> ExitCode {
    let mut trials = Trials::one_at_a_time();
    for (krate, _) in CRATES {
        trials.add(format!("{krate}::lists_its_public_items"), async move || compare(krate));
    }
    trials.run()
}

fn compare(krate: &str) -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = root.join(krate).join("api.txt");
    let found = Builder::from_rustdoc_json(rustdoc_json(&root, krate)?)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?
        .to_string();
    if std::env::var_os("BLESS_API").is_some() {
        std::fs::write(list, found)?;
        return Ok(());
    }
    let listed = std::fs::read_to_string(&list)?;
    let lines = |of: &str, not_in: &str, sign: char| -> String {
        let known: std::collections::HashSet<&str> = not_in.lines().collect();
        of.lines().filter(|line| !known.contains(line)).map(|line| format!("{sign} {line}\n")).collect()
    };
    let changes = lines(&listed, &found, '-') + &lines(&found, &listed, '+');
    if changes.is_empty() {
        return Ok(());
    }
    Err(format!("the public API differs from {krate}/api.txt; BLESS_API=1 writes the file:\n{changes}").into())
}

/// The items of a library as JSON.
fn rustdoc_json(root: &Path, krate: &str) -> Result<PathBuf> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    // A folder of its own: `RUSTC_BOOTSTRAP` would make cargo build many dependencies of the tests again.
    let target = root.join("target/api");
    BUILT.get_or_init(|| build(root, &target)).clone()?;
    let path = target.join("doc").join(krate.replace('-', "_")).with_extension("json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let format = json["format_version"].as_u64();
    if format == Some(FORMAT) {
        return Ok(path);
    }
    let text = format!("rustdoc writes format {format:?}, and the crate public-api of tests/Cargo.toml reads {FORMAT}");
    if std::env::var("CI").is_ok_and(|ci| ci == "true") { Err(text.into()) } else { Err(Box::new(Optional(text))) }
}

/// Writes the items of all libraries. Only a nightly rustdoc has this option, or a stable one under `RUSTC_BOOTSTRAP`.
fn build(root: &Path, target: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    cargo.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json --cap-lints allow");
    cargo.args(["doc", "--quiet", "--no-deps", "--lib", "--target-dir"]).arg(target);
    for (krate, features) in CRATES {
        cargo.args(["--package", krate]);
        for feature in features.split(',').filter(|feature| !feature.is_empty()) {
            cargo.args(["--features", &format!("{krate}/{feature}")]);
        }
    }
    let output = cargo.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}
