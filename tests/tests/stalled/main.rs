//! Clients that do not read, and clients that vanish, over real sockets, on every adapter.

mod vanished;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sse_conformance::load::{LoadClient, LoadServer, Result, Soak, Stalled, publish};
use sse_conformance::server::Adapter;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SERVER: &str = env!("CARGO_BIN_EXE_conformance-server");
const MIB: u64 = 1 << 20;
/// The tolerance for a machine that is busy.
const SLACK: Duration = Duration::from_secs(8);
/// The user timeout of the servers here, in milliseconds.
const TIMEOUT_MS: u64 = 2_000;
const TIMEOUT: Duration = Duration::from_millis(TIMEOUT_MS);

fn main() -> ExitCode {
    if let Some(adapter) = std::env::var_os(vanished::INSIDE) {
        return vanished::inside(&adapter);
    }
    let arguments = Arguments::from_args();
    if !cfg!(target_os = "linux") {
        println!("not run: only Linux has the user timeout, and tells what a process holds");
        return ExitCode::SUCCESS;
    }
    let mut trials = Vec::new();
    for adapter in Adapter::ALL {
        let mut add = |name: &str, run: fn(Adapter) -> Result<Completion>| {
            let run = move || run(adapter).map_err(|error| Failed::from(error.to_string()));
            trials.push(Trial::ignorable_test(format!("{}::{name}", adapter.as_str()), run));
        };
        // Hazards C3 and B1.
        add("a_reader_that_stalls_is_closed_in_time_and_memory_is_bounded", |adapter| block_on(closed(adapter)));
        add("without_the_bound_it_would_stay", |adapter| block_on(stays(adapter)));
        // Hazards D1 and D2.
        add("readers_that_stall_do_not_hold_up_a_shutdown", |adapter| block_on(shutdown(adapter)));
        // Hazard B3.
        add("what_lies_beneath_a_body_is_bounded", |adapter| block_on(beneath(adapter)));
        // Hazards B1 and B2.
        add("healthy_readers_lose_nothing_beside_a_thousand_that_stall", |adapter| block_on(beside(adapter)));
        // Hazard G1.
        add("clients_that_are_killed_resume_and_lose_nothing", |adapter| block_on(killed(adapter)));
        // Hazards C3 and C6.
        add("a_peer_that_vanished_is_closed_in_time", vanished::trial);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn block_on(test: impl Future<Output = Result>) -> Result<Completion> {
    tokio::runtime::Runtime::new()?.block_on(test)?;
    Ok(Completion::Completed)
}

/// A server whose sockets give up after this long; 0 keeps the system's defaults.
fn start(adapter: Adapter, timeout_ms: u64) -> Result<LoadServer> {
    let timeout = timeout_ms.to_string();
    let arguments = ["--adapter", adapter.as_str(), "--user-timeout-ms", &timeout];
    let more = ["--keep-alive-ms", "500", "--drain-deadline-ms", "60000"];
    LoadServer::start(Path::new(SERVER), &[&arguments[..], &more].concat())
}

/// Clients that read no event.
async fn stall(server: SocketAddr, count: usize) -> Result<Vec<LoadClient>> {
    let mut stalled = Vec::new();
    for _ in 0..count {
        stalled.push(LoadClient::open(server, Some(4 * 1024)).await?);
    }
    Ok(stalled)
}

/// Publishes more than a kernel buffers for a client that sleeps. Publishes slowly, so that no subscriber that is
/// polled falls behind.
async fn flood(server: SocketAddr) -> Result {
    for n in 0..24 {
        tokio::task::spawn_blocking(move || publish(server, n * 256, 256, 1024)).await??;
        sleep(Duration::from_millis(30)).await;
    }
    Ok(())
}

/// Waits until at most this many streams are left.
async fn left(server: &LoadServer, streams: u64, within: Duration) -> Result<Duration> {
    let began = Instant::now();
    while server.streams()? > streams {
        if began.elapsed() > within {
            return Err(format!("{} streams are left after {within:?}", server.streams()?).into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(began.elapsed())
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result {
    if holds { Ok(()) } else { Err(what().into()) }
}

async fn closed(adapter: Adapter) -> Result {
    let server = start(adapter, TIMEOUT_MS)?;
    let stalled = stall(server.address(), 20).await?;
    let (before, open) = (server.resident()?, server.sockets()?);
    flood(server.address()).await?;
    let took = left(&server, 0, TIMEOUT + SLACK).await?;
    sockets(&server, open - 20).await?;
    let growth = server.resident()?.saturating_sub(before);
    println!("{}: closed {took:?} after the last event, {growth} B more resident", adapter.as_str());
    check(server.stat("lagged")? == 0, || "they lagged, and were not stalled".to_owned())?;
    // The ring, a request, and half a mebibyte below each body.
    check(growth < 26 * MIB, || format!("{growth} B more resident"))?;
    drop(stalled);
    Ok(())
}

/// Waits until the server has at most this many sockets, and one for the request of this check.
async fn sockets(server: &LoadServer, at_most: usize) -> Result {
    let began = Instant::now();
    while server.sockets()? > at_most + 1 {
        check(began.elapsed() < SLACK, || "sockets are left".to_owned())?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The unprotected behaviour that the other trials are compared with.
async fn stays(adapter: Adapter) -> Result {
    let server = start(adapter, 0)?;
    let _stalled = stall(server.address(), 3).await?;
    flood(server.address()).await?;
    sleep(TIMEOUT * 2).await;
    check(server.streams()? == 3, || "it ended although nothing bounds it; the other tests show nothing".to_owned())
}

async fn shutdown(adapter: Adapter) -> Result {
    // The flood may take longer than one timeout on a busy machine, and the clients must be stalled when the signal comes.
    let mut server = start(adapter, 4 * TIMEOUT_MS)?;
    let _stalled = stall(server.address(), 3).await?;
    flood(server.address()).await?;
    check(server.streams()? > 0, || "none is stalled by now".to_owned())?;
    let (status, took) = tokio::task::block_in_place(|| server.terminate(4 * TIMEOUT + SLACK))?;
    println!("{}: down after {took:?}", adapter.as_str());
    check(status.success(), || status.to_string())
}

async fn beneath(adapter: Adapter) -> Result {
    for (bound, timeout_ms) in [("bounded", 60_000), ("as the system makes it", 0)] {
        let server = start(adapter, timeout_ms)?;
        let stalled = stall(server.address(), 1).await?;
        let address = stalled.first().and_then(LoadClient::address).ok_or("it was opened")?;
        flood(server.address()).await?;
        let taken = server.stat("delivered")? * 1055;
        let queues = server.queues(address)?;
        let process = taken.saturating_sub(queues.unacknowledged + queues.unread);
        println!(
            "{}, socket {bound}: about {} KiB beneath a body: {} in the process, {} in its kernel, {} in the client's",
            adapter.as_str(),
            taken / 1024,
            process / 1024,
            queues.unacknowledged / 1024,
            queues.unread / 1024
        );
        // Hyper buffers at most 408 KB and a chunk. The kernel's buffers have a bound of 128 KiB here.
        let bound = if timeout_ms == 0 { 8 * MIB } else { MIB };
        check(taken > 0 && taken < bound, || format!("{taken} B beneath a body"))?;
    }
    Ok(())
}

async fn beside(adapter: Adapter) -> Result {
    let timeout = ["--user-timeout-ms", "60000"];
    let server = LoadServer::start(Path::new(SERVER), &[&["--adapter", adapter.as_str()][..], &timeout].concat())?;
    let report = Stalled::new(1_000, 100, Duration::from_secs(4)).run(&server).await?;
    println!("{}: {report}", adapter.as_str());
    check(report.lost() == 0, || report.to_string())?;
    // A stalled client may hold one of the four published mebibytes, and holds far less in practice.
    check(report.growth() < 1_000 * MIB / 2, || report.to_string())
}

/// `EventSource` drives these clients, and the independent reader judges what they receive.
async fn killed(adapter: Adapter) -> Result {
    let server = LoadServer::start(Path::new(SERVER), &["--adapter", adapter.as_str()])?;
    let mut soak = Soak::new(100, Duration::from_secs(4));
    soak.pause = Duration::from_secs(1);
    let report = soak.run(&server).await?;
    println!("{}: {report}", adapter.as_str());
    check(report.is_clean() && report.gaps == 0, || report.to_string())?;
    check(report.resumed > 150, || format!("hardly a client was killed: {report}"))
}
