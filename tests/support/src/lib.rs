//! What the suites of this workspace need beside a test runner: a [browser], servers as [processes](process), a
//! [cable] to pull between the two, event streams read by [HTTP](http), and [trials] that run in the browser or say why
//! not.

pub mod browser;
pub mod cable;
pub mod http;
pub mod process;
pub mod trials;

/// What went wrong, for a test to show.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The outcome of a step of a test.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Asks until the answer is yes, for at most this long.
///
/// # Errors
/// Time is up, or the question itself failed.
pub async fn eventually<F>(what: &str, bound: std::time::Duration, mut question: impl FnMut() -> F) -> Result
where
    F: Future<Output = Result<bool>>,
{
    let began = tokio::time::Instant::now();
    while !question().await? {
        if began.elapsed() > bound {
            return Err(format!("not within {bound:?}: {what}").into());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}
