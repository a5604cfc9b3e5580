//! No two types of the crate family share a name, so that a name in a message or a document means one type.

use crate::code::{code, sources};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Types that each adapter declares under the core's name. A framework's traits can be implemented only for a type of the
/// crate that implements them, so an adapter wraps these types of the core.
const WRAPPERS: [&str; 5] = ["Error", "Feed", "Sse", "SseResponse", "Subscription"];

/// The names that this code declares with `struct`, `enum`, `union`, `trait` or, outside of traits and impls, `type`. An
/// alias of a type with the same name is the same type.
fn declared(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for line in code.lines() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$' && c != '#');
        let alias_counts = |name: &str| {
            let aliased = line.split_once('=').map_or("", |(_, aliased)| aliased);
            !line.starts_with(' ') && !aliased.contains(&format!("::{name}"))
        };
        while let Some(word) = words.next() {
            if matches!(word, "struct" | "enum" | "union" | "trait" | "type")
                && let Some(name) = words.next()
                && name.starts_with(|c: char| c.is_ascii_uppercase())
                && (word != "type" || alias_counts(name))
            {
                names.push(name);
            }
        }
    }
    names
}

/// Each name that several files, or one file several times, declare.
fn duplicates<'s>(files: impl IntoIterator<Item = (&'s str, &'s str)>) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, code) in files {
        let in_adapter = path.ends_with("/adapter.rs")
            || path.ends_with("/adapter_feed.rs")
            || ["sse-axum/", "sse-actix/", "sse-warp/"].iter().any(|a| path.starts_with(a));
        for name in declared(code) {
            if !(in_adapter && WRAPPERS.contains(&name)) {
                places.entry(name).or_default().push(path);
            }
        }
    }
    places.retain(|_, paths| paths.len() > 1);
    places.iter().map(|(name, paths)| format!("{name}: {}", paths.join(", "))).collect()
}

#[test]
fn no_two_types_of_the_crate_family_share_a_name() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for entry in fs::read_dir(&workspace).unwrap() {
        let krate = entry.unwrap();
        let name = krate.file_name().into_string().unwrap();
        if name.starts_with("sse-") && krate.path().join("src").is_dir() {
            files.extend(
                sources(&krate.path()).into_iter().map(|source| (format!("{name}/{}", source.path), source.code)),
            );
        }
    }
    files.sort();
    let found = duplicates(files.iter().map(|(path, code)| (path.as_str(), code.as_str())));
    assert!(found.is_empty(), "{} names are declared more than once:\n{}", found.len(), found.join("\n"));
}

#[test]
fn checker_finds_a_name_in_two_files_and_twice_in_one() {
    let [one, two, adapter] = [
        "pub struct Topic;\nenum Step {}\n",
        "trait Topic {}\nstruct A;\nmod b {\n    struct A;\n}\ntype Sse = ();\nimpl Iterator for A {\n    type Item = u8;\n}\n",
        "pub struct Sse;\ntype Step = ();\npub type A = other::A<u8>;",
    ]
    .map(code);
    let files = [("sse-core/one.rs", &*one), ("sse-core/two.rs", &two), ("sse-axum/lib.rs", &adapter)];
    assert_eq!(
        duplicates(files),
        [
            "A: sse-core/two.rs, sse-core/two.rs",
            "Step: sse-core/one.rs, sse-axum/lib.rs",
            "Topic: sse-core/one.rs, sse-core/two.rs"
        ]
    );
}
