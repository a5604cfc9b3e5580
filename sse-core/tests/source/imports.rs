//! The folders of sse-core import one another in one direction only, and never through `lib.rs`.

use crate::code::{code, sources};
use std::path::Path;

/// The folders in the order in which they may be used: each one uses only those of lower ranks and itself.
const RANKS: [(&str, usize); 10] = [
    ("runtime", 0),
    ("event", 1),
    ("decoder", 2),
    ("request", 2),
    ("client", 3),
    ("stream", 3),
    ("response", 4),
    ("hub", 5),
    ("http", 6),
    ("testing", 6),
];

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

/// The first name of each `crate::` path, with the line on which the path begins. A macro's `$crate` is left out: it
/// serves other crates, which have nothing but the names of `lib.rs`.
fn imported(code: &str) -> Vec<(usize, &str)> {
    const PREFIX: &str = "crate::";
    let mut found = Vec::new();
    for (at, _) in code.match_indices(PREFIX) {
        if code[..at].ends_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric()) {
            continue;
        }
        let line = code[..at].lines().count().max(1);
        let path = code[at + PREFIX.len()..].trim_start();
        match path.strip_prefix('{') {
            None => found.push((line, first_name(path))),
            Some(group) => found.extend(elements(group).into_iter().map(|element| (line, first_name(element)))),
        }
    }
    found
}

fn first_name(path: &str) -> &str {
    let path = path.trim_start();
    &path[..path.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(path.len())]
}

/// The elements of the braces that were just opened.
fn elements(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut elements) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                elements.push(&group[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    elements.retain(|element| !element.trim().is_empty());
    elements
}

/// The imports of one file that the order forbids.
fn violations(path: &str, code: &str) -> Vec<String> {
    let own = path.trim_end_matches(".rs").split('/').next().unwrap_or_default();
    if own == "lib" {
        return Vec::new();
    }
    let Some(own_rank) = rank(own) else { return vec![format!("{path}: the order has no folder `{own}`")] };
    let mut found = Vec::new();
    for (line, name) in imported(code) {
        match rank(name) {
            None => found.push(format!("{path}:{line}: `crate::{name}` is an import through lib.rs")),
            Some(rank) if rank < own_rank || name == own => {}
            Some(_) => found.push(format!("{path}:{line}: `{own}` must not import `{name}`")),
        }
    }
    // A file lies one folder deep or two; two steps up from there can leave the folder unseen.
    let escapes = code.lines().zip(1..).filter(|(text, _)| text.contains("super::super"));
    found.extend(escapes.map(|(_, line)| format!("{path}:{line}: write `crate::` in place of `super::super`")));
    found
}

#[test]
fn folders_import_in_one_direction_and_never_through_lib_rs() {
    let sources = sources(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(sources.len() > 50, "only {} files were read", sources.len());
    let found: Vec<String> = sources.iter().flat_map(|source| violations(&source.path, &source.code)).collect();
    assert!(found.is_empty(), "{} imports against the order:\n{}", found.len(), found.join("\n"));
}

#[test]
fn checker_finds_each_kind_of_forbidden_import() {
    let check = |path, text| violations(path, &code(text));
    assert_eq!(check("stream/state.rs", "use crate::event::frame::Frame;\nuse crate::stream::shared;\n"), [""; 0]);
    assert_eq!(
        check("stream/state.rs", "\nuse crate::hub::Hub;\n"),
        ["stream/state.rs:2: `stream` must not import `hub`"]
    );
    assert_eq!(
        check("decoder/stream.rs", "crate::request::head::X"),
        ["decoder/stream.rs:1: `decoder` must not import `request`"]
    );
    assert_eq!(
        check("event/event.rs", "use crate::{\n    runtime::sync::{Arc, Mutex},\n    hub::Hub, Event};\n"),
        [
            "event/event.rs:1: `event` must not import `hub`",
            "event/event.rs:1: `crate::Event` is an import through lib.rs"
        ]
    );
    assert_eq!(
        check("hub/mod.rs", "fn f() -> crate::Sse {}"),
        ["hub/mod.rs:1: `crate::Sse` is an import through lib.rs"]
    );
    assert_eq!(
        check("hub/log/feed.rs", "use super::super::super::response;"),
        ["hub/log/feed.rs:1: write `crate::` in place of `super::super`"]
    );
    assert_eq!(check("other/mod.rs", ""), ["other/mod.rs: the order has no folder `other`"]);
    // Links of documents and the paths of exported macros are no imports.
    assert_eq!(check("event/mod.rs", "/// [`Sse`](crate::Sse)\n$crate::Sse"), [""; 0]);
}
