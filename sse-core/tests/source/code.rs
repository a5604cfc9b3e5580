//! The files of a crate and their code without comments, literals and test modules.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file of a crate.
pub(crate) struct Source {
    /// The path below the crate's `src`, with `/` between its parts.
    pub(crate) path: String,
    /// The code as [`code`] returns it.
    pub(crate) code: String,
}

/// The files below the `src` folder of a crate, without those that only tests compile.
pub(crate) fn sources(krate: &Path) -> Vec<Source> {
    let root = krate.join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut test_modules = Vec::new();
    let sources: Vec<Source> = files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            let text = fs::read_to_string(file).unwrap();
            test_modules.extend(test_module_files(&path, &text));
            Source { path, code: code(&text) }
        })
        .collect();
    let only_tests = |path: &str| {
        test_modules
            .iter()
            .any(|module| path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')))
    };
    sources.into_iter().filter(|source| !only_tests(&source.path)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The paths, without `.rs`, of the modules that this file declares below `#[cfg(test)]`.
fn test_module_files(path: &str, text: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "mod")) => format!("{folder}/"),
        None if matches!(stem, "lib" | "mod") => String::new(),
        _ => format!("{stem}/"),
    };
    let mut for_tests = false;
    let mut modules = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            for_tests |= line.starts_with("#[cfg(") && line.contains("test") && !line.contains("\"testing\"");
            continue;
        }
        if for_tests && let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            modules.push(format!("{folder}{name}"));
        }
        for_tests = false;
    }
    modules
}

/// The text with spaces in place of comments, of string and character literals, and of modules named `tests`. Lines keep
/// their numbers.
pub(crate) fn code(text: &str) -> String {
    without_test_modules(&without_literals(text))
}

fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let blank = skipped(rest, out.chars().next_back());
        if blank == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..blank].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[blank..];
        }
    }
    out
}

/// Bytes of the comment or literal that begins here; 0 if none does.
fn skipped(text: &str, before: Option<char>) -> usize {
    let until = |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return until(2, "*/");
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    if text.starts_with('\'') {
        // A lifetime has no closing quote.
        let mut chars = text.chars().skip(1);
        let literal = matches!(chars.next(), Some('\\')) || chars.next() == Some('\'');
        return if literal { quoted(text, '\'') } else { 0 };
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_word && let Some(raw) = text.strip_prefix("br").or_else(|| text.strip_prefix('r')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let start = text.len() - raw.len() + hashes + 1;
            return until(start, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    0
}

/// Bytes of the literal that begins here, up to its closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// rustfmt puts the brace that closes a module of the file into the first column.
fn without_test_modules(code: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(code.len());
    for line in code.split_inclusive('\n') {
        inside |= line.starts_with("mod tests {");
        out.push_str(if inside { "\n" } else { line });
        inside &= !line.starts_with('}');
    }
    out
}

#[test]
fn comments_literals_and_test_modules_are_blanked() {
    let text = "a // b\n\"c \\\" d\" e 'f' &'g h r#\"i\"j\"# k /* l\n */ m\nmod tests {\n    n\n}\no\n";
    let words: Vec<String> =
        code(text).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(words, ["a", "e &'g h k", "m", "", "", "", "o"]);
}

#[test]
fn modules_under_cfg_test_are_found_by_path() {
    let text = "mod a;\n#[cfg(test)]\nmod b;\n#[cfg(feature = \"testing\")]\npub mod testing;\n";
    assert_eq!(test_module_files("hub/mod.rs", text), ["hub/b"]);
    assert_eq!(test_module_files("hub/ring.rs", text), ["hub/ring/b"]);
    assert_eq!(test_module_files("lib.rs", text), ["b"]);
}
