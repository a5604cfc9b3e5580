//! A client whose packets no longer arrive: in a network namespace of the test's own, where a route drops every packet
//! to the client.

use crate::{SERVER, SLACK, TIMEOUT, TIMEOUT_MS, left, sockets};
use libtest_mimic::Completion;
use sse_conformance::load::{LoadClient, LoadServer, Result};
use sse_conformance::server::Adapter;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};
use tokio::net::TcpSocket;

/// Set to the name of the adapter in the process inside the namespace.
pub(crate) const INSIDE: &str = "SSE_STALLED_INSIDE";
/// A separate address, so that a route can affect this address alone.
const PEER: &str = "127.0.0.2";

/// Runs this executable again inside a namespace.
pub(crate) fn trial(adapter: Adapter) -> Result<Completion> {
    let namespace = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net"]);
        command
    };
    let works = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !works(Command::new("ip").arg("-V")) || !works(namespace().arg("true")) {
        // Some systems allow no network namespaces.
        return Ok(Completion::ignored_with("no network namespaces here: it takes unshare(1) and ip(8)"));
    }
    let output = namespace().arg(std::env::current_exe()?).env(INSIDE, adapter.as_str()).output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(Completion::Completed)
}

pub(crate) fn inside(adapter: &OsStr) -> ExitCode {
    let result = tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| {
        let adapter = adapter.to_str().ok_or("no adapter")?;
        runtime.block_on(vanish(adapter))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn ip(arguments: &str) -> Result {
    let output = Command::new("ip").args(arguments.split(' ')).output()?;
    if output.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {output:?}").into()) }
}

async fn vanish(adapter: &str) -> Result {
    ip("link set lo up")?;
    let timeout = TIMEOUT_MS.to_string();
    let arguments = ["--adapter", adapter, "--user-timeout-ms", &timeout, "--keep-alive-ms", "500"];
    let server = LoadServer::start(Path::new(SERVER), &arguments)?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{PEER}:0").parse()?)?;
    let mut peer = LoadClient::over(socket.connect(server.address()).await?).await?;
    peer.read().await?;
    let open = server.sockets()?;

    ip(&format!("route add blackhole {PEER} table local"))?;
    // The client reads on, and would acknowledge every packet.
    let reading = tokio::spawn(async move { while peer.read().await.unwrap_or(false) {} });
    let took = left(&server, 0, TIMEOUT + SLACK).await?;
    println!("{adapter}: the stream of a peer that vanished ended after {took:?}");
    sockets(&server, open - 1).await?;
    reading.abort();
    Ok(())
}
