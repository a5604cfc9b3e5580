//! The cases of a suite against a server, as trials. The tests of sse-runs include this file.

use crate::server;
use libtest_mimic::{Failed, Trial};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A case returns its figures.
pub(crate) type Case = fn(long: bool) -> Pin<Box<dyn Future<Output = String> + Send>>;

/// The time limit of a case. The long form has six times as much.
const MOST: Duration = Duration::from_secs(300);

macro_rules! cases {
    ($($name:literal => $case:path;)*) => {
        [$(($name, (|long| Box::pin($case(long))) as $crate::cases::Case)),*]
    };
}
pub(crate) use cases;

/// Whether a missing server is a failure.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// A trial for each case. Without a server the trials are ignored and name the reason; under `CI=true` they fail.
pub(crate) fn trials(cases: impl IntoIterator<Item = (&'static str, Case)>, long: bool) -> Vec<Trial> {
    let missing = server::missing();
    let trial = |(name, case): (&'static str, Case)| match missing.clone() {
        None => Trial::test(name, move || {
            run(name, case, long);
            Ok(())
        }),
        Some(reason) => {
            let name = if in_ci() { name.to_owned() } else { format!("{name} (ignored: {reason})") };
            let failure = move || Err(Failed::from(format!("no server to test against: {reason}")));
            Trial::test(name, failure).with_ignored_flag(!in_ci())
        }
    };
    cases.into_iter().map(trial).collect()
}

fn run(name: &str, case: Case, long: bool) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let begun = Instant::now();
    let most = if long { MOST * 6 } else { MOST };
    let figures = runtime.block_on(async { tokio::time::timeout(most, case(long)).await });
    let figures = figures.unwrap_or_else(|_| panic!("stuck after {most:?}"));
    println!("{name:<90} {:>6.1} s  {figures}", begun.elapsed().as_secs_f64());
}
