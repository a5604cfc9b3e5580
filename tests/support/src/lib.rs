//! The tools that the suites of this workspace share, each defined once.
//!
//! Without features: an independent [reader] of event streams, the [ledger] that checks order, a [child] process, an
//! [allocator](alloc) that counts, and the documented [events](observing) for `tracing`. With the feature `cable`: a [cable] that can be cut. With the feature `servers`,
//! which is on by default: the cable, a [browser], event streams over [HTTP](http), a child for [futures](process), and
//! [trials] that run or name a missing program.

pub mod alloc;
#[cfg(feature = "servers")]
pub mod browser;
#[cfg(feature = "cable")]
pub mod cable;
pub mod child;
#[cfg(feature = "servers")]
pub mod http;
pub mod ledger;
pub mod observing;
#[cfg(feature = "servers")]
pub mod process;
pub mod reader;
#[cfg(feature = "servers")]
pub mod trials;

use std::path::PathBuf;

/// An error that a test shows.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The outcome of a step of a test.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// A program or a package that the system lacks, and where it was looked for. A trial that fails with this error is ignored and names the program; under
/// `CI=true` the trial fails.
#[derive(Debug)]
pub struct Missing(pub String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no {}", self.0)
    }
}

impl std::error::Error for Missing {}

/// A missing program that no run of the tests requires. A trial that fails with this error is ignored, also under
/// `CI=true`, and shows this text.
#[derive(Debug)]
pub struct Optional(pub String);

impl std::fmt::Display for Optional {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Optional {}

/// Checks that the system has this command.
///
/// # Errors
/// [`Missing`] if the command is not in `PATH`.
pub fn need(command: &str) -> Result<(), Missing> {
    find(&[command]).map(|_| ())
}

/// The first of these commands that is in `PATH`.
fn find(commands: &[&str]) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut files = commands.iter().flat_map(|name| directories.iter().map(move |directory| directory.join(name)));
    files.find(|file| file.is_file()).ok_or_else(|| Missing(commands.join(" or ") + " in PATH"))
}

#[cfg(feature = "servers")]
const SHORTEST_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);
#[cfg(feature = "servers")]
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// Evaluates the condition again and again, for at most this long.
///
/// # Errors
/// The bound passes, or the condition itself fails.
#[cfg(feature = "servers")]
pub async fn eventually<F>(what: &str, bound: std::time::Duration, mut question: impl FnMut() -> F) -> Result
where
    F: Future<Output = Result<bool>>,
{
    let began = tokio::time::Instant::now();
    while !question().await? {
        if began.elapsed() > bound {
            return Err(format!("not within {bound:?}: {what}").into());
        }
        // Rarely where an evaluation takes long: a dozen tests that evaluate often would slow each other down.
        let pause = began.elapsed() / 10;
        tokio::time::sleep(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
    }
    Ok(())
}
