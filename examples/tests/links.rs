//! Checks every link in the Markdown files of this repository: the file exists, and has the heading.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of generated files and of files from elsewhere.
const SKIPPED: [&str; 3] = ["target", "node_modules", "corpus"];

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut files = Vec::new();
    markdown(&root, &mut files);
    let documents: HashMap<_, _> =
        files.into_iter().map(|file| (file.clone(), Document::read(&fs::read_to_string(file).unwrap()))).collect();
    assert!(documents.contains_key(&root.join("README.md")));

    let mut broken = Vec::new();
    for (file, document) in &documents {
        for link in &document.links {
            if let Err(why) = follow(file, link, &documents) {
                broken.push(format!("{}: {link}: {why}", file.strip_prefix(&root).unwrap().display()));
            }
        }
    }
    broken.sort();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn docs_client_md_holds_the_script_of_the_pages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let script = fs::read_to_string(root.join("examples/common/client.js")).unwrap();
    let document = fs::read_to_string(root.join("docs/client.md")).unwrap();
    assert!(document.contains(&format!("```js\n{script}```\n")), "copy examples/common/client.js into docs/client.md");
    let lines = script.lines().count();
    assert!(
        document.contains(&format!("\n{lines} lines, [examples/common/client.js]")),
        "the script has {lines} lines"
    );
    assert!(lines < 100, "{lines}");
}

#[test]
fn the_figures_of_the_readme_are_those_of_docs_benchmarks_md() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("docs/benchmarks.md")).unwrap();
    let bursts = text.lines().filter(|line| line.starts_with("| burst on ") && line.contains("times its recipe"));
    let times: Vec<f64> = bursts.map(|line| line.split(" | ").nth(2).unwrap().parse().unwrap()).collect();
    let (least, most) = (times.iter().copied().fold(f64::MAX, f64::min), times.iter().copied().fold(0.0, f64::max));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let figures = format!("{least:.0} to {most:.0} times");
    assert!(times.len() == 3 && readme.contains(&figures), "the README must have: {figures}");
    assert!(readme.lines().count() <= 150, "the README must have at most 150 lines");
}

/// Follows one link. A link to another site passes unread.
fn follow(file: &Path, link: &str, documents: &HashMap<PathBuf, Document>) -> Result<(), &'static str> {
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { file.to_owned() } else { file.parent().unwrap().join(path) };
    let target = target.canonicalize().map_err(|_| "no such file")?;
    match documents.get(&target) {
        _ if heading.is_empty() => Ok(()),
        Some(document) if document.headings.contains_key(heading) => Ok(()),
        Some(_) => Err("no such heading"),
        None => Err("a heading in a file that is not Markdown"),
    }
}

fn markdown(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name) {
            markdown(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

#[derive(Debug, Default)]
struct Document {
    links: Vec<String>,
    /// The anchor that GitHub gives to a heading, and the number of headings with this anchor.
    headings: BTreeMap<String, usize>,
}

impl Document {
    fn read(text: &str) -> Self {
        let mut document = Self::default();
        let mut heading = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.name(&heading.take().unwrap_or_default()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => document.links.extend(sources(&html)),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        document
    }

    fn name(&mut self, heading: &str) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect();
        let before = self.headings.get(&name).copied().unwrap_or_default();
        self.headings.insert(name.clone(), before + 1);
        if before > 0 {
            self.headings.insert(format!("{name}-{before}"), 1);
        }
    }
}

/// The addresses in the HTML parts of a document.
fn sources(html: &str) -> impl Iterator<Item = String> {
    let attribute = |name: &'static str| html.split(name).skip(1).filter_map(|rest| rest.split('"').next());
    [" src=\"", " srcset=\"", " href=\""].into_iter().flat_map(attribute).map(str::to_owned)
}

#[test]
fn a_broken_link_is_found() {
    let page = Document::read("# A `b`, c!\n\n[x](#a-b-c) [y](#a) [z](gone.md)\n\n# A b c\n\n<img src=\"gone.png\">\n");
    assert_eq!(page.links, ["#a-b-c", "#a", "gone.md", "gone.png"]);
    assert!(page.headings.contains_key("a-b-c-1"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let documents = HashMap::from([(file.canonicalize().unwrap(), page)]);
    let found = ["#a-b-c", "#a", "gone.md", "gone.png", "Cargo.toml", "Cargo.toml#x"]
        .map(|link| follow(&file, link, &documents).is_ok());
    assert_eq!(found, [true, false, false, false, true, false]);
}
