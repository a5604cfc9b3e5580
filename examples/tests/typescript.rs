//! The pages of `news` and `chat` against the TypeScript declarations of their events.

use sse_test_support::trials::Trials;
use sse_test_support::{Error, Optional, Result, need};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

const INSTALL: &str = "`npm install --global typescript` installs it";

fn main() -> ExitCode {
    let mut trials = Trials::new();
    for (example, wrong) in [
        (
            "news",
            [("headline({ at, text })", "headline({ at, title })"), ("{ now, headline,", "{ now, head: headline,")],
        ),
        ("chat", [("said({ from,", "said({ sender,"), ("reason === \"unknown\"", "reason === \"unknwon\"")]),
    ] {
        trials.add(format!("{example}::page_agrees_with_the_declaration_of_its_events"), async move || {
            let script = script(example)?;
            let printed = check(example, &script)?;
            if !printed.is_empty() {
                return Err(printed.into());
            }
            for (right, wrong) in wrong {
                let mistaken = script.replacen(right, wrong, 1);
                assert_ne!(mistaken, script, "{right}");
                assert!(check(example, &mistaken)?.contains("error TS"), "{wrong} is no error");
            }
            Ok(())
        });
    }
    trials.run()
}

/// The script of the page itself.
fn script(example: &str) -> Result<String> {
    let page = fs::read_to_string(examples().join(example).join("page.html"))?;
    let (_, script) = page.rsplit_once("<script>\n").ok_or("the page has no script")?;
    Ok(script.split_once("</script>").ok_or("the script has no end")?.0.to_owned())
}

/// The errors that the TypeScript compiler prints for this script of the page.
fn check(example: &str, script: &str) -> Result<String> {
    need("tsc").map_err(|missing| -> Error { Optional(format!("{missing}: {INSTALL}")).into() })?;
    let folder = tempfile::tempdir()?;
    let declaration = format!("{example}.d.ts");
    fs::copy(examples().join("common/client.d.ts"), folder.path().join("client.d.ts"))?;
    fs::copy(examples().join(example).join(&declaration), folder.path().join(&declaration))?;
    fs::write(folder.path().join("page.js"), script)?;
    let output = Command::new("tsc")
        .args(["--noEmit", "--allowJs", "--checkJs", "--strict", "false", "--target", "es2022"])
        .args(["--lib", "dom,dom.iterable,es2022", "client.d.ts", "page.js"])
        .current_dir(folder.path())
        .output()?;
    Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
}

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
